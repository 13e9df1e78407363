"""Tables of scores: ours beside the paper's, which never mix."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from agentrefine_lib.dataset import GENERAL
from agentrefine_lib.environments import titles
from agentrefine_lib.plots.paper import OURS, PAPER, paper_rows

TABLE_1 = ("success", "progress", "grounding")
NO_LABELS = "no labels"  # where nobody has labelled a turn


def main_table(
    summary: pd.DataFrame, reported: pd.DataFrame, labels: dict[str, str], model: str, held_in: dict[str, list[str]]
) -> pd.DataFrame:
    """tab1_main: our rows and the paper's, in percent, for the engines that were played, in the paper's order.

    ``summary`` is of ``metrics.summarise``; ``labels`` names each method, in the order to be shown; ``held_in`` lists
    the engines that a method was trained on. Our rows have low, high, k, n and seeds; the paper gives none. ``source``
    keeps the two apart.
    """
    scores = summary[summary["metric"].isin(TABLE_1)]
    reported = reported[reported["engine"].isin(summary["engine"])]
    table = beside_paper(scores, reported, "tab1_main", labels, model=model, held_in=held_in)
    columns = ["source", "family", "method", "held_in", "engine", "metric", "value", "low", "high", "k", "n", "seeds"]
    return table.reindex(columns=[*columns, "citation"])


def beside_paper(
    scores: pd.DataFrame,
    reported: pd.DataFrame,
    artefact: str,
    labels: Mapping[str, str],
    *,
    model: str,
    held_in: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """Our scores in percent, methods and engines in their order, and the rows that the paper reports for an artefact.

    ``source`` keeps the two apart. ``reported`` is params/reported.csv. Columns that only one of the two has are empty
    in the other.
    """
    order = dict.fromkeys([*labels, "all", *titles(scores.get("engine", ()))])
    rank = {name: number for number, name in enumerate(order)}
    keys = [name for name in ("method", "engine") if name in scores]
    ours = scores.sort_values(keys, key=lambda names: names.map(rank), kind="stable")
    names = ours["method"].str.removesuffix(GENERAL)  # what is mixed in takes nothing away
    trained = [engine in held_in.get(m, []) for m, engine in zip(names, ours["engine"], strict=True)]
    ours = ours.assign(source=OURS, family=model, method=ours["method"].map(labels), held_in=trained)
    ours[["value", "low", "high"]] = ours[["value", "low", "high"]].astype(float) * 100
    return pd.concat([ours, paper_rows(reported, artefact)], ignore_index=True)


def with_absent(scores: pd.DataFrame, methods: Iterable[str]) -> pd.DataFrame:
    """``scores``, and rows without a value for those of ``methods`` that it has none of: they were not run here."""
    keys = scores[[name for name in ("engine", "metric", "perturbation") if name in scores]].drop_duplicates()
    absent = [keys.assign(method=method) for method in methods if method not in set(scores["method"])]
    return pd.concat([scores, *absent], ignore_index=True)


def side_by_side(table: pd.DataFrame, metric: str = "progress") -> pd.DataFrame:
    """One metric of a table of scores to read: a row per method, a column per engine, a dash for no value.

    Metrics that begin alike, ``progress_mean10`` and ``progress_std10``, have rows of their own.
    """
    part = table[table["metric"].str.startswith(metric)]
    rows = [name for name in ("source", "family", "teacher", "method", "perturbation") if name in table]
    rows += ["metric"] if part["metric"].nunique() > 1 else []
    part = part.fillna(dict.fromkeys(rows, ""))
    wide = part.groupby([*rows, "engine"], sort=False, dropna=False)["value"].mean().unstack(sort=False)
    names = titles(wide.columns)
    named = wide[list(names)].rename(columns=names).rename_axis(columns=f"{metric} (%)")
    return named.round(1).astype(object).fillna("–")


def scaling_table(scores: pd.DataFrame, reported: pd.DataFrame, **style: Any) -> pd.DataFrame:
    """fig5_scaling: ``metrics.by_size`` beside the paper's rows, whose methods are sizes such as "32k"."""
    table = beside_paper(scores, reported, "fig5_scaling", **style)
    thousands = table["method"].where(table["source"] == PAPER).str.removesuffix("k").astype(float)
    return table.assign(conversations=table["conversations"].fillna(1000 * thousands))


def agreement_table(
    ours: Mapping[str, Any], judge: str, reported: pd.DataFrame, people: Mapping[str, int]
) -> pd.DataFrame:
    """fig_judge: the agreement of this run's judge (``verify.judge.Agreement`` as a mapping) in percent, that of the
    paper's people with GPT-4's labels, and then people's labels: this run's (``people``, of ``judge.two_by_two``;
    without them "no labels") and the paper's."""
    paper = paper_rows(reported, "fig_judge").rename(columns={"metric": "labels", "value": "turns"})
    alike = paper["labels"].str.contains(r"GPT-4 (?:right, human right|wrong, human wrong)")
    percent = 100 * paper.loc[alike, "turns"].sum() / paper["turns"].sum()
    ends = {"value": "", "low": "_low", "high": "_high"}
    own = {"source": OURS, "judge": judge, **ours} | {k: 100 * ours[f"agreement{end}"] for k, end in ends.items()}
    told = {"source": PAPER, "judge": "people (paper)", "value": percent}
    told |= {"turns": paper["turns"].sum(), "citation": f"computed from {paper['citation'].iloc[0]}"}
    counted = pd.DataFrame(
        [{"labels": name, "turns": turns} for name, turns in people.items()] or [{"labels": NO_LABELS}]
    )
    labelled = [counted.assign(source=OURS, judge="a person"), paper.assign(judge="people")]
    table = pd.concat([pd.DataFrame([own, told]), *labelled], ignore_index=True)
    return table.reindex(columns=[*own, "labels", "citation"])


def label_table(table: pd.DataFrame) -> pd.DataFrame:
    """The labels of ``agreement_table`` as in figure 10: a row for a verdict of the teacher, a column for people's."""
    named = table.dropna(subset="labels")
    sides = named["labels"].str.split(", ", expand=True).reindex(columns=[0, 1]).fillna("")
    named = named.assign(teacher=sides[0], person=sides[1])
    rows = pd.MultiIndex.from_frame(named[["source", "teacher"]].drop_duplicates())
    wide = named.set_index(["source", "teacher", "person"])["turns"].unstack("person").reindex(rows)
    return wide.drop(columns="", errors="ignore").astype("Int64").astype(object).fillna("–")


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
