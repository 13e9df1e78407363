"""The README's results table, made from ``figures/tab1_main.csv``: ``python -m agentrefine_lib.results.readme``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from agentrefine_lib.runner.workspace import repository

BEGIN, END = "<!-- results: made by make reproduce, do not edit -->", "<!-- end of results -->"


def results_table(table: pd.DataFrame) -> str:
    """Markdown: success and progress per engine, this run's rows with their intervals, then the paper's."""
    engines = list(dict.fromkeys(table["engine"]))
    head = "".join(f" {engine} success % | {engine} progress % |" for engine in engines)
    lines = [f"| who | model | method |{head}", "|---|---|---|" + "---|---|" * len(engines)]
    for (source, family, method), part in table.groupby(["source", "family", "method"], sort=False):
        cells = [_cell(part, engine, metric) for engine in engines for metric in ("success", "progress")]
        lines.append(" | ".join([f"| {source}", str(family), str(method), *cells]) + " |")
    return "\n".join(lines)


def _cell(part: pd.DataFrame, engine: str, metric: str) -> str:
    found = part[(part["engine"] == engine) & (part["metric"] == metric)]
    if found.empty:
        return "–"
    row = found.iloc[0]
    interval = f" [{row['low']:.1f}, {row['high']:.1f}]" if pd.notna(row["low"]) else ""
    counts = f" ({row['k']:.0f}/{row['n']:.0f})" if pd.notna(row["k"]) else ""
    star = r"\*" if row["held_in"] else ""
    return f"{row['value']:.1f}{star}{counts}{interval}"


def fill_in(readme: Path, table: pd.DataFrame) -> None:
    """Replace what stands between the two marks. Raises ValueError where they are missing."""
    text = readme.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"{readme}: the marks {BEGIN} and {END} are missing")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{results_table(table)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    fill_in(repository() / "README.md", pd.read_csv(repository() / "figures" / "tab1_main.csv"))
