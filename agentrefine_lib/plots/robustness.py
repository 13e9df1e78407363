"""Chapter 5: what renamed commands do to each method, and what a mistake does."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from agentrefine_lib.metrics import UNPERTURBED
from agentrefine_lib.plots.evaluation import ENGINE_NAMES, OURS, engines_of


def perturbed(table: pd.DataFrame) -> Figure:
    """fig3_perturbation: progress; a panel per engine, points per perturbation, a colour per method, 95 % whiskers."""
    shown = table[(table["source"] == OURS) & (table["metric"] == "progress")]
    engines = engines_of(shown)
    names = [UNPERTURBED, *(name for name in dict.fromkeys(shown["perturbation"]) if name != UNPERTURBED)]
    methods = list(dict.fromkeys(shown["method"]))
    size = (2.2 + 2.3 * len(engines), 1.2 + 0.24 * len(names) * len(methods))
    figure, axes = plt.subplots(1, len(engines), figsize=size, squeeze=False, layout="constrained", sharey=True)
    for ax, engine in zip(axes[0], engines, strict=True):
        for number, (method, colour) in enumerate(zip(methods, sns.color_palette(n_colors=len(methods)), strict=True)):
            part = shown[(shown["engine"] == engine) & (shown["method"] == method)].set_index("perturbation")
            part = part.reindex(names)
            rows = [row + 0.7 * (number + 0.5) / len(methods) - 0.35 for row in range(len(names))]
            whiskers = [(part["value"] - part["low"]).to_numpy(), (part["high"] - part["value"]).to_numpy()]
            ax.errorbar(
                part["value"], rows, xerr=whiskers, fmt="o", color=colour, capsize=2, label=method, markersize=5
            )
        ax.set(title=ENGINE_NAMES[engine], xlim=(-4, 104), yticks=range(len(names)), yticklabels=names)
        ax.title.set_fontsize(10)
    axes[0, 0].invert_yaxis()
    axes[0, -1].legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    figure.supxlabel("progress (%)", fontsize=10)
    return figure


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
