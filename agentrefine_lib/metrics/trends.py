"""How one number goes with another: progress with the size of the training set, or with self-refinement."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import bootstrap, permutation_test, rankdata

from agentrefine_lib.metrics.intervals import (
    CONFIDENCE,
    RESAMPLES,
    fixed_weights,
    percentiles,
    resampled_means,
    task_weights,
)
from agentrefine_lib.metrics.paired import engine_of, shared_tasks
from agentrefine_lib.metrics.verdicts import Difference


def slope(grids: Mapping[int, pd.DataFrame], seed: int = 0, sizes: Mapping[str, float] | None = None) -> Difference:
    """Least-squares slope of mean values on log2 of the size, for a ``grid`` (seeds by tasks) per size; no p.

    The interval draws tasks (the same for all sizes) and each size's seeds anew. Sizes must differ: fewer than two
    give a row of nothing. Engines weigh the same, or as ``sizes`` says.
    """
    tasks, seeds = shared_tasks(*grids.values()), min((len(table) for table in grids.values()), default=0)
    if len(grids) < 2 or not tasks:
        return Difference(n=len(tasks), seeds=seeds)
    engines = [engine_of(task) for task in tasks]
    cells = [table[tasks].to_numpy(float) for table in grids.values()]
    x = np.log2(np.array(list(grids), float))
    pull = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    rng = np.random.default_rng(seed)
    drawn = task_weights(len(tasks), rng, engines, sizes)
    low, high = percentiles(pull @ np.array([resampled_means(table, drawn, rng) for table in cells]))
    value = pull @ np.array([np.nanmean(table, axis=0) @ fixed_weights(engines, sizes) for table in cells])
    return Difference(float(value), low, high, n=len(tasks), seeds=seeds)


def rank_correlation(x: np.ndarray, y: np.ndarray, seed: int = 0) -> Difference:
    """Spearman's rho with a percentile bootstrap over pairs and a two-sided permutation p; n counts pairs.

    Nothing where there are fewer than four pairs or one side never varies.
    """
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Difference(n=len(x), seeds=1)
    found = bootstrap(
        (x, y), _rho, paired=True, confidence_level=CONFIDENCE, n_resamples=RESAMPLES, method="percentile", rng=seed
    )
    low, high = found.confidence_interval
    shuffled = permutation_test(
        (x,), lambda drawn, axis: _rho(drawn, y, axis), permutation_type="pairings", n_resamples=RESAMPLES, rng=seed
    )
    return Difference(float(_rho(x, y)), float(low), float(high), float(shuffled.pvalue), len(x), 1)


def _rho(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    """Spearman's rho along an axis. Zero where only one value was drawn: that says nothing of a correlation."""
    centred = [ranks - ranks.mean(axis=axis, keepdims=True) for ranks in (rankdata(v, axis=axis) for v in (x, y))]
    spread = np.sqrt((centred[0] ** 2).sum(axis=axis) * (centred[1] ** 2).sum(axis=axis))
    return np.divide((centred[0] * centred[1]).sum(axis=axis), spread, out=np.zeros_like(spread), where=spread > 0)


def halves(episodes: pd.DataFrame) -> pd.Series:
    """Every second task of each engine is in half 1, the others in half 0: a number per row of ``episodes``.

    What is measured on one half owes nothing to the episodes of the other.
    """
    tasks = episodes[["engine", "task"]].drop_duplicates().sort_values(["engine", "task"])
    number = tasks.groupby("engine").cumcount() % 2
    return episodes["task"].map(dict(zip(tasks["task"], number, strict=True)))
