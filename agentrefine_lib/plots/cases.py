"""One task played by two policies, side by side."""

import re
from functools import cache
from itertools import groupby
from textwrap import shorten, wrap
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

from agentrefine_lib.metrics import first_divergence
from agentrefine_lib.plots.looks import BLUE, RED, WIDTH, method_labels, sheet, tell
from agentrefine_lib.schema import Episode

LINE, LETTERS = 0.155, 58  # inches from line to line; letters in a line of a column
SPLIT = "---"  # stands for the dashed line


def case_table(ours: Episode, theirs: Episode) -> pd.DataFrame:
    """fig_cases: the same task by two policies, a row per step and policy; ``diverged`` from the first difference on.

    Raises ValueError when the tasks differ.
    """
    split = first_divergence(ours, theirs)
    rows = [
        {"policy": episode.policy, "task": episode.task.id, "step": number, "diverged": number >= split}
        | step.model_dump(include={"thought", "action", "observation", "progress", "error"})
        for episode in (ours, theirs)
        for number, step in enumerate(episode.steps, start=1)
    ]
    return pd.DataFrame(rows)


def cases(ours: Episode, theirs: Episode, steps: int = 6, finding: str = "") -> Figure:
    """fig_cases: two columns of at most so many turns; turns that repeat themselves are one, refused ones are orange.

    Above them stands the ``finding``, or how both ended.
    """
    split = first_divergence(ours, theirs)
    columns = [_lines(episode, split, steps) for episode in (ours, theirs)]
    height = LINE * max(len(lines) for lines in columns)
    figure, ax = sheet(height + 1.1)
    for x, lines in zip((0.0, WIDTH / 2 + 0.05), columns, strict=True):
        for number, (text, look) in enumerate(lines):
            if text == SPLIT:
                ax.hlines((number + 0.5) * LINE, x, x + WIDTH / 2 - 0.15, color="0.3", linestyle="--", linewidth=1)
            else:
                ax.text(x, number * LINE, text, va="top", parse_math=False, **look)
    ax.set(xlim=(0, WIDTH), ylim=(height, -0.05))
    ax.axis("off")
    parting = f"they part at step {split}" if split <= max(len(ours.steps), len(theirs.steps)) else "they never part"
    finding = finding or f"One task, chosen because they differ: {_ending(ours)}; {_ending(theirs)}; {parting}"
    told = f"{_plain(ours.task.id, 80)}: “{_plain(ours.goal.rstrip('.'), 120)}”"
    return tell(figure, finding, f"{told}. Dashed: where they part; orange: refused.")


def _ending(episode: Episode) -> str:
    known = "unknown" if episode.known_progress is None else f"{episode.progress:.2f}"
    return f"{_name(episode)} {'won' if episode.success else f'did not win, progress {known}'}"


def _name(episode: Episode) -> str:
    """What figures call its policy: "AgentRefine" for ``agentrefine-0``."""
    method = re.sub(r"-\d+$", "", episode.policy)
    return _plain(method_labels([method])[method], 40)


def _lines(episode: Episode, split: int, steps: int) -> list[tuple[str, dict[str, Any]]]:
    """The lines of a column and how each is written; ``SPLIT`` where the two part."""
    paint = BLUE if episode.policy.startswith("agentrefine") else "0.3"
    lines: list[tuple[str, dict[str, Any]]] = [(_name(episode), {"weight": "bold", "fontsize": 9.5, "color": paint})]
    numbered = enumerate(episode.steps, start=1)
    groups = groupby(numbered, key=lambda turn: (turn[0] >= split, turn[1].action, turn[1].error, turn[1].observation))
    turns = [list(group) for _, group in groups]
    for turn in turns[:steps]:
        (first, step), (last, _) = turn[0], turn[-1]
        lines.append((SPLIT if first == split else "", {}))
        number = f"{first}–{last}" if last > first else f"{first}"
        refused = f"   ✗ {step.error}" if step.error else ""
        look = {"fontsize": 8.5, "color": RED if step.error else "0.05"}
        lines.append((f"{number}  > {_plain(step.action, 39 - len(refused))}{refused}", look))
        told = wrap(_plain(step.observation, 2 * LETTERS - 10), LETTERS)
        lines += [(f"    {line}", {"fontsize": 7.5, "color": "0.35"}) for line in told]
    left = sum(map(len, turns[steps:]))
    return lines + ([("", {}), (f"… {left} more", {"fontsize": 8, "color": "0.35"})] if left else [])


def _plain(text: str, width: int) -> str:
    """A line for matplotlib, which warns of letters that its font lacks."""
    short = shorten(text, width, placeholder=" …")
    return "".join(letter if ord(letter) in _letters() else "□" for letter in short)


@cache
def _letters() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())
