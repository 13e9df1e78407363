"""The paper's claims in words, and what became of each in a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import HTML

from agentrefine_lib.metrics.verdicts import OPEN
from agentrefine_lib.results.artefacts import Artefact, load_artefacts
from agentrefine_lib.runner import repository
from agentrefine_lib.viewers.page import html_page, table


def told_claims(artefacts: list[Artefact], tested: pd.DataFrame) -> list[dict[str, Any]]:
    """Each claim of the registry: what it says, its test, its artefact, its verdict, and the numbers in words."""
    told = []
    for artefact in artefacts:
        for claim in artefact.claims:
            row = tested.loc[claim.id].to_dict() if claim.id in tested.index else {}
            found = {"verdict": row.get("verdict", OPEN), "compared": row.get("compared", "")}
            told.append(claim.model_dump() | found | {"numbers": numbers(row), "artefact": artefact.id})
    return told


def numbers(row: dict[Any, Any]) -> str:
    """A test in words: difference [interval], p, n, seeds, and the n that would decide what is not decided."""
    if pd.isna(row.get("difference")):
        return "not tested in this run"
    p = f", p = {row['p']:.2g}" if pd.notna(row["p"]) else ""
    seeds = f", {row['seeds']:.0f} seed{'s' * (row['seeds'] != 1)}" if pd.notna(row["seeds"]) else ""
    needed = f"; about n = {row['needed']:,.0f} would decide" if pd.notna(row.get("needed")) else ""
    return f"{row['difference']:.3g} [{row['low']:.3g}, {row['high']:.3g}]{p}, n = {row['n']:.0f}{seeds}{needed}"


def show_claims(tested: pd.DataFrame, root: Path | None = None) -> HTML:
    """A chapter's claims, from ``metrics.claims``, as a table: what is claimed, the verdict, the numbers, what decides.

    A row whose id is not in the registry, as in an exercise, is shown by its id.
    """
    known = {c.id: c for artefact in load_artefacts(root or repository()) for c in artefact.claims}
    rows = [
        (known[name].says if name in known else name, row["verdict"], numbers(row), row["compared"])
        for name, row in tested.set_index("claim").to_dict("index").items()
    ]
    return html_page(table(("claim", "holds", "difference [95 %]", "compared"), rows), "claims")
