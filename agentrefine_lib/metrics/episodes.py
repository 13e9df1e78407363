"""What episodes say about a method, one definition for each number.

Success, progress and grounding follow AgentBoard (Ma et al. 2024): the share of tasks won; the episode's last progress
value, in [0, 1]; the share of an episode's steps whose action the engine accepted, in whatever form the reply had it.
The others are ours: ``format_errors`` is the share of steps whose reply had no action line or was no command;
``repeats`` the share of steps that do once more, word for word, what was refused one step before (a stuck loop);
``recovery`` the share of refused steps, the last step apart, whose next step was accepted.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise, starmap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agentrefine_lib.metrics.intervals import mean_interval, success_interval
from agentrefine_lib.metrics.paired import grid
from agentrefine_lib.schema import Episode, Step, read_jsonl

NAN = float("nan")
METRICS: dict[str, Callable[[Episode], float]] = {  # what is averaged over episodes; NaN where an episode has none
    "progress": lambda e: NAN if e.known_progress is None else e.progress,
    "grounding": lambda e: _share(step.error is None for step in e.steps),
    "format_errors": lambda e: _share(step.error == "format" or not step.well_formed for step in e.steps),
    "repeats": lambda e: sum(starmap(is_repeat, pairwise(e.steps))) / len(e.steps),
    "recovery": lambda e: _share(after.error is None for before, after in pairwise(e.steps) if before.error),
    "steps": lambda e: len(e.steps),
}


def episode_table(paths: Iterable[Path], models: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row per episode: policy, method, seed, engine, task, success, METRICS, dropped, retries, engine_version.

    ``models`` says which policies are models of one method, with which training seed (``tuning.models_table``); a
    policy that is not in it is a method of its own. ``recovery`` is missing where no step but the last was refused,
    progress where the engine knows of none.
    """
    rows = [_row(episode) for path in paths for episode in read_jsonl(path, Episode)]
    return label_policies(pd.DataFrame(rows), models).sort_values(["policy", "engine", "task"], ignore_index=True)


def run_episodes(run: Path, method: str | None = None) -> pd.DataFrame:
    """``episode_table`` of the models that a run has tuned and played, or of those of one method."""
    models = pd.read_csv(run / "models" / "models.csv")
    chosen = models if method is None else models[models["method"] == method]
    return episode_table([run / "episodes" / f"{policy}.jsonl" for policy in chosen["policy"]], models)


def label_policies(table: pd.DataFrame, models: pd.DataFrame | None = None) -> pd.DataFrame:
    """The table with ``method`` and ``seed`` of each row's ``policy``."""
    known = {} if models is None else models.set_index("policy")[["method", "seed"]].to_dict()
    methods, seeds = known.get("method", {}), known.get("seed", {})
    return table.assign(
        method=[methods.get(policy, policy) for policy in table["policy"]],
        seed=[seeds.get(policy, 0) for policy in table["policy"]],
    )


def _row(episode: Episode) -> dict[str, Any]:
    return {
        "policy": episode.policy,
        "engine": episode.task.engine,
        "task": episode.task.id,
        "success": episode.success,
        **{name: measure(episode) for name, measure in METRICS.items()},
        "dropped": episode.dropped,
        "retries": episode.retries,
        "engine_version": episode.engine_version,
    }


def is_repeat(before: Step, after: Step) -> bool:
    """Whether a step does once more, word for word, what was refused one step before."""
    return before.error is not None and after.action == before.action


def _share(events: Iterable[bool]) -> float:
    found = list(events)
    return sum(found) / len(found) if found else NAN


def summarise(episodes: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """One row per method, engine and metric: value, low, high (95 %), k (wins; empty for means), n (episodes), seeds.

    Values are means over tasks and seeds, their intervals a bootstrap over both (``intervals``). Success of one model
    has Wilson's; that of several what covers the bootstrap's and Wilson's for their mean.
    """
    rows = []
    for (method, engine), group in episodes.groupby(["method", "engine"], sort=False):
        key = {"method": method, "engine": engine, "seeds": group["seed"].nunique()}
        for metric in [name for name in ("success", *METRICS) if name in group]:
            values = grid(group, str(method), metric).to_numpy(float)
            if n := int(np.isfinite(values).sum()):
                wins = int(np.nansum(values)) if metric == "success" else None
                low, high = _interval(values, wins, seed)
                found = {"metric": metric, "value": np.nanmean(values), "low": low, "high": high, "k": wins, "n": n}
                rows.append(key | found)
    table = pd.DataFrame(rows, columns=["method", "engine", "metric", "value", "low", "high", "k", "n", "seeds"])
    return table.astype({"k": "Int64"})


def _interval(values: np.ndarray, wins: int | None, seed: int) -> tuple[float, float]:
    if wins is None:
        return mean_interval(values, seed)
    tasks = values.shape[1]
    low, high = success_interval(wins * tasks / int(np.isfinite(values).sum()), tasks)
    if len(values) == 1:
        return low, high
    drawn = mean_interval(values, seed)
    return min(low, drawn[0]), max(high, drawn[1])


def telling_task(episodes: pd.DataFrame, method: str, baseline: str) -> tuple[str, str, str]:
    """The task where the method's first model is furthest ahead of the baseline's in progress, and the two policies.

    A case to look at, chosen to differ: it says nothing about how often this happens.
    """
    ours, theirs = (min(episodes.loc[episodes["method"] == name, "policy"]) for name in (method, baseline))
    progress = episodes.pivot_table(index="task", columns="policy", values="progress")
    return str((progress[ours] - progress[theirs]).dropna().idxmax()), ours, theirs


def first_divergence(ours: Episode, theirs: Episode) -> int:
    """The first step, counted from 1, whose actions differ. Raises ValueError for two different tasks."""
    if ours.task != theirs.task:
        raise ValueError(f"these play different tasks: {ours.task.id} and {theirs.task.id}")
    pairs = enumerate(zip(ours.steps, theirs.steps, strict=False), start=1)
    shorter = min(len(ours.steps), len(theirs.steps))
    return next((number for number, (a, b) in pairs if a.action != b.action), shorter + 1)
