"""Chapter 4: progress as tasks move away from training."""

from __future__ import annotations

from textwrap import fill

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

WIDTH = 16  # letters of a rung's name in one line
NOT_TRAINED = {"random": "o:", "untuned": "s--", "expert": "^-."}  # marker and line


def ladder(table: pd.DataFrame, labels: dict[str, str]) -> Figure:
    """fig_ladder: a line per method over the rungs of ``metrics.ladder``, whiskers 95 %; n of the smallest method.

    AgentRefine stands out; what is not trained is grey, each in dashes of its own.
    """
    rungs, methods = list(dict.fromkeys(table["rung"])), [m for m in labels if m in set(table["method"])]
    figure, ax = plt.subplots(figsize=(2.2 + 1.9 * len(rungs), 4.6), layout="constrained")
    colours = dict(zip(methods, sns.color_palette("muted", len(methods)), strict=True))
    for number, method in enumerate(methods):
        part = 100 * table[table["method"] == method].set_index("rung")[["value", "low", "high"]].reindex(rungs)
        ours = method == "agentrefine"
        ax.errorbar(
            [place + 0.05 * (number - len(methods) / 2) for place in range(len(rungs))],
            part["value"],
            yerr=[(part["value"] - part["low"]).to_numpy(), (part["high"] - part["value"]).to_numpy()],
            fmt=NOT_TRAINED.get(method, "o-"),
            color="0.45" if method in NOT_TRAINED else "C3" if ours else colours[method],
            linewidth=2.4 if ours else 1.2,
            capsize=2,
            markersize=5 if ours else 4,
            elinewidth=0.8,
            label=labels[method],
        )
    counts = table.groupby("rung")["n"].min()
    names = [f"{fill(rung, WIDTH)}\nn = {counts[rung]}" for rung in rungs]
    ax.set(xticks=range(len(rungs)), xticklabels=names, ylim=(-3, 103), ylabel="progress (%)")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure
