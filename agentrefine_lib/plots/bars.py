"""Horizontal bars of percentages, with the value in words."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes


def bars(ax: Axes, part: pd.DataFrame, title: str) -> None:
    """One bar per ``method``, a dash where there is no value; whiskers for intervals, a star for ``held_in``."""
    sns.barplot(part, x="value", y="method", ax=ax, color=sns.color_palette()[0], alpha=0.85)
    stars = part["held_in"] if "held_in" in part else pd.Series(False, index=part.index)
    for row, (value, low, high, star) in enumerate(zip(part["value"], part["low"], part["high"], stars, strict=True)):
        if pd.notna(low):
            ax.errorbar(value, row, xerr=[[value - low], [high - value]], color="0.2", capsize=3)
        edge = value if pd.isna(high) else high
        said = f"{value:.1f}{'*' if star else ''}" if pd.notna(value) else "–"
        ax.text(1.5 if pd.isna(edge) else edge + 1.5, row, said, va="center", fontsize=9)
    ax.set(xlim=(0, 125), xticks=range(0, 101, 25), xlabel="", ylabel="", title=title)
    ax.title.set_fontsize(10)
