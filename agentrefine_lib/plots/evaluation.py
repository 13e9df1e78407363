"""How policies did: progress and answers beside the paper's, the ladder, every episode at a glance."""

from textwrap import fill
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from agentrefine_lib.environments import titles
from agentrefine_lib.plots.findings import changed, compared, count, leads, tasks_of
from agentrefine_lib.plots.looks import AGENTREFINE, INK, METHOD_NAMES, SIZES, named, panels, sheet, tell
from agentrefine_lib.plots.marks import bars, curves, name_rows
from agentrefine_lib.plots.paper import OURS, PAPER

READING = "{} (%); lines: 95 % intervals, for means none where all tasks scored alike. {}Hollow: the paper's, {}."
HATCHED = "Hatched, *: trained on this engine. "


def overall(table: pd.DataFrame, family: str, listed: int = 0) -> tuple[Figure, pd.DataFrame]:
    """fig1_overall: progress per method, a panel per engine; this run above, one model family of the paper below.

    ``listed``: the valid actions that this run's prompts list at most. Returns the figure and the rows of ``table``
    that it shows.
    """
    shown = table[(table["metric"] == "progress") & ((table["source"] == OURS) | (table["family"] == family))]
    ours = shown[shown["source"] == OURS]
    sizes = tasks_of(ours).groupby(ours["engine"]).max()
    names = {name: f"{title}\nn = {sizes.get(name, 0):.0f}" for name, title in titles(shown["engine"]).items()}
    told = f", which reads a list of at most {listed} valid actions" if listed else ""
    reading = READING.format(f"Progress in this run, {', '.join(ours['family'].unique())}{told}", HATCHED, family)
    return tell(_scores(shown, "engine", names, columns=4), leads(ours, "progress"), reading), shown


def question_answering(table: pd.DataFrame) -> Figure:
    """tab6_hotpotqa, drawn: a panel per score; this run above, the paper below."""
    names = {metric: f"{metric} (%)" for metric in table["metric"].unique()}
    last = table[(table["metric"] == "F1") & (table["source"] == OURS)]
    reading = READING.format(
        "Exact match (EM) and F1 on HotpotQA", HATCHED * bool(table["held_in"].eq(True).any()), "LLaMA-3-8B"
    )
    return tell(_scores(table, "metric", names, columns=2), compared(last, "F1"), reading)


def general_data(table: pd.DataFrame) -> Figure:
    """fig11_general_data: success and progress with and without general data; the paper's, read off bars, below."""
    reading = "Held-out engines, weighted as in the paper (%); lines: 95 % intervals, none where all tasks scored "
    reading += f"alike. {_absent(table)}Hollow: the paper's LLaMA-3-8B, read off bars."
    finding = _with_general(table[table["metric"] == "success"], "success on held-out engines")
    return tell(_scores(table, "metric", {m: f"{m} (%)" for m in table["metric"].unique()}, 2), finding, reading)


def general_ability(table: pd.DataFrame) -> Figure:
    """fig12_mtbench: instructions followed, in percent, and MT-bench's grades from 1 to 10, a panel each."""
    grades = {name: f"{name} (1 to 10)" if name == "MT-bench" else f"{name} (%)" for name in table["metric"].unique()}
    figure = _scores(table, "metric", grades, columns=2, sharex=False)
    for ax in figure.axes:
        if "10)" in ax.get_title():
            ax.set(xlim=(0, 14.6), xticks=(0, 5, 10))
    ours = table[(table["source"] == OURS) & (table["metric"] != "MT-bench")]
    sizes = tasks_of(ours).dropna()
    size = f", {count(int(sizes.max()), 'instruction')} each" if len(sizes) else ""
    reading = f"Filled: this run{size}; lines: 95 % intervals. {_absent(table)}Hollow: the paper's LLaMA-3-8B."
    return tell(figure, _with_general(ours, "share of instructions followed"), reading)


