"""The paper's numbers, from ``params/reported.csv``, as rows to stand beside ours."""

from collections.abc import Mapping

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
