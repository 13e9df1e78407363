"""Chapter 7: scaling, self-refinement against progress, stuck loops and kinds of errors."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from agentrefine_lib.environments import titles
from agentrefine_lib.metrics.behaviour import ACCEPTED
from agentrefine_lib.plots.findings import changed, compared, count
from agentrefine_lib.plots.looks import AGENTREFINE, BLUE, panels, sheet, tell
from agentrefine_lib.plots.marks import curves, lines_of, name_rows
from agentrefine_lib.plots.paper import PAPER

KINDS = {ACCEPTED: "0.88", "logic": "#FDBE85", "parameter": "#E6550D", "format": "#7F2704"}
ENDS = ["value", "low", "high"]


def scaling(table: pd.DataFrame) -> Figure:
    """fig5_scaling: progress against the number of training trajectories, a panel per engine, 95 % bands.

    The first panel is the paper's curve, the second ours of the same definition, the mean over the tasks of table 1.
    """
    shown = table[table["metric"] == "progress"].sort_values("conversations").assign(method=AGENTREFINE)
    shown.loc[shown["source"] == PAPER, "engine"] = PAPER
    named = {PAPER: "the paper, table 1's tasks", "all": "this run, table 1's tasks"}
    there = set(shown["engine"])
    names = {name: title for name, title in named.items() if name in there} | titles(there - named.keys())
    figure, axes = panels(names, 1.45, columns=3)
    top = max(20, shown.loc[shown["source"] != PAPER, ENDS].max().max())
    for engine, ax in axes.items():
        end = 100 if engine == PAPER else top
        part = shown[shown["engine"] == engine]
        face: Any = {"markerfacecolor": "white" if engine == PAPER else BLUE}
        curves(ax, part, "conversations", "value", "method", **face)
        sizes = part["conversations"].unique()
        ax.set(xscale="log", ylim=(-0.03 * end, 1.03 * end))
        ax.set_xticks(sizes, [f"{size:,.0f}" if size < 4000 else f"{size / 1000:.0f}k" for size in sizes])
        ax.tick_params(axis="x", rotation=45)  # sizes may lie close
        ax.minorticks_off()
    ours = shown[shown["engine"] == "all"].drop_duplicates("conversations")
    finding = "One training set only: no growth to see"
    if len(ours) > 1:
        sizes = ours["conversations"].iloc[[0, -1]]
        when = "between {:,.0f} and {:,.0f} trajectories".format(*sizes)
        finding = changed(ours.iloc[0], ours.iloc[-1], "Progress", when)
    reading = (
        "Progress (%) over the number of training trajectories; bands: 95 % intervals, none where all tasks scored "
        f"alike. Hollow: the paper's, on an axis to 100 %; this run's end at {top:.0f} %."
    )
    return tell(figure, finding, reading)


def refinement(points: pd.DataFrame, told: str) -> Figure:
    """fig_refinement: a dot per trained model, its recovery rate against its progress elsewhere; ``told`` above."""
    figure, ax = sheet(4)
    looks = lines_of(list(dict.fromkeys(points["method"])))
    for name, part in points.groupby("method", sort=False, observed=True):
        dot = looks[str(name)] | {"linestyle": "", "markersize": 8}
        ax.plot(100 * part["recovery"], 100 * part["progress"], label=str(name), **dot)
    right, top = (max(20, 110 * points[name].max()) if len(points) else 20 for name in ("recovery", "progress"))
    ax.set(xlim=(-0.02 * right, right), ylim=(-0.02 * top, top), ylabel="progress, other half of the tasks (%)")
    ax.set(xlabel="recovery: refused actions whose next one is accepted (%)")
    if looks:
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    return tell(figure, told, "A dot per trained model and seed; both axes begin at zero and show 20 points or more.")


def stuck(curves_of: pd.DataFrame) -> Figure:
    """fig_stuck: the share of episodes without a stuck loop so far; AgentRefine's with its 95 % band."""
    steps = curves_of["step"].max() + 0.5  # so that a fall at the last step is seen
    last = curves_of.groupby("method", sort=False, observed=True).tail(1).rename(columns={"free": "value"})
    shown = pd.concat([curves_of.rename(columns={"free": "value"}), last.assign(step=steps)], ignore_index=True)
    last, shown = (part.assign(**(100 * part[ENDS])) for part in (last, shown))
    figure, ax = sheet(3.8)
    ax.set(xlabel="step", ylabel="episodes without a loop (%)", ylim=(0, 103), xlim=(0, steps if steps > 0 else 1))
    curves(ax, shown, "step", "value", "method", height=2.6, drawstyle="steps-post", marker="")
    reading = "A loop: what was just refused is sent again. Every episode weighs the same. Band: 95 % interval; "
    reading += f"n = {last['n'].min()}."
    return tell(figure, compared(last, "share of episodes without a loop"), reading)


def error_kinds(shares: pd.DataFrame) -> Figure:
    """fig_taxonomy: a panel per engine, a bar per method, divided into accepted steps and kinds of errors."""
    methods = list(dict.fromkeys(shares["method"]))
    figure, axes = panels(titles(shares["engine"]), 0.4 + 0.2 * len(methods), sharex=True, sharey=True)
    for engine, ax in axes.items():
        part = 100 * shares[shares["engine"] == engine].pivot_table(index="method", columns="error", values="share")
        part = part.reindex(index=methods, columns=list(KINDS)).fillna(0)
        part.plot.barh(ax=ax, stacked=True, color=KINDS, width=0.75, linewidth=0, legend=False)
        name_rows(ax, methods)
        ax.set(xlim=(0, 100), xticks=(0, 50, 100), xlabel="", ylabel="")
    if axes:
        figure.legend(*ax.get_legend_handles_labels(), loc="outside lower right", ncols=len(KINDS), frameon=False)
    ours = shares[shares["method"] == AGENTREFINE].groupby("error")["count"].sum().sort_values(ascending=False)
    said = ", ".join(f"{kind} {100 * part / ours.sum():.0f} %" for kind, part in ours.items() if part)
    finding = f"AgentRefine's {count(int(ours.sum()), 'step')}: {said}"
    return tell(figure, finding, "Share of steps (%): accepted, or refused for an error.")
