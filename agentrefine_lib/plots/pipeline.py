"""What data went through the pipeline: training curves, rejections, errors, and whether a judge agrees."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from agentrefine_lib.plots.bars import bars


def training_curves(logs: pd.DataFrame) -> Figure:
    """Loss per trained token against the optimiser step: a panel per kind of reply, a colour per model, lines per seed.

    ``logs`` has step, loss, loss_refinement, loss_ordinary, model and policy (one model with one seed).
    """
    kinds = {"loss": "all replies", "loss_refinement": "refinements", "loss_ordinary": "ordinary replies"}
    figure, axes = plt.subplots(1, len(kinds), figsize=(12, 3.6), sharey=True, layout="constrained")
    for ax, (column, title) in zip(axes, kinds.items(), strict=True):
        lines = {"hue": "model", "units": "policy", "estimator": None, "hue_order": list(dict.fromkeys(logs["model"]))}
        sns.lineplot(logs, x="step", y=column, ax=ax, legend=ax is axes[-1], linewidth=1.2, **lines)
        ax.set(title=title, xlabel="optimiser step", ylabel="loss (nats per trained token)", ylim=(0, None))
        ax.title.set_fontsize(10)
    sns.move_legend(axes[-1], "upper left", bbox_to_anchor=(1, 1), title="")
    return figure


def funnel(counts: pd.DataFrame) -> Figure:
    """How often each rule turned something back, and how many trajectories were accepted."""
    figure, ax = plt.subplots(figsize=(7, 0.6 + 0.4 * len(counts)), layout="constrained")
    sns.barplot(counts, x="count", y="outcome", hue="kind", dodge=False, ax=ax)
    for row, count in enumerate(counts["count"]):
        ax.text(count, row, f" {count}", va="center", fontsize=9)
    ax.set(xlabel="number", ylabel="")
    return figure


def pipeline(stages: list[tuple[str, str, str]]) -> Figure:
    """fig4_pipeline: the stages of the code with this run's counts, left to right.

    Each stage is (room of the library, what it makes, what it sent back or ""); the last is drawn below the arrow.
    """
    figure, ax = plt.subplots(figsize=(2.3 * len(stages), 2.6), layout="constrained")
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": sns.color_palette()[0], "linewidth": 1.5}
    for column, (room, made, sent_back) in enumerate(stages):
        ax.text(column, 0.62, f"{room}\n\n{made}", ha="center", va="center", fontsize=10, bbox=box)
        if column:
            forward = {"arrowstyle": "->", "color": "0.2", "lw": 1.5}
            ax.annotate("", (column - 0.36, 0.62), (column - 0.64, 0.62), arrowprops=forward)
        if sent_back:
            red = sns.color_palette()[3]
            back = {"arrowstyle": "->", "color": red, "connectionstyle": "arc3,rad=-0.35"}
            ax.annotate("", (column - 0.9, 0.38), (column - 0.1, 0.38), arrowprops=back)
            ax.text(column - 0.5, 0.04, sent_back, ha="center", va="center", fontsize=9, color=red)
    ax.set(xlim=(-0.5, len(stages) - 0.5), ylim=(0, 1))
    ax.axis("off")
    return figure


def errors_by_position(turns: pd.DataFrame) -> Figure:
    """Share of Player turns with each error flag, over the position in the play (tenths, 0 is its start)."""
    figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
    sns.lineplot(turns, x="position", y="share", hue="error", style="error", markers=True, ax=ax)
    ax.set(xlabel="position in the play", ylabel="share of Player turns", ylim=(0, None))
    sns.move_legend(ax, "upper left", bbox_to_anchor=(1, 1))
    return figure


def error_runs(table: pd.DataFrame) -> Figure:
    """fig13_error_runs: share of turns in runs of errors of each length, this run's bars beside the paper's."""
    figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
    sns.barplot(table, x="metric", y="value", hue="source", ax=ax)
    for drawn in ax.containers:
        if isinstance(drawn, BarContainer):
            ax.bar_label(drawn, fmt="%.2g", fontsize=9)
    ax.set(xlabel="errors in a row", ylabel="share of Player turns (%)")
    sns.move_legend(ax, "upper right", title="")
    return figure


def agreement(table: pd.DataFrame) -> Figure:
    """fig_judge: share of turns that the judge labels as the dungeon master did, beside the paper's."""
    table = table[table["value"].notna()]
    figure, ax = plt.subplots(figsize=(7, 0.8 + 0.5 * len(table)), layout="constrained")
    bars(ax, table.rename(columns={"judge": "method"}), "")
    ax.set(xlabel="turns labelled alike (%)")
    return figure
