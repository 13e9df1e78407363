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
from agentrefine_lib.plots.findings import compared, count, leads
from agentrefine_lib.plots.looks import AGENTREFINE, BLUE, INK, METHOD_NAMES, panels, sheet, tell
from agentrefine_lib.plots.marks import bars, curves, name_rows
from agentrefine_lib.plots.paper import OURS, PAPER

READING = (
    "{} (%); lines: 95 % intervals, none where all tasks scored alike. Hatched, *: trained on this engine; "
    "hollow: the paper's, {}."
)


def overall(table: pd.DataFrame, family: str, listed: int = 0) -> tuple[Figure, pd.DataFrame]:
    """fig1_overall: progress per method, a panel per engine; this run above, one model family of the paper below.

    ``listed``: the valid actions that this run's prompts list at most. Returns the figure and the rows of ``table``
    that it shows.
    """
    shown = table[(table["metric"] == "progress") & ((table["source"] == OURS) | (table["family"] == family))]
    ours = shown[shown["source"] == OURS]
    sizes = (ours["n"] / ours.get("seeds", 1)).groupby(ours["engine"]).max()
    names = {name: f"{title}\nn = {sizes.get(name, 0):.0f}" for name, title in titles(shown["engine"]).items()}
    told = f", which reads a list of at most {listed} valid actions" if listed else ""
    reading = READING.format(f"Progress of {', '.join(ours['family'].unique())}{told}", family)
    return tell(_scores(shown, "engine", names, columns=4), leads(ours, "progress"), reading), shown


def question_answering(table: pd.DataFrame) -> Figure:
    """tab6_hotpotqa, drawn: a panel per score; this run above, the paper below."""
    names = {metric: f"{metric} (%)" for metric in table["metric"].unique()}
    last = table[(table["metric"] == "F1") & (table["source"] == OURS)]
    reading = READING.format("Exact match (EM) and F1 on HotpotQA", "LLaMA-3-8B")
    return tell(_scores(table, "metric", names, columns=2), compared(last, "F1"), reading)


def general_data(table: pd.DataFrame) -> Figure:
    """fig11_general_data: success and progress with and without general data; the paper's, read off bars, below."""
    ours = table[(table["metric"] == "success") & (table["source"] == OURS)]
    reading = "Held-out engines, weighted as in the paper (%); lines: 95 % intervals; –: not run here. "
    reading += "Hollow: the paper's LLaMA-3-8B, read off bars."
    finding = compared(ours, "success on held-out engines")
    return tell(_scores(table, "metric", {m: f"{m} (%)" for m in table["metric"].unique()}, 2), finding, reading)


