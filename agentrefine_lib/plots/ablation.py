"""Chapter 7: scaling, self-refinement against progress, stuck loops and kinds of errors."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from agentrefine_lib.environments import titles
from agentrefine_lib.metrics.behaviour import ACCEPTED
from agentrefine_lib.plots.paper import PAPER

KINDS = [ACCEPTED, "logic", "parameter", "format"]


def scaling(table: pd.DataFrame) -> Figure:
    """fig5_scaling: progress against the number of training trajectories, a panel per engine, 95 % bands.

    The first panel is the paper's curve, the second ours of the same definition, the mean over the tasks of table 1.
    """
    shown = table[table["metric"] == "progress"].sort_values("conversations")
    shown.loc[shown["source"] == PAPER, "engine"] = PAPER
    means = {PAPER: "the paper, table 1's tasks", "all": "table 1's tasks"}
    there = set(shown["engine"])
    engines = {name: title for name, title in means.items() if name in there} | titles(there - means.keys())
    figure, axes = plt.subplots(
        1, len(engines), figsize=(1 + 2 * len(engines), 2.8), squeeze=False, layout="constrained", sharey=True
    )
    for ax, engine in zip(axes[0], engines, strict=True):
        part = shown[shown["engine"] == engine]
        ax.plot(part["conversations"], part["value"], marker="o", markersize=4)
        ax.fill_between(part["conversations"], part["low"], part["high"], alpha=0.15)
        ax.set(title=engines[engine], xscale="log", ylim=(-3, 103), xlabel="trajectories")
        ax.set_xticks(part["conversations"].unique(), [f"{n:,.0f}" for n in part["conversations"].unique()], fontsize=7)
        ax.minorticks_off()
        ax.title.set_fontsize(10)
    axes[0, 0].set_ylabel("progress (%)")
    return figure


def refinement(points: pd.DataFrame, told: str) -> Figure:
    """fig_refinement: a dot per trained model, its recovery rate against its progress elsewhere; ``told`` above."""
    figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
    sns.scatterplot(points, x="recovery", y="progress", hue="method", style="method", s=60, ax=ax)
    ax.set(xlabel="recovery: refused actions whose next one is accepted", ylabel="progress, other half of the tasks")
    ax.set_title(told, fontsize=10)
    if len(points):  # where no action was ever refused there is no recovery to show
        sns.move_legend(ax, "upper left", bbox_to_anchor=(1, 1), title="", frameon=False)
    return figure


def stuck(curves: pd.DataFrame) -> Figure:
    """fig_stuck: the share of episodes without a stuck loop so far, with 95 % bands."""
    figure, ax = plt.subplots(figsize=(7.4, 3.8), layout="constrained")
    for method, part in curves.groupby("method", sort=False):
        (line,) = ax.step(part["step"], part["free"], where="post", label=f"{method} (n = {part['n'].iloc[0]})")
        ax.fill_between(part["step"], part["low"], part["high"], step="post", color=line.get_color(), alpha=0.12)
    ax.set(xlabel="step", ylabel="episodes without a loop", ylim=(0, 1.03), xlim=(0, None))
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def error_kinds(shares: pd.DataFrame) -> Figure:
    """fig_taxonomy: a panel per engine, a bar per method, divided into accepted steps and kinds of errors."""
    engines = titles(shares["engine"])
    methods = list(dict.fromkeys(shares["method"]))
    size = (2.2 + 1.9 * len(engines), 1.0 + 0.34 * len(methods))
    figure, axes = plt.subplots(1, len(engines), figsize=size, squeeze=False, layout="constrained", sharey=True)
    palette = ["0.85", *sns.color_palette(n_colors=len(KINDS) - 1)]
    for ax, engine in zip(axes[0], engines, strict=True):
        part = shares[shares["engine"] == engine]
        widths = part.pivot_table(index="method", columns="error", values="share").reindex(methods)
        left = pd.Series(0.0, index=methods)
        for kind, colour in zip(KINDS, palette, strict=True):
            width = widths[kind].fillna(0.0) if kind in widths else left * 0
            ax.barh(methods, width, left=left, color=colour, label=kind, height=0.75)
            left = left + width
        ax.set(title=engines[engine], xlim=(0, 1), xticks=(0, 0.5, 1))
        ax.title.set_fontsize(10)
    axes[0, 0].invert_yaxis()
    axes[0, -1].legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    figure.supxlabel("share of steps", fontsize=10)
    return figure
