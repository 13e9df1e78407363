"""Two methods on the same tasks: the difference with its interval, and a paired test."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import binomtest, permutation_test

from agentrefine_lib.metrics.intervals import RESAMPLES, fixed_weights, percentiles, resampled_means, task_weights
from agentrefine_lib.metrics.verdicts import ZERO, Difference, claim_row, judged

SCORES = ("success", "progress", "accepted", "free")  # of an episode, from 0 to 1, where 1 is best


def compare(episodes: pd.DataFrame, method: str, baseline: str, seed: int = 0) -> pd.DataFrame:
    """Two methods on the tasks that both played, per engine and over all, where every engine weighs the same.

    One row per engine and metric: what is ``judged`` of them. Success, with one seed each and tasks that weigh the
    same: exact McNemar test, i.e. a sign test on the tasks where the two differ. Everything else: permutation test of
    the paired, weighted difference of means over seeds. Both are two-sided; the interval is over tasks and seeds.
    Raises ValueError where the two have no task in common.
    """
    rows = []
    for metric in ("success", "progress"):
        for engine in [*engines_of_both(episodes, method, baseline), "all"]:
            played = episodes if engine == "all" else episodes[episodes["engine"] == engine]
            found = difference(grid(played, method, metric), grid(played, baseline, metric), metric, seed)
            rows.append({"method": method, "baseline": baseline, "engine": engine, "metric": metric, **judged(found)})
    return pd.DataFrame(rows).sort_values("engine", kind="stable", key=lambda e: e == "all", ignore_index=True)


def require_pair(methods: Sequence[str]) -> None:
    """Raise ValueError unless they are two: those that chapter 4 compares (``case``)."""
    if len(set(methods)) != 2 or len(methods) != 2:
        raise ValueError(f"found {list(methods)}, expected two methods")


def engines_of_both(episodes: pd.DataFrame, method: str, baseline: str) -> list[str]:
    """Engines of the tasks that both methods played. Raises ValueError where there is none."""
    ours, theirs = (set(episodes.loc[episodes["method"] == name, "task"]) for name in (method, baseline))
    shared = episodes[episodes["task"].isin(ours & theirs)]
    if shared.empty:
        there = ", ".join(sorted(set(episodes["method"])))
        told = f"there are: {there}; name two of them (case)"
        raise ValueError(f"{method!r} and {baseline!r} have no task in common; {told}")
    return list(dict.fromkeys(shared["engine"]))


def grid(episodes: pd.DataFrame, method: str, metric: str) -> pd.DataFrame:
    """A method's values of a metric: a row per seed, a column per task."""
    ours = episodes[episodes["method"] == method]
    values = ours.assign(value=ours[metric].astype(float))
    return values.pivot_table(index="seed", columns="task", values="value", dropna=False)


def shared_tasks(*grids: pd.DataFrame) -> list[str]:
    """Tasks, in order, of which every grid has at least one seed's value."""
    played = [{str(task) for task in table.dropna(axis=1, how="all")} for table in grids]
    return sorted(set.intersection(*played)) if played else []


def engine_of(task: str) -> str:
    """The engine of a task id, which is what tasks are stratified by."""
    return task.partition("/")[0]


def contrast(
    grids: Sequence[pd.DataFrame], tasks: list[str], pull: np.ndarray, seed: int, sizes: Mapping[str, float] | None
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """``grids``, each times its ``pull``, summed: the mean over seeds of each task, what the tasks weigh, low and high.

    The interval draws tasks within engines, the same for all grids, and each grid's seeds; engines weigh as in
    ``difference``.
    """
    engines, rng = [engine_of(task) for task in tasks], np.random.default_rng(seed)
    cells = [table[tasks].to_numpy(float) for table in grids]
    drawn = task_weights(len(tasks), rng, engines, sizes)
    low, high = percentiles(pull @ np.array([resampled_means(table, drawn, rng) for table in cells]))
    return pull @ np.array([np.nanmean(table, axis=0) for table in cells]), fixed_weights(engines, sizes), low, high


def difference(
    ours: pd.DataFrame, theirs: pd.DataFrame, metric: str = "", seed: int = 0, sizes: Mapping[str, float] | None = None
) -> Difference:
    """Two ``grid``s compared on the tasks that they share; engines weigh as ``sizes`` says, without it the same."""
    tasks, seeds = shared_tasks(ours, theirs), max(len(ours), len(theirs))
    if not tasks:
        return Difference(seeds=seeds)
    change, weights, low, high = contrast([ours, theirs], tasks, np.array([1.0, -1.0]), seed, sizes)
    counted = metric == "success" and seeds == 1 and not np.ptp(weights)  # a task is a task, won or not
    p = sign_test(change) if counted else paired_permutation(change * weights, seed)
    level = float(np.nanmean(np.vstack([ours[tasks], theirs[tasks]]))) if metric in SCORES else np.nan
    return Difference(float(change @ weights), low, high, p, len(tasks), seeds, int((abs(change) > ZERO).sum()), level)


def over_engines(
    episodes: pd.DataFrame, metric: str, seed: int = 0, sizes: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """One row per method: the mean of ``metric`` over engines, as in ``summarise``; none where nobody knows it.

    All engines weigh the same, or as ``sizes`` says: with the numbers of tasks that the paper played, its own score.
    """
    rows = []
    for method, group in episodes.groupby("method", sort=False):
        table = grid(group, str(method), metric)
        if tasks := shared_tasks(table):  # those whose progress somebody knows
            means, weights, low, high = contrast([table], tasks, np.ones(1), seed, sizes)
            value = float(means @ weights)
            # with one task of each engine all three are the same but for their last digit
            found = {"value": value, "low": min(low, value), "high": max(high, value)}
            found |= {"n": int(table.count().sum()), "seeds": len(table)}
            rows.append({"method": method, "engine": "all", "metric": metric, **found})
    return pd.DataFrame(rows, columns=["method", "engine", "metric", "value", "low", "high", "n", "seeds"])


def sign_test(change: np.ndarray) -> float:
    """Two-sided p of McNemar's exact test from paired differences; 1.0 when no pair differs."""
    gained, lost = int((change > ZERO).sum()), int((change < -ZERO).sum())
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def paired_permutation(change: np.ndarray, seed: int = 0) -> float:
    """Two-sided p that the sum of paired differences is zero, under random signs; exact up to 13 that differ."""
    moved = change[abs(change) > ZERO * abs(change).max(initial=0)]
    if len(moved) < 2:
        return 1.0

    def total(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return np.sum(x - y, axis=axis)

    both, how = (moved, np.zeros_like(moved)), {"permutation_type": "samples", "n_resamples": RESAMPLES}
    return float(permutation_test(both, total, **how, rng=seed).pvalue)


def claim(
    name: str,
    episodes: pd.DataFrame,
    method: str,
    baseline: str,
    metric: str = "progress",
    seed: int = 0,
    sizes: Mapping[str, float] | None = None,
) -> dict[str, object]:
    """One row for ``claims``: is the method above the baseline in ``metric``? Where one did not play, nothing is."""
    found = difference(grid(episodes, method, metric), grid(episodes, baseline, metric), metric, seed, sizes)
    return claim_row(name, f"{method} - {baseline}, {metric}", found)


def claims(*rows: dict[str, object]) -> pd.DataFrame:
    """A chapter's claims: ``claim`` (its id in params/artefacts.yaml), what was ``compared``, and ``judged``."""
    return pd.DataFrame(rows)
