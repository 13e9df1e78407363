"""Chapter 6: maps of thoughts and environments, and the best of N samples."""

from collections.abc import Iterable
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from agentrefine_lib.environments import titles
from agentrefine_lib.metrics.ladder import SYNTHESISED, WORLDS
from agentrefine_lib.plots.findings import changed
from agentrefine_lib.plots.looks import AGENTREFINE, BLUE, colour, panels, sheet, tell
from agentrefine_lib.plots.marks import MARKERS, curves
from agentrefine_lib.plots.paper import OURS


def thought_maps(points: pd.DataFrame) -> Figure:
    """fig_thoughts: a map per method and kind of thoughts, its own dots over all others of that kind in light grey."""
    groups: dict[Any, pd.DataFrame] = dict(list(points.groupby(["of", "method"], sort=False)))
    figure, axes = panels({key: key[1] for key in groups}, 1.35, columns=6)
    kinds: set[str] = set()  # each is named beside its first panel
    for key, ax in axes.items():
        for part, size, paint in ((points[points["of"] == key[0]], 3, "0.88"), (groups[key], 5, colour(key[1]))):
            ax.scatter(part["x"], part["y"], s=size, color=paint, linewidth=0)
        ax.set(xticks=[], yticks=[], ylabel="" if key[0] in kinds else key[0])
        kinds.add(key[0])
    found = {key: part["text"].nunique() for key, part in groups.items()}
    said = []
    for (of, _), part in ((key, part) for key, part in groups.items() if key[1] == AGENTREFINE):
        others = {method: n for (kind, method), n in found.items() if kind == of and method != AGENTREFINE}
        ends = sorted(others, key=lambda method: others[method])[:: max(1, len(others) - 1)]
        rivals = f" ({', '.join(f'{method} {others[method]:,}' for method in ends)})" if ends else ""
        said.append(f"{found[of, AGENTREFINE]:,} of {len(part):,} in {of}{rivals}")
    reading = "t-SNE: near dots are alike, distances between groups mean little. Light grey: the other methods. "
    reading += "In brackets above: the other methods with the fewest and the most."
    return tell(figure, f"Distinct thoughts of AgentRefine: {'; '.join(said) or 'none here'}", reading)


def environment_map(points: pd.DataFrame) -> Figure:
    """fig_environments: synthesised and test environments on one map, and how near the nearest synthesised one is."""
    groups = {title: points[points["engine"] == kind] for kind, title in _kinds(points["engine"]).items()}
    figure, axes = panels({"map": "", "near": ""}, 2.8, columns=2, width_ratios=(3, 2))
    for (name, part), marker in zip(groups.items(), "o" + MARKERS, strict=False):
        size, paint = (2.5, BLUE) if name == SYNTHESISED else (5, "0.3")
        axes["map"].plot(part["x"], part["y"], marker, color=paint, markersize=size, label=name)
    axes["map"].set(xticks=[], yticks=[])
    axes["map"].legend(fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=3, frameon=False)
    near = [part["nearest"].dropna() for part in groups.values()]
    axes["near"].boxplot(near, orientation="horizontal", tick_labels=list(groups), flierprops={"markersize": 2})
    axes["near"].set(xlabel="similarity to the nearest\nsynthesised environment")
    axes["near"].set_xlim(min(0, points["nearest"].min()), 1.02)
    axes["near"].invert_yaxis()
    nearest = points.groupby("engine")["nearest"].mean()  # as in the claim: an engine counts once, the teacher's not
    tests = nearest.drop([SYNTHESISED, WORLDS], errors="ignore").sort_values()
    means = tests.mean(), nearest.get(SYNTHESISED, float("nan"))
    finding = "Mean similarity to the nearest synthesised environment: test engines {:.2f}, synthesised ones {:.2f}"
    above = [f"{titles([name])[name]} {value:.2f}" for name, value in tests[tests > means[1]].items()]
    finding += f"; above these: {', '.join(above)}" if above else ""
    reading = (
        "Left: t-SNE, blue: synthesised, grey: test environments. Right: cosine similarity, quartiles and outliers."
    )
    return tell(figure, finding.format(*means), reading)


def _kinds(engines: Iterable[str]) -> dict[str, str]:
    """The synthesised environments and the engines, with their titles in the order to be shown."""
    there = set(engines)
    return dict.fromkeys(there & {SYNTHESISED}, SYNTHESISED) | titles(there - {SYNTHESISED})


def similarity(table: pd.DataFrame) -> Figure:
    """fig7_similarity: mean similarity of two instructions, a row and a column per kind of environment."""
    square = table.pivot_table(index="engine", columns="other", values="similarity", dropna=False)
    names = _kinds(square.index)
    square = square.reindex(index=list(names), columns=list(names)).rename(index=names, columns=names)
    figure, ax = sheet(1.7 + 0.42 * len(names))
    least, words = min(0.0, square.min().min()), {"fontsize": 9}
    sns.heatmap(square, vmin=least, vmax=1, cmap="Greys", annot=True, fmt=".2f", annot_kws=words, ax=ax)
    for number in ax.texts:  # readable on every grey
        dark = (float(number.get_text()) - least) / (1 - least) > 0.6
        number.set_color("white" if dark else "black")
    ax.set(xlabel="", ylabel="")
    ax.grid(visible=False)
    ax.tick_params(axis="x", rotation=30)
    ours, same = table["engine"] == SYNTHESISED, table["other"] == SYNTHESISED
    across = table[ours & ~same].sort_values("similarity").dropna()
    among = table.loc[ours & same, "similarity"].mean()
    most = [
        f"at most {row['similarity']:.2f} ({names[row['other']]}), among synthesised ones {among:.2f}"
        for row in across.iloc[-1:].to_dict("records")
    ]
    finding = f"Similarity of synthesised and test instructions: {most[0] if most else 'nothing to compare'}"
    reading = "Mean cosine similarity of two instructions, none compared with itself; "
    return tell(figure, finding, f"{reading}0: no more alike than any two here.")


def best_of_curves(table: pd.DataFrame) -> Figure:
    """tab4_bestofn, drawn: the expected progress of the best of k samples; k = 0 stands for greedy decoding."""
    shown = table[(table["source"] == OURS) & (table["metric"] == "progress")]
    figure, axes = panels(titles(shown["engine"]), 2.5, columns=2, sharey=True)
    ticks = sorted(shown["best_of"].unique())
    for engine, ax in axes.items():
        ax.set(ylim=(-3, 103), xlabel="best of", ylabel="progress (%)")
        ax.set_xticks(ticks, [f"{k:.0f}" if k else "greedy" for k in ticks])
        curves(ax, shown[shown["engine"] == engine], "best_of", "value", "method", height=1.8)
    ours = shown[shown["method"] == AGENTREFINE].groupby("best_of")[["value", "n"]].mean()
    when = f"from greedy decoding to the best of {max(ticks, default=0):.0f}"
    finding = (
        changed(ours.iloc[0], ours.iloc[-1], "AgentRefine's progress", when) if len(ours) else "No AgentRefine here"
    )
    return tell(figure, finding, "Expected progress of the best of k samples. Band: 95 % interval of AgentRefine.")
