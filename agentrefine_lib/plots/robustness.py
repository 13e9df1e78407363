"""Chapter 5: what renamed commands do to each method, and what a mistake does."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from agentrefine_lib.environments import titles
from agentrefine_lib.metrics import UNPERTURBED
from agentrefine_lib.plots.evaluation import OURS


def perturbed(table: pd.DataFrame) -> Figure:
    """fig3_perturbation: success above, progress below; a panel per engine, a point per perturbation and method.

    A colour per method, 95 % whiskers.
    """
    shown = table[table["source"] == OURS]
    engines = titles(shown["engine"])
    names = [UNPERTURBED, *(name for name in dict.fromkeys(shown["perturbation"]) if name != UNPERTURBED)]
    methods = list(dict.fromkeys(shown["method"]))
    size = (2.2 + 2.3 * len(engines), 1.6 + 0.4 * len(names) * len(methods))
    figure, axes = plt.subplots(2, len(engines), figsize=size, squeeze=False, layout="constrained", sharey=True)
    for row, metric in zip(axes, ("success", "progress"), strict=True):
        for ax, engine in zip(row, engines, strict=True):
            part = shown[(shown["engine"] == engine) & (shown["metric"] == metric)]
            _points(ax, part, names, methods)
            ax.set(title=f"{engines[engine]}: {metric} (%)", xlim=(-4, 104))
            ax.set(yticks=range(len(names)), yticklabels=names)
            ax.title.set_fontsize(10)
    axes[0, 0].invert_yaxis()
    axes[0, -1].legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def _points(ax: Axes, part: pd.DataFrame, names: list[str], methods: list[str]) -> None:
    """One panel: a row per perturbation, in it a point with whiskers per method."""
    for number, (method, colour) in enumerate(zip(methods, sns.color_palette(n_colors=len(methods)), strict=True)):
        ours = part[part["method"] == method].set_index("perturbation").reindex(names)
        rows = [row + 0.7 * (number + 0.5) / len(methods) - 0.35 for row in range(len(names))]
        whiskers = [(ours["value"] - ours["low"]).to_numpy(), (ours["high"] - ours["value"]).to_numpy()]
        ax.errorbar(ours["value"], rows, xerr=whiskers, fmt="o", color=colour, capsize=2, label=method, markersize=5)


def mended(table: pd.DataFrame) -> Figure:
    """fig_mending: accepted replies, a row per method; without and after a mistake, 95 % whiskers."""
    methods = list(dict.fromkeys(table["method"]))
    figure, ax = plt.subplots(figsize=(7.2, 1.0 + 0.42 * len(methods)), layout="constrained")
    for number, reply in enumerate(dict.fromkeys(table["reply"])):
        part = 100 * table[table["reply"] == reply].set_index("method")[["value", "low", "high"]].reindex(methods)
        rows = [row + 0.24 * number - 0.12 for row in range(len(methods))]
        whiskers = [(part["value"] - part["low"]).to_numpy(), (part["high"] - part["value"]).to_numpy()]
        ax.errorbar(part["value"], rows, xerr=whiskers, fmt="o", capsize=2, label=reply, markersize=5)
    ax.set(xlabel="replies that the world accepts (%)", xlim=(-4, 104), yticks=range(len(methods)), yticklabels=methods)
    ax.invert_yaxis()
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure
