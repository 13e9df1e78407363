"""How policies did: the main table, progress beside the paper's, every episode at a glance, one task played twice."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from textwrap import shorten, wrap

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

from agentrefine_lib.environments import titles
from agentrefine_lib.metrics import first_divergence
from agentrefine_lib.plots.bars import bars
from agentrefine_lib.plots.paper import PAPER, paper_rows
from agentrefine_lib.schema import Episode, Step

OURS = "this run"
TABLE_1 = ("success", "progress", "grounding")
METHOD_NAMES = {  # in the order in which they are shown
    "random": "random valid action",
    "untuned": "untuned",
    "expert_only": "expert only",
    "expert_three": "expert only, AlfWorld, BabyAI, ScienceWorld",
    "expert_two": "expert only, BabyAI, ScienceWorld",
    "no_refinement": "no refinement data",
    "no_refinement_loss": "no loss on refinements",
    "all_turns": "loss on errors too",
    "no_verification": "no verification",
    "one_mechanic": "one mechanic only",
    "errors_slips": "errors made once",
    "errors_loops": "errors repeated",
    "errors_learner": "an earlier model's errors",
    "agentrefine": "AgentRefine",
    "expert": "scripted expert",
}


def method_labels(methods: Iterable[str], more: Mapping[str, str] = {}) -> dict[str, str]:
    """What figures call the methods, in the order to be shown: ``agentrefine_500`` is "AgentRefine, 500"."""
    found, names = list(dict.fromkeys(methods)), METHOD_NAMES | dict(more)
    labels = {name: _label(name, names) for name in found}
    ranks = list(names)
    return dict(sorted(labels.items(), key=lambda item: (_rank(item[0], ranks), item[0])))


def _label(method: str, names: Mapping[str, str]) -> str:
    stem, _, size = method.rpartition("_")
    return names.get(method) or (f"{names[stem]}, {int(size):,}" if stem in names and size.isdecimal() else method)


def _rank(method: str, ranks: list[str]) -> tuple[int, int]:
    stem, _, size = method.rpartition("_")
    sized = stem in ranks and size.isdecimal() and method not in ranks
    known = stem if sized else method
    return (ranks.index(known) if known in ranks else len(ranks), int(size) if sized else sys.maxsize)


def main_table(
    summary: pd.DataFrame,
    reported: pd.DataFrame,
    labels: dict[str, str],
    model: str,
    held_in: dict[str, list[str]],
) -> pd.DataFrame:
    """tab1_main: our rows and the paper's, in percent, for the engines that were played, in the paper's order.

    ``summary`` is of ``metrics.summarise``; ``labels`` names each method, in the order to be shown; ``held_in`` lists
    the engines that a method was trained on. Our rows have low, high, k, n and seeds; the paper gives none. ``source``
    keeps the two apart.
    """
    scores = summary[summary["metric"].isin(TABLE_1)]
    reported = reported[reported["engine"].isin(summary["engine"])]
    table = beside_paper(scores, reported, "tab1_main", labels, model=model, held_in=held_in)
    columns = ["source", "family", "method", "held_in", "engine", "metric", "value", "low", "high", "k", "n", "seeds"]
    return table.reindex(columns=[*columns, "citation"])


def beside_paper(
    scores: pd.DataFrame,
    reported: pd.DataFrame,
    artefact: str,
    labels: Mapping[str, str],
    *,
    model: str,
    held_in: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """Our scores in percent, methods and engines in their order, and the rows that the paper reports for an artefact.

    ``source`` keeps the two apart. ``reported`` is params/reported.csv. Columns that only one of the two has are empty
    in the other.
    """
    order = dict.fromkeys([*labels, "all", *titles(scores.get("engine", ()))])
    rank = {name: number for number, name in enumerate(order)}
    keys = [name for name in ("method", "engine") if name in scores]
    ours = scores.sort_values(keys, key=lambda names: names.map(rank), kind="stable")
    trained = [engine in held_in.get(m, []) for m, engine in zip(ours["method"], ours["engine"], strict=True)]
    ours = ours.assign(source=OURS, family=model, method=ours["method"].map(labels), held_in=trained)
    ours[["value", "low", "high"]] = ours[["value", "low", "high"]].astype(float) * 100
    return pd.concat([ours, paper_rows(reported, artefact)], ignore_index=True)


def overall(table: pd.DataFrame, family: str) -> tuple[Figure, pd.DataFrame]:
    """fig1_overall: progress per method, a column per engine; ours above, one of the paper's model families below."""
    shown = table[(table["metric"] == "progress") & ((table["source"] == OURS) | (table["family"] == family))]
    engines = titles(shown["engine"])
    size = (1.5 + 2.4 * len(engines), 0.8 + 0.36 * shown["method"].nunique())
    figure, grid = plt.subplots(2, len(engines), figsize=size, squeeze=False, layout="constrained", sharex=True)
    for row, source in enumerate((OURS, PAPER)):
        methods = pd.Index(shown.loc[shown["source"] == source, "method"].unique(), name="method")
        for column, engine in enumerate(engines):
            part = shown[(shown["engine"] == engine) & (shown["source"] == source)]
            n = f" · n = {part['n'].iloc[0]:.0f}" if source == OURS else ""
            if len(part):
                everyone = part.set_index("method").reindex(methods).reset_index()  # the same rows in every panel
                bars(grid[row, column], everyone, f"{engines[engine]}{n}")
            else:
                grid[row, column].axis("off")  # the paper reports this engine in another table
            if column:
                grid[row, column].set_yticklabels([])
    model = shown[shown["source"] == OURS]["family"].iloc[0]
    grid[0, 0].set_ylabel(f"this run\n{model}")
    grid[1, 0].set_ylabel(f"paper\n{family}")
    figure.supxlabel("progress rate (%) · * trained on this environment (held-in)", fontsize=10)
    return figure, shown


