"""One look for all figures: AgentRefine blue, baselines grey, what was trained on an engine hatched, the paper hollow.

Methods and engines have one order everywhere. Each figure is 700 pixels wide where 8 points are 11 pixels. Its title
says what the table shows; the line below it says how to read it; both, a line each, are its alternative text.
"""

import sys
from collections.abc import Iterable, Mapping
from textwrap import fill
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 7.0  # inches
BLUE, PALE_BLUE, RED, INK = "#0072B2", "#80B9D9", "#D55E00", "0.35"
METHOD_NAMES = {  # in the order in which they are shown
    "random": "random valid action",
    "untuned": "untuned",
    "expert_only": "expert only",
    "expert_only_general": "expert only + general",
    "expert_only_ood": "expert only, without its engines",
    "expert_three": "expert only, 3 engines",
    "expert_two": "expert only, 2 engines",
    "agent_flan": "Agent-FLAN",
    "agent_flan_ood": "Agent-FLAN, without IND data",
    "agentgym": "AgentGym",
    "agentgym_ood": "AgentGym, without IND data",
    "no_refinement": "no refinement data",
    "no_refinement_loss": "no loss on refinements",
    "all_turns": "loss on errors too",
    "no_verification": "no verification",
    "one_mechanic": "one mechanic only",
    "errors_slips": "errors made once",
    "errors_loops": "errors repeated",
    "errors_learner": "an earlier model's errors",
    "agentrefine_half": "AgentRefine (half the data)",
    "agentrefine": "AgentRefine",
    "agentrefine_general": "AgentRefine + general",
    "expert": "scripted expert",
}
AGENTREFINE = METHOD_NAMES["agentrefine"]
SIZES = rf"{AGENTREFINE}(?! \+)"  # matches AgentRefine and its other sizes, not what has general data mixed in
NOT_TRAINED = tuple(METHOD_NAMES[name] for name in ("random", "untuned", "expert"))


def method_labels(methods: Iterable[str], more: Mapping[str, str] = {}) -> dict[str, str]:
    """What figures call the methods, in the order to be shown: ``agentrefine_500`` is "AgentRefine (500)"."""
    names, found = METHOD_NAMES | dict(more), {}
    for method in methods:
        stem, _, size = method.rpartition("_")
        sized = method not in names and stem in names and size.isdecimal()
        place = [*names, method].index(stem if sized else method)
        label = f"{names[stem]} ({int(size):,})" if sized else names.get(method, method)
        found[place, int(size) if sized else sys.maxsize, method] = label
    return {method: label for (*_, method), label in sorted(found.items())}


def named(table: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """The rows of the methods in ``labels``, in that order and by these names, as a categorical column ``method``."""
    names = pd.Categorical(table["method"].map(labels), [*labels.values()], ordered=True)
    return table.assign(method=names).dropna(subset="method").sort_values("method", kind="stable")


def colour(label: str) -> str:
    """AgentRefine's blue (pale with other data); a light grey for what is not trained, a dark one for other models."""
    if label.startswith(AGENTREFINE):
        return BLUE if label == AGENTREFINE else PALE_BLUE
    return "0.7" if label in NOT_TRAINED else "0.45"


def sheet(height: float) -> tuple[Figure, Axes]:
    """A figure of one panel; ``height`` in inches."""
    return plt.subplots(figsize=(WIDTH, height), layout="constrained")


def panels(titles: Mapping[Any, str], height: float, columns: int = 4, **axes: Any) -> tuple[Figure, dict[Any, Axes]]:
    """A figure of small panels with these titles, as many in a row as ``columns``; ``height`` of a row in inches."""
    columns = max(1, min(columns, len(titles)))
    rows = max(1, -(-len(titles) // columns))
    size = (WIDTH, 0.9 + height * rows)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **axes)
    for empty, ax in enumerate(grid.flat[len(titles) :], start=len(titles)):
        ax.axis("off")
        grid.flat[empty - columns].tick_params(labelbottom=True)  # the last one of its column
    for ax, title in zip(grid.flat, titles.values(), strict=False):
        ax.set_title("\n".join(fill(line, 75 // columns) for line in title.splitlines()), fontsize=8.5)
    return figure, dict(zip(titles, grid.flat, strict=False))


def tell(figure: Figure, finding: str, reading: str) -> Figure:
    """Write the finding above a figure and how to read it below; together they are its alternative text."""
    title = {"fontsize": 10, "fontweight": "bold", "parse_math": False}
    figure.suptitle(
        fill(finding.replace(" %", "\u00a0%").replace(" = ", "\u00a0=\u00a0"), 76), x=0.01, ha="left", **title
    )
    figure.supxlabel(fill(reading, 112), x=0.01, ha="left", fontsize=8, color=INK, parse_math=False)
    figure.set_label(f"{finding.rstrip('.')}.\n{reading}")
    return figure