def general_ability(table: pd.DataFrame) -> Figure:
    """fig12_mtbench: instructions followed, in percent, and MT-bench's grades from 1 to 10, a panel each."""
    grades = {name: f"{name} (1 to 10)" if name == "MT-bench" else f"{name} (%)" for name in table["metric"].unique()}
    figure = _scores(table, "metric", grades, columns=2, sharex=False)
    for ax in figure.axes:
        if "10)" in ax.get_title():
            ax.set(xlim=(0, 14.6), xticks=(0, 5, 10))
    ours = table[(table["source"] == OURS) & (table["metric"] != "MT-bench")].dropna(subset="value")
    told = ", ".join(f"{row.method} {row.value:.1f} %" for row in ours.itertuples())
    size = f" (n = {(ours['n'] / ours.get('seeds', 1)).max():.0f})" if len(ours) else ""
    reading = "Filled: this run, lines: 95 % intervals; hollow: the paper's LLaMA-3-8B; –: not run, or not reported."
    return tell(figure, f"Instructions followed: {told or 'not measured here'}{size}", reading)


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

    The scripted expert, which is far above all models, is told of in the caption.
    """
    rungs, counts = list(table["rung"].unique()), table.groupby("rung")["n"].min()
    shown = pd.concat([table[table["method"] == method] for method in labels] or [table])
    shown = shown.assign(method=shown["method"].map(labels), place=shown["rung"].map(rungs.index))
    shown = shown.assign(**(100 * shown[["value", "low", "high"]])).sort_values("place", kind="stable")
    ceiling = shown.loc[shown["method"] == METHOD_NAMES["expert"], "value"]
    shown = shown[shown["method"] != METHOD_NAMES["expert"]]
    ours = shown[(shown["method"] == AGENTREFINE) & shown["value"].notna()]
    top = min(100.0, np.ceil(1.1 * np.nanmax([10, *shown["value"], *ours["high"]]) / 10) * 10)
    figure, ax = sheet(4.2)
    ax.set(ylim=(-0.03 * top, 1.03 * top), ylabel="progress (%)")
    ax.set_xticks(range(len(rungs)), [f"{fill(rung, 12)}\nn = {counts[rung]}" for rung in rungs], fontsize=7.5)
    curves(ax, shown, "place", "value", "method", height=2.8)
    said = [f"{row.value:.1f} % on {row.rung}" for row in ours.itertuples()]
    reading = "From left to right, tasks move away from training; engines weigh the same. "
    reading += "Neither: no example, no list. Band: 95 % interval."
    reading += f" The scripted expert: {ceiling.min():.0f} to {ceiling.max():.0f} %." if len(ceiling) else ""
    return tell(figure, f"AgentRefine's progress: {'; '.join(said[:1] + said[1:][-1:]) or 'none'}", reading)


def outcomes(episodes: pd.DataFrame, labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """fig_outcomes: a cell per task and method, dark with progress; a dot where all seeds won, a ring where some."""
    shown = episodes.groupby(["method", "engine", "task"], as_index=False, sort=False)[["success", "progress"]].mean()
    shown["method"] = shown["method"].map(labels).astype("category").cat.set_categories([*labels.values()])
    engines, sizes = titles(shown["engine"]), shown.groupby("engine")["task"].nunique()
    widths = {"width_ratios": [max(2, sizes[engine]) for engine in engines]} if engines else {}
    figure, axes = panels(dict.fromkeys(engines, ""), 0.7 + 0.24 * len(labels), len(engines), sharey=True, **widths)
    for engine, ax in axes.items():
        _outcome_grid(ax, shown[shown["engine"] == engine], list(labels.values()))
        ax.set_title(engines[engine], fontsize=8.5, loc="left", rotation=35 if len(engines) > 2 else 0)
    bar = figure.colorbar(plt.cm.ScalarMappable(cmap="Greys"), ax=figure.axes, fraction=0.025, pad=0.01)
    bar.set_label("progress", fontsize=8)
    won = shown.groupby("method", observed=True)["success"].sum()
    others = won[won.gt(0) & ~won.index.str.startswith(AGENTREFINE)]
    best = others.sort_values(ascending=False, kind="stable").head(3)
    ours = won[won.index == AGENTREFINE] if AGENTREFINE in won.index else won[won.index.str.startswith(AGENTREFINE)]
    told = pd.concat([ours, best]).items()
    tasks, said = count(shown["task"].nunique(), "task"), ", ".join(f"{wins:g} by {name}" for name, wins in told)
    reading = "A cell per task, from white (no progress) to dark (AgentRefine's in blue); ×: unknown. Dot: every seed "
    reading += "won, ring: some."
    return tell(figure, f"Won of {tasks}: {said}" if won.any() else f"Nobody won any of {tasks}", reading), shown


def _outcome_grid(ax: Axes, part: pd.DataFrame, labels: list[str]) -> None:
    """AgentRefine's row in shades of blue, all others in shades of grey."""
    wide: Any = {"index": "method", "columns": "task", "observed": False, "dropna": False}
    grid, won = (part.pivot_table(values=name, **wide).reindex(labels) for name in ("progress", "success"))
    ours = np.broadcast_to(grid.index.str.startswith(AGENTREFINE)[:, None], grid.shape)
    look: Any = {"vmin": 0, "vmax": 1, "cbar": False, "linewidths": 0.4, "linecolor": "0.85", "xticklabels": False}
    for hidden, cmap in ((ours, "Greys"), (~ours, sns.blend_palette(["white", BLUE, "#00263D"], as_cmap=True))):
        sns.heatmap(grid, ax=ax, mask=grid.isna() | hidden, cmap=cmap, **look)
    for row, column in np.argwhere((grid.isna() | won.gt(0)).to_numpy()):
        reached, share = grid.to_numpy()[row, column], won.to_numpy()[row, column]
        mark = "×" if pd.isna(reached) else "•" if share == 1 else "◦"
        paint = "white" if reached > 0.5 else INK
        ax.text(column + 0.5, row + 0.5, mark, ha="center", va="center", color=paint, fontsize=8)
    name_rows(ax, labels, first=0.5)
    ax.set(xlabel="", ylabel="")
