"""One definition for each number: success, progress, grounding, each with an interval.

Definitions follow AgentBoard (Ma et al. 2024): success is the share of tasks won; progress is the episode's last
progress value, in [0, 1]; grounding is the share of an episode's steps whose action the engine accepted.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest, bootstrap

from agentrefine_lib.schema import Episode, read_jsonl

CONFIDENCE = 0.95


def episode_table(paths: Iterable[Path]) -> pd.DataFrame:
    """One row per episode: policy, engine, task, success, progress, grounding, format_errors, steps, engine_version."""
    rows = [
        {
            "policy": episode.policy,
            "engine": episode.task.engine,
            "task": episode.task.id,
            "success": episode.success,
            "progress": episode.progress,
            "grounding": float(np.mean([step.error is None for step in episode.steps])),
            "format_errors": sum(step.error == "reply" for step in episode.steps),
            "steps": len(episode.steps),
            "engine_version": episode.engine_version,
        }
        for path in paths
        for episode in read_jsonl(path, Episode)
    ]
    return pd.DataFrame(rows).sort_values(["policy", "task"], ignore_index=True)


def summarise(episodes: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """One row per policy, engine and metric: value, low, high (95 %), k (wins; empty for means) and n (episodes)."""
    rows = []
    for (policy, engine), group in episodes.groupby(["policy", "engine"], sort=False):
        key = {"policy": policy, "engine": engine, "n": len(group)}
        wins = int(group["success"].sum())
        low, high = success_interval(wins, len(group))
        rows.append(key | {"metric": "success", "value": wins / len(group), "low": low, "high": high, "k": wins})
        for metric in ("progress", "grounding"):
            values = group[metric].to_numpy(float)
            low, high = mean_interval(values, seed)
            rows.append(key | {"metric": metric, "value": values.mean(), "low": low, "high": high, "k": None})
    table = pd.DataFrame(rows)[["policy", "engine", "metric", "value", "low", "high", "k", "n"]]
    return table.astype({"k": "Int64"})


def success_interval(wins: int, n: int) -> tuple[float, float]:
    """Wilson's interval for a share: unlike a bootstrap it is not empty when nothing or everything is won."""
    interval = binomtest(wins, n).proportion_ci(CONFIDENCE, method="wilson")
    return interval.low, interval.high


def mean_interval(values: np.ndarray, seed: int) -> tuple[float, float]:
    """Percentile bootstrap of the mean, 10,000 resamples over episodes."""
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])  # nothing to resample
    result = bootstrap(
        (values,), np.mean, confidence_level=CONFIDENCE, n_resamples=9_999, method="percentile", rng=seed
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)
