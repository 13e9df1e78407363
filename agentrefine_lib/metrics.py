"""One definition for each number, with an interval: what episodes say about a policy, and about two on the same tasks.

Success, progress and grounding follow AgentBoard (Ma et al. 2024): the share of tasks won; the episode's last progress
value, in [0, 1]; the share of an episode's steps whose action the engine accepted. The others are ours:
``progress_max`` is the largest progress value of the episode; ``format_errors`` the share of steps whose reply had no
action line or was no command; ``repeats`` the share of steps that do once more, word for word, what was refused one
step before (a stuck loop); ``recovery`` the share of refused steps, the last step apart, whose next step was accepted.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest, bootstrap, permutation_test

from agentrefine_lib.schema import Episode, Step, read_jsonl

CONFIDENCE = 0.95
RESAMPLES = 9_999
FORMAT_ERRORS = ("reply", "format")
MEANS = ("progress", "progress_max", "grounding", "format_errors", "repeats", "recovery", "steps")


def episode_table(paths: Iterable[Path]) -> pd.DataFrame:
    """One row per episode: policy, engine, task, success, the metrics of MEANS, dropped, retries, engine_version.

    ``recovery`` is missing where no step but the last was refused.
    """
    rows = [_row(episode) for path in paths for episode in read_jsonl(path, Episode)]
    return pd.DataFrame(rows).sort_values(["policy", "engine", "task"], ignore_index=True)


def _row(episode: Episode) -> dict[str, Any]:
    steps = episode.steps
    return {
        "policy": episode.policy,
        "engine": episode.task.engine,
        "task": episode.task.id,
        "success": episode.success,
        "progress": episode.progress,
        "progress_max": max(step.progress for step in steps),
        "grounding": _share(step.error is None for step in steps),
        "format_errors": _share(step.error in FORMAT_ERRORS for step in steps),
        "repeats": sum(_repeats(before, after) for before, after in pairwise(steps)) / len(steps),
        "recovery": _share(after.error is None for before, after in pairwise(steps) if before.error),
        "steps": len(steps),
        "dropped": episode.dropped,
        "retries": episode.retries,
        "engine_version": episode.engine_version,
    }


def _repeats(before: Step, after: Step) -> bool:
    return before.error is not None and after.action == before.action


def _share(events: Iterable[bool]) -> float:
    found = list(events)
    return sum(found) / len(found) if found else float("nan")


def summarise(episodes: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """One row per policy, engine and metric: value, low, high (95 %), k (wins; empty for means) and n (episodes)."""
    rows = []
    for (policy, engine), group in episodes.groupby(["policy", "engine"], sort=False):
        key = {"policy": policy, "engine": engine}
        wins, n = int(group["success"].sum()), len(group)
        low, high = success_interval(wins, n)
        rows.append(key | {"metric": "success", "value": wins / n, "low": low, "high": high, "k": wins, "n": n})
        for metric in MEANS:
            values = group[metric].dropna().to_numpy(float)
            if len(values):
                low, high = mean_interval(values, seed)
                found = {"metric": metric, "value": values.mean(), "low": low, "high": high, "k": None}
                rows.append(key | found | {"n": len(values)})
    table = pd.DataFrame(rows)[["policy", "engine", "metric", "value", "low", "high", "k", "n"]]
    return table.astype({"k": "Int64"})


def compare(episodes: pd.DataFrame, policy: str, baseline: str, seed: int = 0) -> pd.DataFrame:
    """Two policies on the tasks that both played, per engine and over all.

    One row per engine and metric: difference (policy - baseline), low, high (95 %, bootstrap over tasks), p and n.
    Success: exact McNemar test, i.e. a sign test on the tasks that only one of the two won. Progress: permutation test
    of the paired difference. Both are two-sided.
    """
    ours, theirs = (episodes[episodes["policy"] == name].set_index("task") for name in (policy, baseline))
    tasks = ours.index.intersection(theirs.index)
    if tasks.empty:
        raise ValueError(f"{policy!r} and {baseline!r} have no task in common")
    engines = ours.loc[tasks, "engine"]
    rows = []
    for engine in [*engines.unique(), "all"]:
        chosen = tasks if engine == "all" else tasks[engines == engine]
        for metric, test in (("success", sign_test), ("progress", paired_permutation)):
            change = (ours.loc[chosen, metric].astype(float) - theirs.loc[chosen, metric].astype(float)).to_numpy()
            low, high = mean_interval(change, seed)
            found = {"difference": change.mean(), "low": low, "high": high, "p": test(change, seed), "n": len(chosen)}
            rows.append({"policy": policy, "baseline": baseline, "engine": engine, "metric": metric} | found)
    return pd.DataFrame(rows)


def telling_task(episodes: pd.DataFrame, policy: str, baseline: str) -> str:
    """The task where the policy is furthest ahead of the baseline in progress; the first of them in order.

    A case to look at, chosen to differ: it says nothing about how often this happens.
    """
    progress = episodes.pivot_table(index="task", columns="policy", values="progress")
    return str((progress[policy] - progress[baseline]).dropna().idxmax())


def first_divergence(ours: Episode, theirs: Episode) -> int:
    """The first step, counted from 1, whose actions differ. Raises ValueError for two different tasks."""
    if ours.task != theirs.task:
        raise ValueError(f"these play different tasks: {ours.task.id} and {theirs.task.id}")
    pairs = enumerate(zip(ours.steps, theirs.steps, strict=False), start=1)
    shorter = min(len(ours.steps), len(theirs.steps))
    return next((number for number, (a, b) in pairs if a.action != b.action), shorter + 1)


def sign_test(change: np.ndarray, seed: int = 0) -> float:
    """Two-sided p of McNemar's exact test from paired differences of 0 and 1; 1.0 when no pair differs."""
    gained, lost = int((change > 0).sum()), int((change < 0).sum())
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def paired_permutation(change: np.ndarray, seed: int = 0) -> float:
    """Two-sided p that the mean of paired differences is zero, under random signs; exact for few pairs."""
    if not change.any():
        return 1.0
    result = permutation_test(
        (change, np.zeros_like(change)), _mean_difference, permutation_type="samples", n_resamples=RESAMPLES, rng=seed
    )
    return float(result.pvalue)


def _mean_difference(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
    return np.mean(x - y, axis=axis)


def success_interval(wins: int, n: int) -> tuple[float, float]:
    """Wilson's interval for a share: unlike a bootstrap it is not empty when nothing or everything is won."""
    interval = binomtest(wins, n).proportion_ci(CONFIDENCE, method="wilson")
    return interval.low, interval.high


def mean_interval(values: np.ndarray, seed: int) -> tuple[float, float]:
    """Percentile bootstrap of the mean, 10,000 resamples over episodes."""
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])  # nothing to resample
    result = bootstrap(
        (values,), np.mean, confidence_level=CONFIDENCE, n_resamples=RESAMPLES, method="percentile", rng=seed
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)