def outcomes(episodes: pd.DataFrame, labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """fig_outcomes: a cell per task and method, dark with progress; a dot where all seeds won, a ring where some."""
    shown = episodes.groupby(["method", "engine", "task"], as_index=False, sort=False)[["success", "progress"]].mean()
    shown["method"] = shown["method"].map(labels).astype("category").cat.set_categories([*labels.values()])
    engines = titles(shown["engine"])
    figure, rows = plt.subplots(
        len(engines), 1, figsize=(11, 0.5 + (0.45 + 0.24 * len(labels)) * len(engines)), squeeze=False
    )
    for ax, engine in zip(rows[:, 0], engines, strict=True):
        _outcome_grid(ax, shown[shown["engine"] == engine], engines[engine])
    figure.tight_layout()
    return figure, shown


def _outcome_grid(ax: Axes, part: pd.DataFrame, title: str) -> None:
    grid = part.pivot_table(index="method", columns="task", values="progress", observed=True)
    won = part.pivot_table(index="method", columns="task", values="success", observed=True).fillna(0).to_numpy()
    sns.heatmap(grid, ax=ax, vmin=0, vmax=1, cmap="crest", cbar=False, linewidths=0.4, xticklabels=False)
    for row, column in zip(*won.nonzero(), strict=True):
        mark = "•" if won[row, column] == 1 else "◦"
        ax.text(column + 0.5, row + 0.5, mark, ha="center", va="center", color="white", fontsize=7)
    ax.set(xlabel="", ylabel="", title=f"{title} · {grid.shape[1]} tasks · colour: progress, dot: won, ring: by some")
    ax.title.set_fontsize(10)


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


def cases(ours: Episode, theirs: Episode, steps: int = 8) -> Figure:
    """fig_cases: two columns of turns, refused ones marked ✗, and a line where the two part."""
    split = first_divergence(ours, theirs)
    figure, ax = plt.subplots(figsize=(12, 1.2 + 0.86 * steps), layout="constrained")
    for x, episode in ((0.0, ours), (0.51, theirs)):
        progress = "unknown" if episode.known_progress is None else f"{episode.progress:.2f}"
        end = "won" if episode.success else f"not won, progress {progress}"
        ax.text(
            x,
            steps + 0.55,
            _plain(f"{episode.policy}: {end} after {len(episode.steps)} steps", 120),
            weight="bold",
            va="top",
        )
        for number, step in enumerate(episode.steps[:steps], start=1):
            _turn(ax, x, steps - number + 1, number, step)
        if len(episode.steps) > steps:
            ax.text(x, 0.0, f"… {len(episode.steps) - steps} more steps", va="top", fontsize=8, color="0.4")
    if split <= steps:
        ax.axhline(steps - split + 1.12, color=sns.color_palette()[1], linestyle="--", linewidth=1)
        ax.text(1.0, steps - split + 1.14, "here they part", ha="right", va="bottom", fontsize=8)
    ax.set(xlim=(0, 1), ylim=(-0.3, steps + 1.3))
    ax.set_title(_plain(f"{ours.task.id} · {ours.goal}", 130), loc="left", fontsize=10)
    ax.axis("off")
    return figure


def _turn(ax: Axes, x: float, top: float, number: int, step: Step) -> None:
    refused = f"✗ {step.error} " if step.error else ""
    colour = sns.color_palette()[3] if step.error else "0.1"
    ax.text(x, top, _plain(f"{number}. {refused}> {step.action}", 78), va="top", fontsize=9, color=colour)
    said = "\n".join(wrap(_plain(step.observation, 200), 84)[:3])
    ax.text(x + 0.015, top - 0.24, said, va="top", fontsize=7.5, color="0.35")


def _plain(text: str, width: int) -> str:
    """A line for matplotlib, which would read dollar signs as mathematics, and warns of letters its font lacks."""
    short = shorten(text, width, placeholder=" …")
    return "".join(letter if ord(letter) in _letters() else "□" for letter in short).replace("$", r"\$")


@cache
def _letters() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())