def _absent(table: pd.DataFrame) -> str:
    """What a dash means, where there is one."""
    return "–: not run, or not reported. " if table["value"].isna().any() else ""


def _with_general(scores: pd.DataFrame, what: str) -> str:
    """What becomes of AgentRefine's score when general data are mixed in."""
    rows = scores[scores["source"] == OURS].drop_duplicates("method").set_index("method")
    twins = rows.reindex([AGENTREFINE, METHOD_NAMES["agentrefine_general"]])
    without, mixed = (twins.iloc[place] for place in (0, 1))
    return changed(without, mixed, f"AgentRefine's {what}", "with general data mixed in")


def _scores(table: pd.DataFrame, by: str, names: dict[str, str], columns: int, sharex: bool = True) -> Figure:
    """Panels of bars, the same rows in each: this run's methods, then the paper's."""
    rows = table[["source", "method"]].drop_duplicates()
    rows = pd.concat([rows[rows["source"] == OURS], rows[rows["source"] == PAPER]])
    labels = [row["method"] + " (paper)" * (row["source"] == PAPER) for row in rows.to_dict("records")]
    figure, axes = panels(names, 0.45 + 0.17 * len(labels), columns, sharex=sharex, sharey=True)
    for key, ax in axes.items():
        part = table[table[by] == key]
        there = set(part["source"])  # the paper reports some engines in another table: no dashes for these
        part = rows.merge(part, how="left", on=["source", "method"])
        bars(ax, part.assign(source=part["source"].where(part["source"].isin(there))), labels)
    return figure


def ladder(table: pd.DataFrame, labels: dict[str, str]) -> Figure:
    """fig_ladder: a line per method over the rungs of ``metrics.ladder``; n of the smallest method.

    Methods that did not play every rung are thin grey lines without a name. The scripted expert, which is far above
    all models, is told of in the caption.
    """
    rungs, counts = list(table["rung"].unique()), table.groupby("rung")["n"].min()
    shown = named(table, labels).assign(place=table["rung"].map(rungs.index))
    shown = shown.assign(**(100 * shown[["value", "low", "high"]])).sort_values("place", kind="stable")
    ceiling = shown.loc[shown["method"] == METHOD_NAMES["expert"], "value"]
    shown = shown[shown["method"] != METHOD_NAMES["expert"]]
    played = shown.groupby("method", observed=True)["rung"].transform("nunique")
    others, shown = (shown[part] for part in (played < len(rungs), played == len(rungs)))
    ours = shown[(shown["method"] == AGENTREFINE) & shown["value"].notna()]
    top = min(100.0, np.ceil(1.1 * np.nanmax([10, *shown["value"], *ours["high"]]) / 10) * 10)
    figure, ax = sheet(4.2)
    ax.set(ylim=(-0.03 * top, 1.03 * top), ylabel="progress (%)")
    ax.set_xticks(range(len(rungs)), [f"{fill(rung, 12)}\nn = {counts[rung]}" for rung in rungs], fontsize=7.5)
    for _, part in others.groupby("method", observed=True):
        line = part.set_index("place")["value"].reindex(range(len(rungs)))
        ax.plot(line.index, line, color="0.75", linewidth=0.8, marker=".", markersize=4, zorder=1)
    curves(ax, shown, "place", "value", "method", height=2.8)
    said = [f"{row.value:.1f} % on {row.rung}" for row in ours.itertuples()]
    reading = "From left to right, tasks move away from AgentRefine's training; engines weigh the same. Neither: no "
    reading += "example, no list. Band: 95 % interval, none where all tasks scored alike. "
    reading += "Thin, grey: models that did not play every rung (in the CSV). " if len(others) else ""
    reading += f"The scripted expert: {ceiling.min():.0f} to {ceiling.max():.0f} %." if len(ceiling) else ""
    return tell(figure, f"AgentRefine's progress: {'; '.join(said[:1] + said[1:][-1:]) or 'none'}", reading)


