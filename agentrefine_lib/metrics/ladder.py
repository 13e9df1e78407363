"""The ladder: how far every method gets as tasks move away from what was trained on. Ours, not the paper's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from agentrefine_lib.metrics.intervals import fixed_weights, percentiles, resampled_means, task_weights
from agentrefine_lib.metrics.paired import engine_of, grid

NEW_SEEDS, NEW_WORDS, NEW_MECHANICS = "trained mechanics, new seeds", "new costumes and grammars", "new mechanics"
RUNGS = (NEW_SEEDS, NEW_WORDS, NEW_MECHANICS)  # of the embedded teacher's worlds
WORLDS = "embedded"  # their engine


def ladder(played: dict[str, pd.DataFrame], held_out: Iterable[str], seed: int = 0) -> pd.DataFrame:
    """One row per rung and method, the nearest rung first: rung, method, value, low, high, n (episodes), seeds.

    ``played``: what the prompt held ("with an example", …), nearest first, and the table of its episodes
    (``metrics.episode_table``); worlds of the embedded teacher count in the first table only. ``held_out``: what was
    kept from the teacher, so that a world whose name begins with one of these is of a new mechanic. Values are
    progress; every engine weighs the same. Intervals: 95 % bootstrap over tasks and seeds, within each engine.
    """
    held = set(held_out)
    rows: list[dict[str, Any]] = []
    for shown, episodes in played.items():
        of_worlds = episodes["engine"] == WORLDS
        places = episodes["task"].map(lambda task: rung_of(task, held))
        rungs = {} if rows else {name: episodes[of_worlds & (places == name)] for name in RUNGS}
        rungs[f"real engines, {shown}"] = episodes[~of_worlds]
        for rung, part in rungs.items():
            rows += [{"rung": rung, "method": m} | _progress(part, str(m), seed) for m in part["method"].unique()]
    return pd.DataFrame(rows)


def rung_of(task: str, held_out: set[str]) -> str:
    """Where a world stands; ``task`` is its id: embedded/mechanic/seed, or embedded/mechanic-costume-grammar/seed."""
    mechanic, *words = task.split("/")[1].split("-")
    if mechanic in held_out:
        return NEW_MECHANICS
    return NEW_WORDS if held_out.intersection(words) else NEW_SEEDS


def _progress(part: pd.DataFrame, method: str, seed: int) -> dict[str, Any]:
    cells = grid(part, method, "progress").dropna(axis=1, how="all")  # a task whose progress nobody knows
    values, engines, rng = cells.to_numpy(float), [engine_of(str(t)) for t in cells], np.random.default_rng(seed)
    value = float(np.nanmean(values, axis=0) @ fixed_weights(engines))
    low, high = percentiles(resampled_means(values, task_weights(len(engines), rng, engines), rng))
    return {"value": value, "low": low, "high": high, "n": int(np.isfinite(values).sum()), "seeds": len(values)}
