"""Chapter 5: what renamed commands do to each method, and what a mistake does."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from agentrefine_lib.environments import titles
from agentrefine_lib.metrics.robustness import FIGURE_3, TABLE_3, UNPERTURBED
from agentrefine_lib.plots.findings import changed, tasks_of
from agentrefine_lib.plots.looks import AGENTREFINE, panels, sheet, tell
from agentrefine_lib.plots.marks import change, name_rows
from agentrefine_lib.plots.paper import OURS, PAPER

PERTURBED = ["perturbed", "mean of P1 to P3"]  # what ``metrics.robustness`` and the paper call it


def perturbed(table: pd.DataFrame) -> Figure:
    """fig3_perturbation: per engine and method, from unchanged commands to the mean over renamed ones.

    Where a method was trained on the engine, to each wording that is not in the mean as well."""
    played = table.loc[table["source"] == OURS, "perturbation"].drop_duplicates()
    papers = played[played.isin(FIGURE_3)], played[~played.isin([*TABLE_3, *PERTURBED])]
    keys = ["source", "engine", "method", "metric"]
    moves = _moves(table, "perturbation", UNPERTURBED, [*PERTURBED, *papers[1]], keys)
    ours, mean = moves["source"] == OURS, moves["perturbation_after"].isin(PERTURBED)
    home = moves["engine"].isin(moves.loc[ours & moves["held_in"].eq(True), "engine"])
    moves = moves.assign(wording=("… " + moves["perturbation_after"]).mask(mean, ""))[mean | (ours & home)]
    moves = moves.sort_values("wording", key=lambda wordings: wordings.ne(""), kind="stable")  # the means first
    rows, names = [], titles(moves["engine"])
    for source in (OURS, PAPER):
        part = moves[moves["source"] == source]
        for engine in titles(part["engine"]):
            rows.append((source, engine, "", ""))  # a head, then the methods
            there = part[part["engine"] == engine]
            for who in there["method"].unique():
                wordings = there.loc[there["method"] == who, "wording"].unique()
                rows += [(source, engine, who, wording) for wording in wordings]
    scores = {metric: f"{metric} (%)" for metric in ("success", "progress")}
    figure, axes = panels(scores, 0.5 + 0.19 * len(rows), columns=2, sharey=True)
    for metric, ax in axes.items():
        for row in moves[moves["metric"] == metric].to_dict("records"):
            change(ax, rows.index((row["source"], row["engine"], row["method"], row["wording"])), row)
        name_rows(
            ax, [wording or who or names[at] + ", the paper" * (source == PAPER) for source, at, who, wording in rows]
        )
        for tick, (*_, who, _) in zip(ax.get_yticklabels(), rows, strict=False):
            tick.set_fontweight("normal" if who else "bold")
        ax.set(xlim=(-4, 146), xticks=(0, 50, 100))
    over = ", elsewhere over ".join(" and ".join(names) for names in papers if len(names)) or "renamed ones"
    reading = f"Tick: commands as they are; dot: mean under {over}; …: under one other wording; band: 95 % interval. "
    reading += "Hollow: the paper's, over P1 to P3."
    under = " and ".join(papers[0] if len(papers[0]) else papers[1]) or "renamed commands"
    told = moves[(moves["source"] == OURS) & (moves["metric"] == "progress") & moves["wording"].eq("")]
    return tell(figure, _cost(told, under), reading)


def _moves(table: pd.DataFrame, by: str, before: str, after: Sequence[str], keys: list[str]) -> pd.DataFrame:
    """A row per ``keys``: its value before, and value, low and high after, as ``change`` draws them."""
    later = table.loc[table[by].isin(after), [*keys, by, "value", "low", "high"]]
    return table[table[by] == before].merge(later, on=keys, suffixes=("", "_after"))


def _cost(moves: pd.DataFrame, under: str) -> str:
    """What renaming does to progress where a method was trained; it is a mean ``under`` these perturbations."""
    home = moves[moves["engine"].isin(moves.loc[moves["held_in"].eq(True), "engine"])]
    if home.empty:
        return "No method was trained on an engine that is played here"
    where = ", ".join(titles(home["engine"]).values())
    if not home[["value", "value_after"]].any(axis=None):
        return f"Nobody makes progress on {where}, with old or with renamed commands: nothing can be lost"
    said = [f"{row.method} from {row.value:.1f} % to {row.value_after:.1f} %" for row in home.itertuples()]
    return f"Progress on {where} under {under} (n = {tasks_of(home).min():.0f}): {', '.join(said)}"


def mended(table: pd.DataFrame) -> Figure:
    """fig_mending: accepted replies, a row per method, from the first reply to the one after a mistake."""
    before, after = [*table["reply"].unique(), "first reply", "after a mistake"][:2]
    percent = table.assign(**(100 * table[["value", "low", "high"]]))
    moves = _moves(percent, "reply", before, [after], ["method"])
    figure, ax = sheet(1.3 + 0.26 * len(moves))
    for place, row in enumerate(moves.to_dict("records")):
        change(ax, place, row)
    name_rows(ax, list(moves["method"]))
    ax.set(xlim=(-4, 146), xticks=range(0, 101, 25), xlabel="replies that the world accepts (%)")
    ours = percent[percent["method"] == AGENTREFINE].set_index("reply")
    finding = "AgentRefine was not played before and after a mistake"
    if {before, after} <= set(ours.index):
        finding = changed(ours.loc[before], ours.loc[after], "AgentRefine's rate of accepted replies", after)
    worlds = tasks_of(percent).groupby(percent["reply"]).max()
    sizes = f"n = {worlds.get(before, 0):.0f} and {worlds.get(after, 0):.0f} worlds"
    return tell(figure, finding, f"Tick: {before}; dot: {after}, band: its 95 % interval; {sizes}.")
