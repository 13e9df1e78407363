"""How one number goes with another: progress with the size of the training set, or with self-refinement."""

from collections.abc import Mapping, Sequence
from operator import itemgetter

import numpy as np
import pandas as pd
from scipy.stats import bootstrap, permutation_test, rankdata

from agentrefine_lib.dataset import GENERAL
from agentrefine_lib.metrics.episodes import summarise
from agentrefine_lib.metrics.intervals import CONFIDENCE, RESAMPLES
from agentrefine_lib.metrics.ladder import WORLDS
from agentrefine_lib.metrics.paired import contrast, grid, over_engines, paired_permutation, shared_tasks
from agentrefine_lib.metrics.verdicts import ZERO, Difference, claim_row


def slope(grids: Mapping[int, pd.DataFrame], seed: int = 0, sizes: Mapping[str, float] | None = None) -> Difference:
    """Least-squares slope of mean values on log2 of the size, for a ``grid`` (seeds by tasks) per size.

    The interval draws tasks (the same for all sizes) and each size's seeds anew; p is over signs of the tasks' slopes.
    Sizes must differ: fewer than two give a row of nothing. Engines weigh the same, or as ``sizes`` says.
    """
    tasks, seeds = shared_tasks(*grids.values()), max((len(table) for table in grids.values()), default=0)
    if len(grids) < 2 or not tasks:
        return Difference(n=len(tasks), seeds=seeds)
    x = np.log2(np.array(list(grids), float))
    pull = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    means, weights, low, high = contrast(list(grids.values()), tasks, pull, seed, sizes)
    change = means * weights
    differ = int((abs(change) > ZERO).sum())
    return Difference(float(change.sum()), low, high, paired_permutation(change, seed), len(tasks), seeds, differ)


def sizes_of(models: pd.DataFrame, variant: str) -> pd.Series:
    """Conversations read by each method of a training set; ``models``: ``tuning.models_table``."""
    return models[models["variant"] == variant].groupby("method", sort=False)["conversations"].max()


def same_size(models: pd.DataFrame, twins: Sequence[str]) -> str:
    """The AgentRefine that its twins are compared with: the one that read about as many conversations as they did."""
    sizes, size = sizes_of(models, "agentrefine"), models.loc[models["method"].isin(twins), "conversations"].max()
    return str((sizes - size).abs().idxmin()) if size > 0 and len(sizes) else "agentrefine"


def by_size(
    episodes: pd.DataFrame, sizes: Mapping[str, int], weights: Mapping[str, float], seed: int = 0
) -> pd.DataFrame:
    """fig5_scaling: success and progress of the methods of ``sizes`` (method → conversations), per engine, and over
    the engines of ``weights``, which weigh so."""
    part = episodes[episodes["method"].isin(list(sizes))]
    five = part[part["engine"].isin(list(weights))]
    scores = [over_engines(five, metric, seed, weights) for metric in ("success", "progress")]
    scores.append(summarise(part, seed).query("metric in ('success', 'progress')"))
    table = pd.concat(scores, ignore_index=True)
    return table.assign(conversations=table["method"].map(sizes))


def growth(
    episodes: pd.DataFrame, sizes: Mapping[str, int], weights: Mapping[str, float], seed: int = 0
) -> dict[str, object]:
    """A row for ``claims``: does progress over the engines of ``weights`` grow with the conversations of ``sizes``?"""
    five = episodes[episodes["engine"].isin(list(weights))]
    grids = {int(size): grid(five, method, "progress") for method, size in sorted(sizes.items(), key=itemgetter(1))}
    return claim_row("fig5_scaling", "progress per doubling", slope(grids, seed, weights))


def self_refinement(episodes: pd.DataFrame, held_in: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """fig_refinement: per tuned model, ``recovery`` on one half of the tasks, ``progress`` on the other (``halves``).

    Only on engines that it was not trained on (``held_in``: method → engines), the teacher's own worlds never. In
    ``progress`` each of them weighs the same.
    """
    pairs = zip(episodes["method"], episodes["engine"], strict=True)
    outside = episodes[
        [
            method != "untuned" and engine not in (WORLDS, *held_in.get(method.removesuffix(GENERAL), ()))
            for method, engine in pairs
        ]
    ]
    half, keys = halves(outside), ["policy", "method", "seed"]
    mended = outside[half == 0].groupby(keys)["recovery"].mean()
    reached = outside[half == 1].groupby([*keys, "engine"])["progress"].mean().groupby(keys).mean()
    return pd.concat([mended, reached], axis=1).dropna().reset_index()


def rank_correlation(x: np.ndarray, y: np.ndarray, seed: int = 0) -> Difference:
    """Spearman's rho with a percentile bootstrap over pairs and a two-sided permutation p; n counts pairs.

    Nothing where there are fewer than four pairs or one side never varies.
    """
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Difference(n=len(x), seeds=1)
    same = {"n_resamples": RESAMPLES, "rng": seed}
    found = bootstrap((x, y), _rho, paired=True, confidence_level=CONFIDENCE, method="percentile", **same)
    low, high = found.confidence_interval
    shuffled = permutation_test((x,), lambda drawn, axis: _rho(drawn, y, axis), permutation_type="pairings", **same)
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
