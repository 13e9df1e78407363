"""Chapter 8: exact match and F1 beside the paper's."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from agentrefine_lib.plots.bars import bars
from agentrefine_lib.plots.evaluation import OURS
from agentrefine_lib.plots.paper import PAPER


def question_answering(table: pd.DataFrame) -> Figure:
    """tab6_hotpotqa, drawn: a column per score, this run above, the paper below."""
    metrics = list(dict.fromkeys(table["metric"]))
    sources = [source for source in (OURS, PAPER) if source in set(table["source"])]
    rows = [table.loc[table["source"] == source, "method"].nunique() for source in sources]
    figure, grid = plt.subplots(
        len(sources),
        len(metrics),
        figsize=(10, 1.2 + 0.36 * sum(rows)),
        squeeze=False,
        layout="constrained",
        height_ratios=rows,
    )
    for row, source in enumerate(sources):
        for column, metric in enumerate(metrics):
            part = table[(table["source"] == source) & (table["metric"] == metric)]
            bars(grid[row, column], part, f"{source}: {metric} (%)")
            if column:
                grid[row, column].set_yticklabels([])
    return figure