def outcomes(episodes: pd.DataFrame, labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """fig_outcomes: a cell per task and method, dark with its mean progress; a dot for each of its models that won."""
    played = named(episodes, labels)
    cells = played.groupby(["method", "engine", "task"], as_index=False, sort=False, observed=True)
    shown = cells.agg(success=("success", "mean"), progress=("progress", "mean"), seeds=("success", "size"))
    engines, sizes = titles(shown["engine"]), shown.groupby("engine")["task"].nunique()
    widths = {"width_ratios": [max(2, sizes[engine]) for engine in engines]} if engines else {}
    figure, axes = panels(dict.fromkeys(engines, ""), 0.7 + 0.24 * len(labels), len(engines), sharey=True, **widths)
    for engine, ax in axes.items():
        _outcome_grid(ax, shown[shown["engine"] == engine], list(labels.values()))
        ax.set_title(engines[engine], fontsize=8.5, loc="left", rotation=35 if len(engines) > 2 else 0)
    bar = figure.colorbar(plt.cm.ScalarMappable(cmap="Greys"), ax=figure.axes, fraction=0.025, pad=0.01)
    bar.set_label("progress", fontsize=8)
    won = played.groupby(["method", "seed"], observed=True)["success"].sum().unstack()
    mean = won.mean(axis=1)
    others = mean[mean.gt(0) & ~mean.index.str.match(SIZES)].sort_values(ascending=False, kind="stable")
    ours = [AGENTREFINE] if AGENTREFINE in won.index else list(won.index[won.index.str.match(SIZES)])
    said = ", ".join(f"{_wins(won.loc[name].dropna())} by {name}" for name in [*ours, *others.index[:3]])
    seeds = shown.groupby("method", observed=True)["seeds"].max()
    several = ", ".join(f"{name} has {models}" for name, models in seeds[seeds > 1].items())
    reading = "A cell per task, from white (no progress) to dark (AgentRefine's in blue); ×: unknown. "
    reading += f"A dot for each model that won ({several})." if several else "Dot: won."
    tasks = count(shown["task"].nunique(), "task")
    return tell(figure, f"Won of {tasks}: {said}" if mean.any() else f"Nobody won any of {tasks}", reading), shown


def _wins(won: pd.Series) -> str:
    """The wins of one model, of two, or the fewest and the most of several."""
    least, most = f"{won.min():g}", f"{won.max():g}"
    return least if len(won) == 1 else f"{least} {'and' if len(won) == 2 else 'to'} {most}"


def _outcome_grid(ax: Axes, part: pd.DataFrame, labels: list[str]) -> None:
    """AgentRefine's row in shades of blue, all others in shades of grey, equally dark."""
    wide: Any = {"index": "method", "columns": "task", "observed": False, "dropna": False}
    part = part.assign(won=part["success"] * part["seeds"])
    grid, won = (part.pivot_table(values=name, **wide).reindex(labels) for name in ("progress", "won"))
    ours = np.broadcast_to(grid.index.str.startswith(AGENTREFINE)[:, None], grid.shape)
    look: Any = {"vmin": 0, "vmax": 1, "cbar": False, "linewidths": 0.4, "linecolor": "0.85", "xticklabels": False}
    for hidden, cmap in ((ours, "Greys"), (~ours, "Blues")):
        sns.heatmap(grid, ax=ax, mask=grid.isna() | hidden, cmap=cmap, **look)
    for row, column in np.argwhere(grid.isna().to_numpy()):
        ax.text(column + 0.5, row + 0.5, "×", ha="center", va="center", color=INK, fontsize=8)
    wins = np.ndenumerate(won.fillna(0).round().to_numpy(int))
    dots = [(x + 0.5, y + (n + 1) / (many + 1)) for (y, x), many in wins for n in range(many)]
    x, y = np.reshape(dots, (-1, 2)).T
    ax.scatter(x, y, s=8, color="white", edgecolor="0.1", linewidth=0.5, zorder=3)
    name_rows(ax, labels, first=0.5)
    ax.set(xlabel="", ylabel="")
