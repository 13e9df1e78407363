"""Tables and seaborn figures. Every figure is drawn from the CSV beside it, so that a reader can redraw or check it."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

OURS, PAPER = "this run", "paper"
ENGINE_NAMES = {
    "alfworld": "AlfWorld",
    "babyai": "BabyAI",
    "scienceworld": "ScienceWorld",
    "pddl": "PDDL",
    "jericho": "Jericho",
}


def style() -> None:
    """The look of every figure."""
    sns.set_theme(style="whitegrid", context="notebook", palette="colorblind", font="DejaVu Sans")


def save(figure: Figure, table: pd.DataFrame, folder: Path, name: str) -> Path:
    """Write ``name.csv``, ``.png`` and ``.pdf``, the same bytes for the same data. Returns the CSV's path."""
    path = write_table(table, folder, name)
    figure.savefig(path.with_suffix(".png"), dpi=150, bbox_inches="tight", metadata={"Software": None})
    figure.savefig(path.with_suffix(".pdf"), bbox_inches="tight", metadata={"CreationDate": None})
    return path


def write_table(table: pd.DataFrame, folder: Path, name: str) -> Path:
    """Write ``name.csv`` with six significant digits."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.csv"
    table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
    return path


def main_table(summary: pd.DataFrame, reported: pd.DataFrame, labels: dict[str, str], model: str) -> pd.DataFrame:
    """tab1_main: our rows and the paper's, in percent, for the engines that were played.

    ``summary`` is of ``metrics.summarise``; ``labels`` names each policy, in the order to be
    shown; a trailing ``*`` marks a held-in engine.
    Our rows have low, high, k and n; the paper gives none. ``source`` keeps the two apart.
    """
    rank = {policy: number for number, policy in enumerate(labels)}
    summary = summary.sort_values("policy", key=lambda policies: policies.map(rank), kind="stable")
    ours = summary.assign(source=OURS, family=model, method=summary["policy"].map(labels))
    ours[["value", "low", "high"]] = ours[["value", "low", "high"]] * 100
    ours["held_in"] = ours["method"].str.endswith("*")
    paper = reported[(reported["artefact"] == "tab1_main") & reported["engine"].isin(summary["engine"])]
    paper = paper.assign(
        method=paper["method"] + paper["held_in"].map({True: "*", False: ""}), citation=paper["source"], source=PAPER
    )
    columns = [
        "source",
        "family",
        "method",
        "held_in",
        "engine",
        "metric",
        "value",
        "low",
        "high",
        "k",
        "n",
        "citation",
    ]
    return pd.concat([ours, paper], ignore_index=True).reindex(columns=columns)


def overall(table: pd.DataFrame, family: str) -> tuple[Figure, pd.DataFrame]:
    """fig1_overall: progress per method, ours beside one of the paper's model families, a row of panels per engine."""
    shown = table[(table["metric"] == "progress") & ((table["source"] == OURS) | (table["family"] == family))]
    engines = list(dict.fromkeys(shown["engine"]))
    figure, grid = plt.subplots(
        len(engines), 2, figsize=(11, 0.6 + 2.6 * len(engines)), squeeze=False, layout="constrained"
    )
    for axes, engine in zip(grid, engines, strict=True):
        part = shown[shown["engine"] == engine]
        ours, paper = part[part["source"] == OURS], part[part["source"] == PAPER]
        _bars(
            axes[0], ours, f"{ENGINE_NAMES[engine]} · this run · {ours['family'].iloc[0]} · n = {ours['n'].iloc[0]:.0f}"
        )
        _bars(axes[1], paper, f"{ENGINE_NAMES[engine]} · reported in the paper · {family}")
    return figure, shown


def _bars(ax: Axes, part: pd.DataFrame, title: str) -> None:
    """Horizontal bars with the value in words; whiskers where the table has an interval."""
    sns.barplot(part, x="value", y="method", ax=ax, color=sns.color_palette()[0], alpha=0.85)
    for row, (value, low, high) in enumerate(part[["value", "low", "high"]].itertuples(index=False)):
        if pd.notna(low):
            ax.errorbar(value, row, xerr=[[value - low], [high - value]], color="0.2", capsize=3)
        edge = value if pd.isna(high) else high
        ax.text(edge + 1.5, row, f"{value:.1f}", va="center", fontsize=9)
    ax.set(xlim=(0, 112), xticks=range(0, 101, 20), xlabel="progress rate (%)", ylabel="", title=title)
    ax.title.set_fontsize(10)


def training_curves(logs: pd.DataFrame) -> Figure:
    """Loss per trained token against the optimiser step, one line per model."""
    figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
    sns.lineplot(logs, x="step", y="loss", hue="model", style="model", ax=ax)
    ax.set(ylabel="loss (nats per trained token)", xlabel="optimiser step", ylim=(0, None))
    return figure


def funnel(counts: pd.DataFrame) -> Figure:
    """How often each rule turned something back, and how many trajectories were accepted."""
    figure, ax = plt.subplots(figsize=(7, 0.6 + 0.4 * len(counts)), layout="constrained")
    sns.barplot(counts, x="count", y="outcome", hue="kind", dodge=False, ax=ax)
    for row, count in enumerate(counts["count"]):
        ax.text(count, row, f" {count}", va="center", fontsize=9)
    ax.set(xlabel="number", ylabel="")
    return figure


def pipeline(stages: list[tuple[str, str, str]]) -> Figure:
    """fig4_pipeline: the stages of the code with this run's counts, left to right.

    Each stage is (room of the library, what it makes, what it sent back or ""); the last is drawn below the arrow.
    """
    figure, ax = plt.subplots(figsize=(2.3 * len(stages), 2.6), layout="constrained")
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": sns.color_palette()[0], "linewidth": 1.5}
    for column, (room, made, sent_back) in enumerate(stages):
        ax.text(column, 0.62, f"{room}\n\n{made}", ha="center", va="center", fontsize=10, bbox=box)
        if column:
            forward = {"arrowstyle": "->", "color": "0.2", "lw": 1.5}
            ax.annotate("", (column - 0.36, 0.62), (column - 0.64, 0.62), arrowprops=forward)
        if sent_back:
            red = sns.color_palette()[3]
            back = {"arrowstyle": "->", "color": red, "connectionstyle": "arc3,rad=-0.35"}
            ax.annotate("", (column - 0.9, 0.38), (column - 0.1, 0.38), arrowprops=back)
            ax.text(column - 0.5, 0.04, sent_back, ha="center", va="center", fontsize=9, color=red)
    ax.set(xlim=(-0.5, len(stages) - 0.5), ylim=(0, 1))
    ax.axis("off")
    return figure


def errors_by_position(turns: pd.DataFrame) -> Figure:
    """Share of Player turns with each error flag, over the position in the play (tenths, 0 is its start)."""
    figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
    sns.lineplot(turns, x="position", y="share", hue="error", style="error", markers=True, ax=ax)
    ax.set(xlabel="position in the play", ylabel="share of Player turns", ylim=(0, None))
    sns.move_legend(ax, "upper left", bbox_to_anchor=(1, 1))
    return figure


def agreement(table: pd.DataFrame) -> Figure:
    """fig_judge: share of turns that judge and verifier label alike, beside the paper's."""
    figure, ax = plt.subplots(figsize=(7, 0.8 + 0.5 * len(table)), layout="constrained")
    _bars(ax, table.rename(columns={"judge": "method"}), "")
    ax.set(xlabel="turns labelled alike (%)")
    return figure
