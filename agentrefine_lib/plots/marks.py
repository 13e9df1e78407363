"""What methods are drawn with: rows of bars, lines from a value to a later one, and curves named at their ends."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from textwrap import fill
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from agentrefine_lib.plots.looks import AGENTREFINE, BLUE, colour
from agentrefine_lib.plots.paper import OURS

MARKERS, DASHES = "s^vDPX<>ph", ["--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1))] * 2


def name_rows(ax: Axes, labels: Sequence[str], first: float = 0) -> None:
    """Methods as the names of rows from ``first`` on, downwards; AgentRefine's are blue."""
    ax.set_yticks([first + row for row in range(len(labels))], [fill(label, 30) for label in labels], fontsize=8)
    ax.set_ylim(first + max(1, len(labels)) - 0.5, first - 0.5)
    for tick, label in zip(ax.get_yticklabels(), labels, strict=False):  # a panel that shares them has none
        tick.set(color=BLUE if label.startswith(AGENTREFINE) else "0.15", parse_math=False)
    ax.grid(visible=False, axis="y")


def bars(ax: Axes, rows: pd.DataFrame, labels: Sequence[str]) -> None:
    """A bar per row, in percent, its number at the right edge, a dash where there is none; lines for intervals.

    ``rows`` is in the order of ``labels``: method, value, low, high, held_in (hatched, with a star) and
    source (the paper is hollow). A row whose ``source`` is unknown stays empty.
    """
    for place, row in enumerate(rows.to_dict("records")):
        if pd.notna(row["source"]):
            paint, paper = colour(row["method"]), row["source"] != OURS
            face: Any = {"facecolor": "white" if paper else paint, "edgecolor": paint if paper else "white"}
            hatch, star = ("////", "*") if row.get("held_in") is True else (None, "")
            ax.barh(place, row["value"], height=0.72, linewidth=1.2 if paper else 0, hatch=hatch, **face)
            ax.hlines(place, row["low"], row["high"], color="0.1", linewidth=1)
            _number(ax, place, f"{row['value']:.1f}{star}" if pd.notna(row["value"]) else "–")
    name_rows(ax, labels)
    ax.set(xlim=(0, 146), xticks=(0, 50, 100))


def change(ax: Axes, place: float, row: Mapping[Any, Any]) -> None:
    """A line from a tick at ``value`` to a dot at ``value_after``, its interval (``_after``) as a band; percent."""
    paint, before, after = colour(row["method"]), row["value"], row["value_after"]
    face = paint if row.get("source", OURS) == OURS else "white"
    ax.hlines(place, row["low_after"], row["high_after"], color=paint, linewidth=6, alpha=0.25)
    ax.hlines(place, before, after, color=paint, linewidth=2)
    ax.plot(before, place, "|", color=paint, markersize=11, markeredgewidth=2)
    ax.plot(after, place, "o", color=paint, markersize=6, markerfacecolor=face)
    _number(ax, place, "–" if pd.isna(before + after) else f"{before:.1f} → {after:.1f}")


def _number(ax: Axes, place: float, said: str) -> None:
    ax.text(0.986, place, said, transform=ax.get_yaxis_transform(), ha="right", va="center", fontsize=8, color="0.15")


def lines_of(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """How each method's line is drawn: its colour, and for all but AgentRefine a marker and dashes of its own."""
    marks, looks = cycle(zip(MARKERS, DASHES, strict=True)), {}
    for name in names:
        marker, dashes = ("o", "-") if name == AGENTREFINE else next(marks)
        thick = {"linewidth": 2.4, "zorder": 3} if name == AGENTREFINE else {"linewidth": 1.2, "zorder": 2}
        looks[name] = thick | {"color": colour(name), "marker": marker, "linestyle": dashes, "markersize": 4.5}
    return looks


def curves(ax: Axes, table: pd.DataFrame, x: str, y: str, by: str, height: float = 0, **look: Any) -> None:
    """A line per ``by``, with AgentRefine's interval as a band where there are ``low`` and ``high``.

    Names stand at the right ends where the panel has a ``height`` (inches); set the limits of ``y`` before.
    """
    ends: dict[str, tuple[float, float]] = {}
    for name, line in lines_of([str(name) for name in table[by].unique()]).items():
        part = table[(table[by] == name) & table[y].notna()]
        if part.empty:
            continue
        ax.plot(part[x], part[y], **(line | look))
        ends[name] = float(part[x].iloc[-1]), float(part[y].iloc[-1])
        if "low" in part and name == AGENTREFINE:
            step: Any = "post" if "drawstyle" in look else None
            low, high = part["low"].astype(float), part["high"].astype(float)
            ax.fill_between(part[x], low, high, step=step, color=BLUE, alpha=0.15, linewidth=0)
    (bottom, top), beside, place = ax.get_ylim(), ax.get_yaxis_transform(), float("-inf")
    places = {}
    for name in sorted(ends, key=lambda name: ends[name][1]) if height else ():
        places[name] = place = max(ends[name][1], place + (top - bottom) * 0.15 / height)
    leader = {"arrowstyle": "-", "color": "0.75", "relpos": (0, 0.5)}
    for name, at in places.items():
        where: Any = {"xycoords": "data", "textcoords": beside, "arrowprops": leader}
        text: Any = {"fontsize": 8, "va": "center", "color": BLUE if name.startswith(AGENTREFINE) else "0.25"}
        ax.annotate(name, ends[name], (1.05, at - max(0, place - top)), **where, **text)
