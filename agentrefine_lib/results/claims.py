"""The paper's claims in words, and what became of each in a run."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import HTML

from agentrefine_lib.metrics.verdicts import ALL, NO, NONE, OPEN, YES
from agentrefine_lib.plots.findings import count
from agentrefine_lib.results.artefacts import POINTS, Artefact, description, load_artefacts, read_claims
from agentrefine_lib.runner import repository
from agentrefine_lib.viewers.page import escape, html_page, table

MOST = 6  # sentences about a chapter
UNTESTED = "not tested"  # one side is missing in the run
SAID = {  # of one claim, of several
    YES: ("holds in this run:", "hold in this run:"),
    NO: ("fails in this run, where the opposite is seen:", "fail in this run, where the opposite is seen:"),
    NONE: (
        "cannot be decided here, because neither side scored on any of its tasks:",
        "cannot be decided here, because neither side scored on any of their tasks, such as",
    ),
    ALL: (
        "cannot be decided here, because both sides scored in full on all of its tasks:",
        "cannot be decided here, because both sides scored in full on all of their tasks, such as",
    ),
    OPEN: ("is not decided by this run:", "are not decided by this run; the nearest to a decision is"),
    UNTESTED: ("was not tested, as one side is missing here:", "were not tested, as one side is missing here, such as"),
}


def told_claims(artefacts: list[Artefact], tested: pd.DataFrame) -> list[dict[str, Any]]:
    """Each claim of the registry: what it says, its test, its artefact, its verdict, and the numbers in words."""
    told = []
    for artefact in artefacts:
        for claim in artefact.claims:
            row = tested.loc[claim.id].to_dict() if claim.id in tested.index else {}
            found = {"verdict": holds(row), "compared": row.get("compared", "")}
            found |= {"p": row["p"] if pd.notna(row.get("p")) else math.inf}
            told.append(claim.model_dump() | found | {"numbers": numbers(row, claim.unit), "artefact": artefact.id})
    return told


def holds(row: Mapping[Any, Any]) -> str:
    """The verdict of a row of ``claims_*.csv``, or UNTESTED."""
    return UNTESTED if pd.isna(row.get("difference")) else str(row["verdict"])


def difference(row: dict[Any, Any], unit: str = "") -> str:
    """A difference in its unit, its interval, and p where there is one; only zero points are told as 0.0."""
    scale, form = (100, ".1f") if unit == POINTS else (1, ".3g")
    ends = [round(scale * row[name], 7) + 0.0 for name in ("difference", "low", "high")]
    value, low, high = (f"{end:{'.1g' if unit == POINTS and 0 < abs(end) < 0.05 else form}}" for end in ends)
    p = f", p = {row['p']:.2g}" if pd.notna(row["p"]) else ""
    return f"{value}{' ' * bool(unit)}{unit} [{low}, {high}]{p}"


def numbers(row: dict[Any, Any], unit: str = "") -> str:
    """A test in words: its ``difference``, n, on how many of them the two differ, the most seeds, and the n that would
    decide."""
    if pd.isna(row.get("difference")):
        return "one side is missing here"
    seeds = f", {'up to ' * (row['seeds'] > 1)}{count(int(row['seeds']), 'seed')}" if pd.notna(row["seeds"]) else ""
    needed = f"; about n = {row['needed']:,.0f} would decide" if pd.notna(row.get("needed")) else ""
    differ = f" ({row['differ']:,.0f} differ)" if row.get("differ", 0) > 0 else ""
    return f"{difference(row, unit)}, n = {row['n']:,.0f}{differ}{seeds}{needed}"


def show_claims(tested: pd.DataFrame, root: Path | None = None) -> HTML:
    """A chapter's claims, from ``metrics.claims``, as a table: what is claimed, the verdict, the numbers, what decides.

    A row whose id is not in the registry, as in an exercise, is shown by its id.
    """
    known = {c.id: (c.says, c.unit) for artefact in load_artefacts(root or repository()) for c in artefact.claims}
    rows = []
    for name, row in tested.set_index("claim").to_dict("index").items():
        says, unit = known.get(str(name), (str(name), ""))
        rows.append((says, holds(row), numbers(row, unit), row["compared"]))
    return html_page(table(("claim", "holds", "difference [95 %]", "compared"), rows), "claims")


def show_findings(chapter: str, figures: Path, *more: str, root: Path | None = None) -> HTML:
    """What a chapter's run showed, in six sentences at most: ``more``, then what its figures found, then a sentence for
    each verdict on its claims. Figures and ``claims_*.csv`` are read from ``figures``."""
    mine = [artefact for artefact in load_artefacts(root or repository()) if artefact.notebook == chapter]
    pictures = [figures / f"{artefact.id}.png" for artefact in sorted(mine, key=lambda artefact: artefact.beyond)]
    found = [description(path).partition("\n")[0] for path in pictures if path.exists()]
    judged = list(judgements(told_claims(mine, read_claims(figures))))
    told = [*more, *found[: max(0, MOST - len(more) - len(judged))], *judged]
    items = "".join(f"<li>{escape(said if said.endswith(('.', '.”')) else f'{said}.')}</li>" for said in told)
    return html_page(f"<ul>{items}</ul>", f"what {chapter} showed")


def judgements(claims: list[dict[str, Any]]) -> Iterator[str]:
    """A sentence for each verdict: how many claims, and which, with their numbers; of open ones that of the least p."""
    nearest = sorted(claims, key=lambda claim: claim["p"])
    for verdict, (one, several) in SAID.items():
        of = [claim for claim in (nearest if verdict == OPEN else claims) if claim["verdict"] == verdict]
        told = [f"“{claim['says']}”" + f" ({claim['numbers']})" * (verdict != UNTESTED) for claim in of]
        if told:
            shown = "; ".join(told if verdict in (YES, NO) else told[:1])
            yield f"{count(len(of), 'claim')} {one if len(of) == 1 else several} {shown}"
