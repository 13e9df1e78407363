"""How the nano model was made: its training, and what it copies."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure


def pretraining(log: pd.DataFrame) -> Figure:
    """Loss, and the accuracy of each probe, over the tokens read; ``log`` is of ``tuning.pretraining.pretrain``."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.5), layout="constrained")
    millions = log["tokens"] / 1e6
    sns.lineplot(x=millions, y=log["loss"], marker="o", ax=left)
    left.set(xlabel="tokens read (millions)", ylabel="loss (nats per token of an answer)", ylim=(0, None))
    for name in log.columns[log.columns.str.endswith("_accuracy")]:
        sns.lineplot(x=millions, y=log[name] * 100, marker="o", ax=right, label=name.removesuffix("_accuracy"))
    right.set(xlabel="tokens read (millions)", ylabel="exact answers (%)", ylim=(0, 100))
    return figure


def copying(table: pd.DataFrame) -> Figure:
    """Exact answers with 95 % intervals, by entries of the table and for commands; columns k, n, low, high, model."""
    shown = table.assign(asked=[f"table of {size}" if size else "a command" for size in table["entries"]])
    places = list(dict.fromkeys(shown["asked"]))
    figure, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
    for number, (model, part) in enumerate(shown.groupby("model", sort=False)):
        x = [places.index(asked) + 0.12 * number for asked in part["asked"]]
        share = part["k"] / part["n"]
        ax.errorbar(
            x, share * 100, yerr=[(share - part["low"]) * 100, (part["high"] - share) * 100], fmt="os"[number % 2],
            capsize=3, label=model,
        )  # fmt: skip
    ax.set(xticks=range(len(places)), xticklabels=places, ylabel="exact answers (%)", ylim=(-3, 103))
    ax.legend(title="", loc="upper left", bbox_to_anchor=(1, 1))
    return figure
