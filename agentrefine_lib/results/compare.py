"""Runs side by side: ``python -m agentrefine_lib.results.compare runs/x runs/y``, or one run and the committed figures.

Parameters that differ, the tables of figures, and paired tests where both played the same tasks.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import pandas as pd

from agentrefine_lib.metrics import episode_table, grid
from agentrefine_lib.metrics.paired import difference
from agentrefine_lib.metrics.verdicts import judged
from agentrefine_lib.results.artefacts import load_artefacts
from agentrefine_lib.results.claims import numbers
from agentrefine_lib.results.pages import KEYS, score
from agentrefine_lib.runner import repository
from agentrefine_lib.schema import atomic_write_text
from agentrefine_lib.viewers.page import document, table

ABOUT = ("profile", "commit", "dirty", "python", "processor", "engines", "packages")  # of a manifest
ROWS = 40
NO_KEY = {"source", "family", "held_in", "value", "low", "high", "k", "n", "seeds"}


class Run(NamedTuple):
    """A run: what it is called here, its folder of figures, its manifest, and a row for each of its episodes."""

    name: str
    figures: Path
    manifest: dict[str, Any]
    episodes: pd.DataFrame


class Part(NamedTuple):
    """A table of the comparison; ``said``: what stands in its place or below it."""

    title: str
    rows: pd.DataFrame
    said: str = ""


def read_run(folder: Path, name: str, root: Path) -> Run:
    """A run by its run folder or its folder of figures. Raises ValueError where there is none, or none that ended."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    for figures in (folder, folder / "figures", root / "figures"):
        if (figures / "manifest.json").is_file():
            try:
                manifest = json.loads((figures / "manifest.json").read_text(encoding="utf-8"))
                done = [record for record in manifest["notebooks"].values() if record]
                outputs = {path: digest for record in done for path, digest in record["outputs"].items()}
                made = {root / record["parameters"]["given"].get("run_dir", "") for record in done}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(f"{figures / 'manifest.json'}: not the manifest of a run: {error!r}") from None
            if figures.is_relative_to(folder) or folder in made:
                return Run(name, figures, manifest, episodes_of(outputs, root))
    raise ValueError(f"{folder}: no run: it has no manifest.json, which stands beside the figures of a run that ended")


def episodes_of(outputs: dict[str, str], root: Path) -> pd.DataFrame:
    """The episodes of chapter 4, of those files that are still as the run left them."""
    paths = [
        root / name
        for name, digest in outputs.items()
        if Path(name).match("episodes/*.jsonl") and (root / name).is_file()
        if sha256((root / name).read_bytes()).hexdigest() == digest
    ]
    if not paths:
        return pd.DataFrame(columns=["method", "seed", "task", "success", "progress"])
    names = [re.fullmatch(r"(.*?)(?:-(\d+))?", path.stem) for path in paths]
    rows = [(found[0], found[1], int(found[2] or 0)) for found in names if found]
    return episode_table(paths, pd.DataFrame(rows, columns=["policy", "method", "seed"]))


def compare_runs(runs: Sequence[Run], root: Path) -> list[Part]:
    """Everything that there is to say of two runs or more; the tests are of each against the first."""
    parts = [parameters(runs), *side_by_side(runs, root), *(paired(runs[0], run) for run in runs[1:])]
    return [part for part in parts if len(part.rows) or part.said]


def parameters(runs: Sequence[Run]) -> Part:
    """A row for each parameter, version and the like that is not the same in all runs."""
    told = []
    for run in runs:
        records = [record["parameters"] for record in run.manifest["notebooks"].values() if record]
        values = {name: value for how in ("defaulted", "given") for r in records for name, value in r[how].items()}
        about = {key: run.manifest.get(key) for key in ABOUT}
        told.append(dict(leaves({k: v for k, v in (values | about).items() if k not in ("run_dir", "figures_dir")})))
    names = dict.fromkeys(name for one in told for name in one)
    rows = [[name, *(one.get(name, "–") for one in told)] for name in names]
    other = [row for row in rows if len(set(row[1:])) > 1]
    columns = ["", *(run.name for run in runs)]
    return Part("What differs", pd.DataFrame(other, columns=columns), "" if other else "nothing")


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested mappings as flat ones, ``panel.babyai.OpenRedDoor``, with values as JSON."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, f"{name}.{key}" if name else str(key))
    else:
        yield name, json.dumps(value, ensure_ascii=False)


def side_by_side(runs: Sequence[Run], root: Path) -> Iterator[Part]:
    """For each table of values that more than one run has, the rows that are not the same in all."""
    for artefact in load_artefacts(root):
        paths = {run.name: run.figures / f"{artefact.id}.csv" for run in runs}
        tables = {name: pd.read_csv(path) for name, path in paths.items() if path.exists()}
        there = {name: table for name, table in tables.items() if "value" in table}
        if len(there) > 1:
            keys = [name for name in dict.fromkeys([*artefact.columns, *KEYS]) if name not in NO_KEY]
            keys = [name for name in keys if all(name in table for table in there.values())]
            both = pd.concat([scores(table, keys).rename(name) for name, table in there.items()], axis=1).fillna("–")
            other = both[both.nunique(axis=1) > 1].reset_index()
            same = f"{len(both) - len(other)} rows are the same" if len(other) < len(both) else ""
            yield Part(f"{artefact.id}: {artefact.title}", other, same)


def scores(table: pd.DataFrame, keys: list[str]) -> pd.Series:
    """Our values as text, by who or what they are of."""
    ours = table[table["source"] != "paper"] if "source" in table else table
    text = [score(row) for row in ours.to_dict("records")]
    return ours[keys].fillna("").astype(str).assign(text=text).drop_duplicates(keys).set_index(keys)["text"]


def paired(first: Run, other: Run) -> Part:
    """A row per method and metric: is the other run above the first on the tasks that both played?"""
    rows = []
    for method in [name for name in other.episodes["method"].unique() if name in set(first.episodes["method"])]:
        for metric in ("success", "progress"):
            ours, theirs = (grid(run.episodes, method, metric) for run in (other, first))
            found = judged(difference(ours, theirs, metric))
            if found["n"]:
                rows.append((method, metric, found["verdict"], numbers(found)))
    title, columns = f"Is {other.name} above {first.name}, task by task?", ["method", "metric", "verdict", "numbers"]
    return Part(title, pd.DataFrame(rows, columns=columns), "" if rows else "no episodes of the same tasks are there")


def as_text(parts: Sequence[Part]) -> str:
    """For a terminal: at most ROWS rows of a part, and long values cut, as nowhere on the page."""
    told = []
    for title, rows, said in parts:
        shown = rows.head(ROWS).map(lambda value: shorten(str(value), 80, placeholder=" …"))
        more = f"{len(rows) - ROWS} more rows on the page" if len(rows) > ROWS else ""
        told.append("\n".join(filter(None, [title, shown.to_string(index=False) if len(rows) else "", more, said])))
    return "\n\n".join(told)


def write_page(parts: Sequence[Part], path: Path) -> None:
    """The same as a page of its own."""
    tables = [table([str(name) for name in rows], rows.itertuples(index=False)) for _, rows, _ in parts]
    told = [f"<h2>{escape(p.title)}</h2>{body}<p>{p.said}</p>" for p, body in zip(parts, tables, strict=True)]
    atomic_write_text(path, document(f"<h1>Runs compared</h1>{''.join(told)}", "Runs compared"))


def report(folders: Sequence[Path], root: Path, page: Path) -> str:
    """Compare, write the page, and return the text. Raises ValueError for what is no run."""
    places = list(dict.fromkeys(root / folder for folder in folders))
    if len(places) < 2:
        raise ValueError(f"found {', '.join(map(str, folders))}, expected two runs that are not the same")
    above = os.path.commonpath([place.parent for place in places])
    parts = compare_runs([read_run(place, os.path.relpath(place, above), root) for place in places], root)
    write_page(parts, page)
    return f"{as_text(parts)}\n\npage: {page}"


def main() -> None:
    """Print the comparison; what is wrong goes to stderr, with exit code 2."""
    parser = argparse.ArgumentParser(prog="compare", description="Two runs or more, side by side.")
    parser.add_argument("runs", nargs="+", type=Path, help="run folders, or folders of figures; each against the first")
    parser.add_argument("--root", type=Path, default=repository(), help="the repository (default: %(default)s)")
    parser.add_argument("--page", type=Path, help="where the page goes (default: runs/compared.html)")
    asked = parser.parse_args()
    try:
        print(report(asked.runs, asked.root, asked.page or asked.root / "runs" / "compared.html"))
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
