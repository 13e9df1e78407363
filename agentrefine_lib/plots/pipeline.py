"""What data went through the pipeline: training curves, rejections, errors, and whether a judge agrees."""

from textwrap import fill
from typing import Any, get_args

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from agentrefine_lib.plots.findings import count
from agentrefine_lib.plots.looks import AGENTREFINE, BLUE, INK, RED, colour, method_labels, panels, sheet, tell
from agentrefine_lib.plots.marks import bars, curves, name_rows
from agentrefine_lib.plots.paper import PAPER
from agentrefine_lib.schema.turns import TURNS
from agentrefine_lib.verify import Reason

ACCEPTED = "accepted"
LOSSES = {"loss_ordinary": "0.6", "loss_refinement": BLUE}


def training_curves(logs: pd.DataFrame) -> Figure:
    """Loss per trained token against the optimiser step: a panel per model, a line per seed and kind of reply.

    ``logs`` has step, loss, loss_refinement, loss_ordinary, model and policy (one model with one seed).
    """
    figure, axes = panels(method_labels(logs["model"]), 1.45, sharey=True)
    top = logs[list(LOSSES)].max().max()
    for model, ax in axes.items():
        for _, log in logs[logs["model"] == model].groupby("policy", sort=False):
            for loss, shade in LOSSES.items():
                ax.plot(log["step"], log[loss], color=shade, linewidth=1.2)
        ax.set(ylim=(0, 1.05 * top if top > 0 else 1), xlim=(0, None))
    figure.supylabel("loss (nats per trained token)", fontsize=8.5)
    ours = logs[logs["model"] == "agentrefine"].groupby("step")[list(LOSSES)].mean().dropna()
    finding = "AgentRefine was not trained here"
    if len(ours):
        first, last = ours.iloc[0], ours.iloc[-1]
        seeds = logs.loc[logs["model"] == "agentrefine", "policy"].nunique()
        refined, ordinary = (f"from {first[loss]:.2f} to {last[loss]:.2f}" for loss in reversed(LOSSES))
        finding = f"AgentRefine's loss on refinements goes {refined} nats per token in "
        finding += f"{count(int(ours.index[-1]), 'step')}, on ordinary replies {ordinary}"
        finding += f" (mean of {seeds} seeds)" * (seeds > 1)
    reading = "Over the optimiser's steps. Blue: refinements, if trained; grey: ordinary replies. A line per seed."
    return tell(figure, finding, reading)


def likelihood(read: pd.DataFrame) -> Figure:
    """fig_likelihood: nats per token of each kind of turn, a row per method; ``read``: ``tuning.check.likelihoods``."""
    names = method_labels(read["method"])
    shown, labels = read.assign(method=read["method"].map(names)), list(names.values())
    figure, axes = panels({t: f"{t} turns" for t in TURNS}, 0.5 + 0.22 * len(labels), 3, sharex=True, sharey=True)
    dots: Any = {"hue": "method", "palette": {label: colour(label) for label in labels}, "linestyle": "none", "seed": 0}
    for turn, ax in axes.items():
        part = shown[shown["turn"] == turn]
        line = {"linewidth": 1.2}
        sns.pointplot(part, x="nats", y="method", order=labels, ax=ax, legend=False, markersize=5, err_kws=line, **dots)
        name_rows(ax, labels)
        ax.set(xlim=(0, 1.08 * read["nats"].max()), xlabel="nats per token", ylabel="")
    means = shown.pivot_table(index="turn", columns="method", values="nats")
    means = means.reindex(["refinement", "erroneous"]).dropna(how="all")
    finding = "AgentRefine was not tuned here"
    if {"untuned", AGENTREFINE} <= set(means):
        moves = (f"{turn} turns from {m['untuned']:.2f} to {m[AGENTREFINE]:.2f}" for turn, m in means.iterrows())
        finding = f"AgentRefine's tuning moves {', '.join(moves)} nats per token"
    told = count(read["task"].nunique(), "conversation")
    return tell(
        figure, finding, f"To the left: likelier. Means over {told} of the training set; lines: 95 % intervals."
    )


def funnel(counts: pd.DataFrame) -> Figure:
    """fig_funnel: what is left of all attempts after each rule, from the first rule to the last.

    ``counts``: a row per ``outcome``, "accepted" and the rules that rejected something, with its ``count``.
    """
    found = counts.set_index("outcome")["count"].drop("given_up", errors="ignore")  # a persona's end, no attempt
    lost = {rule: int(found[rule]) for rule in get_args(Reason) if found.get(rule, 0)}
    left = total = int(found.sum())
    figure, ax = sheet(1.3 + 0.42 * (len(lost) + 2))
    text: Any = {"va": "center", "fontsize": 9}
    for place, (stage, turned) in enumerate({"attempts": 0, **lost, ACCEPTED: 0}.items()):
        paint, ink = (BLUE, "white") if stage == ACCEPTED else ("0.8", "0.1")
        for width, face in ((left, RED), (left - turned, paint)):
            ax.barh(place, width, left=-width / 2, color=face, height=0.75, linewidth=0)
        left -= turned
        ax.text(0, place, f"{left:,}", ha="center", color=ink, **text)
        ax.text(0.53 * total, place, f"– {turned:,}" if turned else "", color=RED, **text)
    name_rows(ax, [stage.replace("_", " ") for stage in ("attempts", *lost, ACCEPTED)])
    ax.set(xlim=(-0.52 * max(total, 1), 0.65 * max(total, 1)), xticks=[])
    most = max(lost, key=lambda rule: lost[rule], default="")
    finding = f"{left:,} of {count(total, 'attempt')} became trajectories"
    finding += f"; the rule “{most.replace('_', ' ')}” turned most back, {lost[most]:,}" if most else ""
    return tell(
        figure, finding, "What is left after each rule (grey), and what it turns back to be tried again (orange)."
    )


