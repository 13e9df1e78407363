"""The results page: every artefact of the registry, ours beside the paper's, and what became of each claim.

``figures/index.html`` needs nothing but itself: no script, no font, and its pictures are in it. ``figures/README.md``
says the same where Markdown is read. Both are made from the CSVs, the registry and the manifest, and from nothing else.
"""

import argparse
import base64
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from agentrefine_lib.dataset.card import templates
from agentrefine_lib.metrics.verdicts import VERDICTS, YES
from agentrefine_lib.results.artefacts import Artefact, alt_text, load_artefacts, read_claims, read_table
from agentrefine_lib.results.claims import UNTESTED, told_claims
from agentrefine_lib.results.power import read_power
from agentrefine_lib.runner import repository
from agentrefine_lib.runner.manifest import played_before, wall_seconds
from agentrefine_lib.schema import atomic_write_text

ROWS = 60  # of a CSV that are shown
# who, and under what
KEYS = ("family", "teacher", "method", "of", "perturbation", "conversations", "best_of", "measure")
PAGES = ("index.html", "README.md")


def write_pages(figures: Path, root: Path) -> list[Path]:
    """Write both pages into a folder of figures; nothing where the repository has no registry. Returns their paths.

    Raises ValueError for a registry that is wrong, or a CSV that does not keep what it promises.
    """
    artefacts = load_artefacts(root)
    if not artefacts:
        return []
    told = _told(figures, artefacts, root)
    jinja = templates("agentrefine_lib.results", autoescape=lambda name: bool(name and "html" in name))
    paths = [figures / name for name in PAGES]
    for path in paths:
        atomic_write_text(path, jinja.get_template(f"{path.name}.jinja").render(told))
    return paths


def _told(figures: Path, artefacts: list[Artefact], root: Path) -> dict[str, Any]:
    """Everything that the templates say."""
    manifest = json.loads((figures / "manifest.json").read_text(encoding="utf-8"))
    claims = sorted(told_claims(artefacts, read_claims(figures)), key=lambda claim: claim["verdict"] == UNTESTED)
    planned = read_power(root, manifest["profile"])
    for claim in claims:
        claim["planned"] = planned.get(claim["id"], "")
        claim["tried"] *= claim["verdict"] != YES  # said where it did not help
    entries = [_entry(artefact, figures, manifest, root) for artefact in artefacts]
    verdicts = Counter(claim["verdict"] for claim in claims)
    done = [record for record in manifest["notebooks"].values() if record]
    return {
        "manifest": manifest,
        "entries": entries,
        "claims": claims,
        "verdicts": {word: verdicts[word] for word in (*VERDICTS, UNTESTED)},
        "made": sum(entry["there"] for entry in entries),
        "played_before": played_before(manifest),
        "minutes": wall_seconds(done) / 60,
        "notebooks": f"{len(done)} of {len(manifest['notebooks'])}",
        "errata": (figures / "errata.html").exists(),
    }


def _entry(artefact: Artefact, folder: Path, manifest: dict[str, Any], root: Path) -> dict[str, Any]:
    """One artefact: its tables as lists of rows of text, its picture, where it comes from and what code defines it."""
    table, picture = read_table(artefact, folder), folder / f"{artefact.id}.png"
    ours, paper = split(table) if table is not None else (None, None)
    return artefact.model_dump(exclude={"claims"}) | {
        "there": table is not None,
        "ours": as_text(ours),
        "paper": as_text(paper),
        "sources": [] if paper is None else list(dict.fromkeys(paper["citation"].dropna())),
        "alt": alt_text(picture, artefact.title) if picture.exists() else "",
        "picture": base64.b64encode(picture.read_bytes()).decode() if picture.exists() else "",
        "run": manifest["notebooks"].get(artefact.notebook),
        "number": artefact.paper,
        "code": ", ".join(f"{path}:{line} {name}" for name, path, line in artefact.places(root)),
    }


def split(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Our rows and the paper's; the columns that say nothing are left out of each."""
    if "source" not in table:
        return table, None
    ours, paper = table[table["source"] != "paper"], table[table["source"] == "paper"]
    shown = [part.drop(columns="source").dropna(axis=1, how="all") for part in (ours, paper)]
    return shown[0], shown[1] if len(paper) else None


def as_text(table: pd.DataFrame | None) -> dict[str, Any]:
    """Header and rows as text, at most ROWS of them, and how many rows are left out.

    Scores of methods become one row per method and a column per engine and metric: value [interval] (k/n, or n).
    """
    if table is None:
        return {"head": [], "rows": [], "left_out": 0}
    if {"method", "metric", "value"} <= set(table):
        table = wide(table)
    rows = [[_number(value) for value in row] for row in table.head(ROWS).itertuples(index=False)]
    return {"head": list(table), "rows": rows, "left_out": max(0, len(table) - ROWS)}


def wide(scores: pd.DataFrame) -> pd.DataFrame:
    """Rows of scores side by side: the columns of KEYS that there are, then one for each engine and metric."""
    keys = [name for name in KEYS if name in scores]
    column = scores["engine"].fillna("") + " " + scores["metric"] if "engine" in scores else scores["metric"]
    told = scores[keys].fillna("").assign(score=[score(row) for row in scores.to_dict("records")], column=column)
    told = told.pivot_table(index=keys, columns="column", values="score", aggfunc="first", sort=False)
    return told.reset_index().rename_axis(columns=None)


def score(row: dict[Any, Any]) -> str:
    """One cell; ``*`` marks a method that was trained on the engine."""
    if pd.isna(row["value"]):
        return "not run here"
    star = "*" if row.get("held_in") is True else ""
    interval = f" [{_number(row['low'])},\u00a0{_number(row['high'])}]" if pd.notna(row.get("low")) else ""
    wins = f"{row['k']:.0f}/" if pd.notna(row.get("k")) else "n\u00a0=\u00a0"
    seeds = f", {row['seeds']:.0f} seeds" if pd.notna(row.get("seeds")) and row["seeds"] > 1 else ""
    size = f" ({wins}{row['n']:.0f}{seeds})" if pd.notna(row.get("n")) else ""
    return f"{_number(row['value'])}{star}{interval}{size}"


def _number(value: Any) -> str:
    if pd.isna(value):
        return "–"
    if isinstance(value, float):
        return f"{value:.0f}" if value == int(value) else f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"
    return str(value)


def main() -> None:
    """Write the pages of a folder of figures; what is wrong with it goes to stderr."""
    parser = argparse.ArgumentParser(prog="pages", description="The results page of a folder of figures.")
    parser.add_argument("figures", type=Path, help="a folder with CSVs and manifest.json")
    parser.add_argument("--root", type=Path, default=repository(), help="the repository (default: %(default)s)")
    asked = parser.parse_args()
    try:
        for page in write_pages(asked.figures, asked.root):
            print(f"results: {os.path.relpath(page)}")
    except (OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
