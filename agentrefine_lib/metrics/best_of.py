"""Best of N: what the best of k samples is worth, from n of them, without bias."""

from collections.abc import Sequence
from math import comb

import numpy as np
import pandas as pd

from agentrefine_lib.metrics.intervals import mean_interval


def best_of(values: Sequence[float], k: int) -> float:
    """The expected maximum of ``k`` values drawn without replacement from ``values``.

    For values of 0 and 1 this is pass@k, 1 - C(n - c, k) / C(n, k) with c ones (Chen et al. 2021, eq. 1). Raises
    ValueError for k below 1 or above n.
    """
    n = len(values)
    if not 1 <= k <= n:
        raise ValueError(f"best of {k}: expected from 1 to {n}, the number of samples")
    ordered = np.sort(np.asarray(values, float))
    chances = np.array([comb(rank, k - 1) for rank in range(n)], float) / comb(n, k)  # that this one is the largest
    return float(ordered @ chances)


def best_of_table(samples: pd.DataFrame, metric: str, sizes: Sequence[int]) -> pd.DataFrame:
    """One row per policy, task and size: ``best_of`` (k), and ``value``, the expected best of k in ``metric``.

    ``samples`` has a row per episode, several per policy and task. Tasks with fewer samples than k are left out of k.
    """
    rows = []
    keys = ["policy", "method", "seed", "engine", "task"]
    for found, group in samples.groupby(keys, sort=False):
        key = dict(zip(keys, found, strict=True)) | {"metric": metric}
        values = group[metric].astype(float).tolist()
        rows += [key | {"best_of": k, "value": best_of(values, k)} for k in sizes if k <= len(values)]
    return pd.DataFrame(rows)


def best_of_scores(expected: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Means of ``best_of_table``: a row per method, engine, metric and size, with a bootstrap over tasks and seeds."""
    keys = ["method", "engine", "metric", "best_of"]
    rows = []
    for key, part in expected.groupby(keys, sort=False):
        values = part.pivot_table(index="seed", columns="task", values="value").to_numpy(float)
        low, high = mean_interval(values, seed)
        rows.append([*key, part["value"].mean(), low, high, len(part)])
    return pd.DataFrame(rows, columns=[*keys, "value", "low", "high", "n"]).sort_values(keys, ignore_index=True)


def best_of_gains(expected: pd.DataFrame, size: int) -> pd.DataFrame:
    """One row per policy and task: ``gain``, the progress of the best of ``size`` over greedy decoding (best of 0).

    Tasks without both are left out.
    """
    keys = ["policy", "method", "seed", "engine", "task"]
    wide = expected.query("metric == 'progress'").pivot_table(index=keys, columns="best_of", values="value")
    wide = wide.reindex(columns=[0, size])
    return (wide[size] - wide[0]).rename("gain").dropna().reset_index()


def over_samples(samples: pd.DataFrame) -> pd.DataFrame:
    """tab10_std: a row per method, engine and metric: mean and population standard deviation over ``n`` samples.

    ``samples`` has a row per episode and a column ``sample``; each sample's score is its mean over tasks and policies.
    The metrics are named as in the paper's rows, for ten samples ``success_mean10`` and ``success_std10``.
    """
    rows = []
    for (method, engine), group in samples.groupby(["method", "engine"], sort=False):
        for metric in ("success", "progress"):
            scores = group.assign(score=group[metric].astype(float)).groupby("sample")["score"].mean()
            for name, value in (("mean", scores.mean()), ("std", scores.std(ddof=0))):
                key = {"method": method, "engine": engine, "metric": f"{metric}_{name}{len(scores)}"}
                rows.append(key | {"value": value, "low": np.nan, "high": np.nan, "n": len(scores)})
    return pd.DataFrame(rows)
