"""How episodes go wrong: kinds of errors, and how long until a model repeats what was just refused."""

import warnings
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import CensoredData, ecdf

from agentrefine_lib.metrics.episodes import is_repeat
from agentrefine_lib.metrics.intervals import CONFIDENCE
from agentrefine_lib.metrics.paired import over_engines
from agentrefine_lib.schema import Episode, read_jsonl

ACCEPTED = "accepted"


def steps_table(paths: Iterable[Path]) -> pd.DataFrame:
    """One row per step: policy, engine, task, step (from 1), error ("accepted" where the engine took the action)."""
    return pd.DataFrame(
        [
            {"policy": e.policy, "engine": e.task.engine, "task": e.task.id, "step": n, "error": step.error or ACCEPTED}
            for path in paths
            for e in read_jsonl(path, Episode)
            for n, step in enumerate(e.steps, start=1)
        ]
    )


def accepted(replies: Mapping[str, pd.DataFrame], seed: int = 0) -> pd.DataFrame:
    """fig_mending: the share that the engine took, per kind of reply (rows of ``steps_table``) and method."""
    shares = [
        over_engines(steps.assign(accepted=steps["error"] == ACCEPTED), "accepted", seed).assign(reply=name)
        for name, steps in replies.items()
    ]
    return pd.concat(shares)[["method", "reply", "value", "low", "high", "n", "seeds"]]


def taxonomy(steps: pd.DataFrame) -> pd.DataFrame:
    """fig_taxonomy: per method and engine, the share of its steps with each kind of error."""
    counted = steps.groupby(["method", "engine"], sort=False)["error"].value_counts().rename("count").reset_index()
    total = counted.groupby(["method", "engine"])["count"].transform("sum")
    shares = counted.assign(share=counted["count"] / total, steps=total)
    return shares.sort_values(["method", "engine", "error"], ignore_index=True)


def loops(paths: Iterable[Path]) -> pd.DataFrame:
    """One row per episode: ``step`` of its first stuck loop, or its last step where there is none (``stuck`` False)."""
    rows = []
    for path in paths:
        for episode in read_jsonl(path, Episode):
            pairs = enumerate(pairwise(episode.steps), start=2)
            first = next((number for number, (before, after) in pairs if is_repeat(before, after)), None)
            key = {"policy": episode.policy, "engine": episode.task.engine, "task": episode.task.id}
            rows.append(key | {"step": first or len(episode.steps), "stuck": first is not None})
    return pd.DataFrame(rows)


def survival(loops_of: pd.DataFrame) -> pd.DataFrame:
    """fig_stuck: per method, the share of episodes that are free of loops after each step, Kaplan-Meier.

    Every episode weighs the same. One that ends, won or at the step limit, is censored there. The interval is
    Greenwood's on the log-log scale, which takes episodes for independent. Models of other seeds, which play the same
    tasks, are not, so it is as wide as for one model; n counts tasks.
    """
    rows = []
    for method, group in loops_of.groupby("method", sort=False):
        seeds = group["policy"].nunique()
        stuck = group["stuck"].to_numpy(bool)
        times = group["step"].to_numpy(float)
        free = ecdf(CensoredData(uncensored=times[stuck], right=times[~stuck])).sf
        with warnings.catch_warnings():  # where nobody is stuck, or everybody is, Greenwood's formula gives none
            warnings.simplefilter("ignore", RuntimeWarning)
            interval = free.confidence_interval(CONFIDENCE, method="log-log")
            middle = _log_log(free.probabilities)
            lows, highs = (
                np.exp(-np.exp(middle + np.sqrt(seeds) * (_log_log(end.probabilities) - middle)))
                for end in (interval.low, interval.high)
            )
        n = len(group) // seeds
        rows.append({"method": method, "step": 0.0, "free": 1.0, "low": 1.0, "high": 1.0, "n": n})
        rows += [
            {"method": method, "step": step, "free": share, "low": low, "high": high, "n": n}
            for step, share, low, high in zip(free.quantiles, free.probabilities, lows, highs, strict=True)
        ]
    return pd.DataFrame(rows)


def _log_log(share: np.ndarray) -> np.ndarray:
    return np.log(-np.log(share))
