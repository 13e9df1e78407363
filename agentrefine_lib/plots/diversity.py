"""Chapter 6: maps of thoughts and environments, and the best of N samples."""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from agentrefine_lib.environments import titles
from agentrefine_lib.plots.evaluation import OURS

SYNTHESISED = "synthesised"  # in the column of engines: what a teacher wrote


def thought_maps(points: pd.DataFrame) -> Figure:
    """fig_thoughts: a panel for the training sets and one for the models, a dot per thought, a colour per method."""
    panels = list(dict.fromkeys(points["of"]))
    figure, axes = plt.subplots(1, len(panels), figsize=(5.6 * len(panels), 4.4), squeeze=False, layout="constrained")
    order = list(dict.fromkeys(points["method"]))
    for ax, of in zip(axes[0], panels, strict=True):
        part = points[points["of"] == of]
        last = of == panels[-1]
        sns.scatterplot(part, x="x", y="y", hue="method", hue_order=order, s=14, linewidth=0, ax=ax, legend=last)
        ax.set(title=of, xlabel="", ylabel="", xticks=[], yticks=[])
    sns.move_legend(axes[0, -1], "upper left", bbox_to_anchor=(1, 1), title="", frameon=False)
    return figure


def environment_map(points: pd.DataFrame) -> Figure:
    """fig_environments: synthesised and test environments on one map, and how near the nearest synthesised one is."""
    names = _kinds(points["engine"])
    shown, kinds = points.assign(environment=points["engine"].map(names)), list(names.values())
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained", width_ratios=(3, 2))
    look = {"hue": "environment", "hue_order": kinds, "style": "environment", "s": 22, "linewidth": 0}
    sns.scatterplot(shown, x="x", y="y", ax=left, **look)
    left.set(xlabel="", ylabel="", xticks=[], yticks=[])
    sns.move_legend(left, "upper left", bbox_to_anchor=(1, 1), title="", frameon=False)
    sns.boxplot(shown, x="nearest", y="environment", order=kinds, ax=right, color=sns.color_palette()[0], fliersize=2)
    right.set(xlabel="cosine similarity to the nearest synthesised environment", ylabel="", xlim=(None, 1.02))
    return figure


def similarity(table: pd.DataFrame) -> Figure:
    """fig7_similarity: mean similarity of two instructions, a row and a column per kind of environment."""
    names = _kinds(table["engine"])
    square = table.pivot_table(index="engine", columns="other", values="similarity", dropna=False)
    square = square.reindex(index=list(names), columns=list(names)).rename(index=names, columns=names)
    figure, ax = plt.subplots(figsize=(2.6 + 0.8 * len(names), 1.4 + 0.55 * len(names)), layout="constrained")
    sns.heatmap(square, vmin=0, vmax=1, cmap="crest", annot=True, fmt=".2f", annot_kws={"fontsize": 9}, ax=ax)
    ax.set(xlabel="", ylabel="")
    ax.tick_params(axis="x", rotation=40)
    return figure


def _kinds(engines: Iterable[str]) -> dict[str, str]:
    """The synthesised environments and the engines, with their titles in the order to be shown."""
    there = set(engines)
    return {name: name for name in there & {SYNTHESISED}} | titles(there - {SYNTHESISED})


def best_of_curves(table: pd.DataFrame) -> Figure:
    """tab4_bestofn, drawn: the expected progress of the best of k samples; k = 0 stands for greedy decoding."""
    shown = table[(table["source"] == OURS) & (table["metric"] == "progress")]
    engines = titles(shown["engine"])
    figure, axes = plt.subplots(
        1, len(engines), figsize=(1 + 2.6 * len(engines), 3), squeeze=False, layout="constrained", sharey=True
    )
    for ax, engine in zip(axes[0], engines, strict=True):
        for method, part in shown[shown["engine"] == engine].groupby("method", sort=False):
            (line,) = ax.plot(part["best_of"], part["value"], marker="o", markersize=3, label=method)
            ax.fill_between(part["best_of"], part["low"], part["high"], color=line.get_color(), alpha=0.15)
        ax.set(title=engines[engine], ylim=(-3, 103), xlabel="best of (0: greedy)")
        ax.title.set_fontsize(10)
    axes[0, 0].set_ylabel("progress (%)")
    axes[0, -1].legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure
