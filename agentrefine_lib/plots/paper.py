"""The paper's numbers, from ``params/reported.csv``, as rows to stand beside ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

OURS, PAPER = "this run", "paper"


def paper_rows(reported: pd.DataFrame, artefact: str) -> pd.DataFrame:
    """What the paper reports for an artefact: ``source`` says so, ``citation`` where it stands.

    A metric such as "success / P1" is the success under a perturbation: the column ``perturbation`` says which.
    """
    rows = reported[reported["artefact"] == artefact].drop(columns=["artefact", "confidence"])
    rows = rows.assign(citation=rows["source"], source=PAPER)
    if len(rows) and rows["metric"].str.contains(" / ").all():
        rows[["metric", "perturbation"]] = rows["metric"].str.split(" / ", n=1, expand=True)
    return rows


def table_1_means(reported: pd.DataFrame, sizes: Mapping[str, float], engine: str) -> pd.DataFrame:
    """The paper's table 1 averaged over the engines of ``sizes``, with these weights: rows of the engine ``engine``.

    A row per family, method and metric that has a value for each of them, in the columns of ``reported``.
    """
    rows = reported[(reported["artefact"] == "tab1_main") & reported["engine"].isin(list(sizes))]
    keys = ["family", "method", "metric"]
    values = rows.pivot_table(index=keys, columns="engine", values="value", sort=False).dropna()
    weights = pd.Series(dict(sizes), dtype=float)
    means = (values[weights.index] @ weights / weights.sum()).rename("value").reset_index()
    told = {"artefact": engine, "engine": engine, "confidence": "first-hand", "source": "computed from its table 1"}
    return means.assign(**told)


def agreement_table(ours: Mapping[str, Any], judge: str, reported: pd.DataFrame) -> pd.DataFrame:
    """fig_judge: the agreement of this run's judge (``verify.judge.Agreement`` as a mapping) in percent, that of the
    paper's people with GPT-4's labels, and then their labels."""
    paper = paper_rows(reported, "fig_judge").rename(columns={"metric": "labels", "value": "turns"})
    alike = paper["labels"].str.contains(r"GPT-4 (?:right, human right|wrong, human wrong)")
    percent = 100 * paper.loc[alike, "turns"].sum() / paper["turns"].sum()
    ends = {"value": "", "low": "_low", "high": "_high"}
    own = {"source": OURS, "judge": judge, **ours} | {k: 100 * ours[f"agreement{end}"] for k, end in ends.items()}
    told = {"source": PAPER, "judge": "people, of GPT-4's (paper)", "value": percent}
    told |= {"turns": paper["turns"].sum(), "citation": f"computed from {paper['citation'].iloc[0]}"}
    table = pd.concat([pd.DataFrame([own, told]), paper.assign(judge="people")], ignore_index=True)
    return table.reindex(columns=[*own, "labels", "citation"])


def datasets_table(rows: Sequence[tuple[str, int, int, float]], reported: pd.DataFrame) -> pd.DataFrame:
    """tab_datasets: our training sets (method, trajectories, held-in environments, refinements per trajectory) beside
    the paper's, whose environments are the stars of its table 1."""
    names = ["method", "trajectories", "held-in environments", "refinements per trajectory"]
    ours = pd.DataFrame(rows, columns=names).melt("method", var_name="metric").assign(source=OURS)
    paper = paper_rows(reported, "tab_datasets")
    starred = reported.query("artefact == 'tab1_main' and held_in").groupby("method")["engine"].nunique()
    counted = starred.reindex(paper["method"].unique(), fill_value=0).rename("value").reset_index()
    stars = counted.assign(metric=names[2], source=PAPER, citation="stars of its table 1")
    return pd.concat([ours, paper, stars])[["source", "method", "metric", "value", "citation"]]
