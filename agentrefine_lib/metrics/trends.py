"""How one number goes with another: progress with the size of the training set, or with self-refinement."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import bootstrap, permutation_test, spearmanr

from agentrefine_lib.metrics.intervals import (
    CONFIDENCE,
    RESAMPLES,
    even_weights,
    percentiles,
    resampled_means,
    task_weights,
)
from agentrefine_lib.metrics.paired import Difference, engine_of, shared_tasks


def slope(grids: Mapping[int, pd.DataFrame], seed: int = 0) -> Difference:
    """Least-squares slope of mean values on log2 of the size, for a ``grid`` (seeds by tasks) per size; no p.

    The interval draws tasks (the same for all sizes) and each size's seeds anew. Sizes must differ: fewer than two
    give a row of nothing.
    """
    tasks, seeds = shared_tasks(*grids.values()), min((len(table) for table in grids.values()), default=0)
    nothing = float("nan")
    if len(grids) < 2 or not tasks:
        return Difference(nothing, nothing, nothing, nothing, len(tasks), seeds)
    engines = [engine_of(task) for task in tasks]
    cells = [table[tasks].to_numpy(float) for table in grids.values()]
    x = np.log2(np.array(list(grids), float))
    pull = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    rng = np.random.default_rng(seed)
    drawn = task_weights(len(tasks), rng, engines)
    low, high = percentiles(pull @ np.array([resampled_means(table, drawn, rng) for table in cells]))
    value = pull @ np.array([np.nanmean(table, axis=0) @ even_weights(engines) for table in cells])
    return Difference(float(value), low, high, nothing, len(tasks), seeds)


def rank_correlation(x: np.ndarray, y: np.ndarray, seed: int = 0) -> Difference:
    """Spearman's rho with a percentile bootstrap over pairs and a two-sided permutation p; n counts pairs.

    Nothing where there are fewer than four pairs or one side never varies.
    """
    nothing = float("nan")
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Difference(nothing, nothing, nothing, nothing, len(x), 1)
    pairs = {"n_resamples": RESAMPLES, "rng": seed, "vectorized": False}
    with np.errstate(invalid="ignore"):
        interval = bootstrap(
            (x, y), _rho, paired=True, confidence_level=CONFIDENCE, method="percentile", **pairs
        ).confidence_interval
    p = permutation_test((x,), lambda shuffled: _rho(shuffled, y), permutation_type="pairings", **pairs).pvalue
    return Difference(_rho(x, y), float(interval.low), float(interval.high), float(p), len(x), 1)


def _rho(x: np.ndarray, y: np.ndarray) -> float:
    """Zero where a resample has drawn one value only: it says nothing of a correlation."""
    return float(spearmanr(x, y).statistic) if np.ptp(x) and np.ptp(y) else 0.0


def halves(episodes: pd.DataFrame) -> pd.Series:
    """Every second task of each engine is in half 1, the others in half 0: a number per row of ``episodes``.

    What is measured on one half owes nothing to the episodes of the other.
    """
    tasks = episodes[["engine", "task"]].drop_duplicates().sort_values(["engine", "task"])
    number = tasks.groupby("engine").cumcount() % 2
    return episodes["task"].map(dict(zip(tasks["task"], number, strict=True)))
