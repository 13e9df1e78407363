"""The ladder: how far every method gets as tasks move away from what was trained on. Ours, not the paper's."""

from collections.abc import Iterable
from functools import partial

import pandas as pd

from agentrefine_lib.metrics.paired import over_engines

NEW_SEEDS, NEW_WORDS, NEW_MECHANICS = "trained mechanics, new seeds", "new costumes and grammars", "new mechanics"
RUNGS = (NEW_SEEDS, NEW_WORDS, NEW_MECHANICS)  # of the embedded teacher's worlds
WORLDS = "embedded"  # their engine
SYNTHESISED = "synthesised"  # the environments of a training set, beside engines


def ladder(
    worlds: pd.DataFrame, engines: dict[str, pd.DataFrame], held_out: Iterable[str], seed: int = 0
) -> pd.DataFrame:
    """One row per rung and method, the nearest rung first: rung, method, value, low, high, n (episodes), seeds.

    ``worlds`` and ``engines`` are tables of ``metrics.episode_table``: worlds of the embedded teacher count in the
    first, the real engines in the others, whose names say what the prompt held, nearest first. ``held_out``: what was
    kept from the teacher. Values are progress; every engine weighs the same. Intervals: 95 % bootstrap over tasks and
    seeds, within each engine.
    """
    near = worlds[worlds["engine"] == WORLDS]
    places = near["task"].map(partial(rung_of, held_out=set(held_out)))
    rungs = {name: near[places == name] for name in RUNGS}
    rungs |= {f"real engines, {shown}": table[table["engine"] != WORLDS] for shown, table in engines.items()}
    table = pd.concat([over_engines(part, "progress", seed).assign(rung=rung) for rung, part in rungs.items()])
    return table[["rung", "method", "value", "low", "high", "n", "seeds"]].reset_index(drop=True)


def rung_of(task: str, held_out: set[str]) -> str:
    """Where a world stands; ``task`` is its id: embedded/mechanic/seed, or embedded/mechanic-costume-grammar/seed."""
    mechanic, *words = task.split("/")[1].split("-")
    if mechanic in held_out:
        return NEW_MECHANICS
    return NEW_WORDS if held_out.intersection(words) else NEW_SEEDS