def pipeline(stages: list[tuple[str, str, str]]) -> Figure:
    """fig4_pipeline: the stages of the code with this run's counts, left to right.

    Each stage is (room of the library, what it makes, what it sent back to the stage before it, or "").
    """
    figure, ax = sheet(2.3)
    loop: Any = {"arrowstyle": "-|>", "color": RED, "lw": 1.5, "connectionstyle": "arc3,rad=-0.45"}
    for column, (room, made, sent_back) in enumerate(stages):
        last = column == len(stages) - 1
        box: Any = {
            "boxstyle": "round,pad=0.6",
            "facecolor": BLUE if last else "white",
            "edgecolor": BLUE if last else INK,
        }
        text: Any = {"ha": "center", "va": "center", "fontsize": 8.5, "parse_math": False}
        ax.text(column, 0.7, fill(made, 12, break_long_words=False), bbox=box, color="white" if last else "0.1", **text)
        ax.text(column, 1.02, room, color=INK, style="italic", **text)
        if column:
            ax.annotate("", (column - 0.4, 0.7), (column - 0.6, 0.7), arrowprops={"arrowstyle": "-|>", "color": INK})
        if sent_back:
            ax.annotate("", (column - 0.95, 0.46), (column - 0.05, 0.46), arrowprops=loop)
            ax.text(column - 0.5, 0.06, fill(sent_back, 18), color=RED, **text)
    ax.set(xlim=(-0.5, max(1, len(stages)) - 0.5), ylim=(-0.12, 1.1))
    ax.axis("off")
    finding = f"From {stages[0][1]} to {stages[-1][1]}" if stages else "No stage ran"
    back = "; ".join(sent.replace("\n", " ") for *_, sent in stages if sent)
    return tell(figure, finding, f"Above: the room of the library; orange: what a check sends back ({back}).")


def errors_by_position(turns: pd.DataFrame) -> Figure:
    """fig_errors: share of Player turns with each error flag, over tenths of the play, from its start to its end."""
    figure, ax = sheet(3.3)
    top = 100 * turns["share"].max()
    ax.set(xlim=(0, 1), ylim=(0, 1.08 * top if top > 0 else 1), ylabel="share of Player turns (%)")
    ax.set(xlabel="position in the play (0: its start, 1: its end)")
    shown = turns.assign(middle=turns["position"] + 0.05, percent=100 * turns["share"])
    curves(ax, shown, "middle", "percent", "error", height=2.2)
    counts = turns.assign(errors=turns["share"] * turns["n"]).groupby("error")[["errors", "n"]].sum()
    shares = (100 * counts["errors"] / counts["n"]).sort_values(ascending=False)
    said = ", ".join(f"{kind} {share:.1f} %" for kind, share in shares.items())
    return tell(figure, f"Share of turns with an error: {said or 'none'}", "Each dot is one tenth of the play.")


def error_runs(table: pd.DataFrame) -> Figure:
    """fig13_error_runs: share of turns in runs of errors of each length, this run's bars beside the paper's."""
    order = list(table["metric"].unique())
    shown = table.sort_values("metric", key=lambda names: names.map(order.index), kind="stable")
    totals = table.groupby("source", sort=False)["value"].agg(["first", "sum"])
    alone = [f"{who}: {100 * row['first'] / row['sum']:.0f} %" for who, row in totals.iterrows() if row["sum"] > 0]
    finding = f"Share of error turns that stand alone, {', '.join(alone)}" if alone else "No errors at all"
    return _percents(shown, "metric", "share of Player turns in runs of so many errors (%)", finding)


def agreement(table: pd.DataFrame) -> Figure:
    """fig_judge: share of turns that the judge labels as the dungeon master did, beside the paper's."""
    shown = table[table["value"].notna()]
    said = ", ".join(f"{row.judge} {row.value:.1f} %" for row in shown.itertuples())
    return _percents(shown, "judge", "labelled alike (% of turns)", f"Agreement with the teacher: {said or 'none'}")


def _percents(table: pd.DataFrame, names: str, what: str, finding: str) -> Figure:
    figure, ax = sheet(1.4 + 0.24 * len(table))
    labels = [
        row[names] + ", paper" * (row["source"] == PAPER and "paper" not in row[names])
        for row in table.to_dict("records")
    ]
    bars(ax, table.assign(method=labels), labels)
    top = 100 if table["value"].max() > 20 else 20
    ax.set(xlabel=what, xlim=(0, 1.46 * top), xticks=(0, top / 2, top))
    return tell(figure, finding, "Filled: this run, lines: 95 % intervals; hollow: the paper's.")
