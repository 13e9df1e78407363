"""What a model that was trained on a tested environment keeps of it, and what is left of it without that data."""

from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from agentrefine_lib.environments.perturbations import perturbations
from agentrefine_lib.environments.signature import parse_command
from agentrefine_lib.metrics.robustness import RETRAINED
from agentrefine_lib.schema import Episode, read_jsonl

OUT = "_ood"  # ends the name of a published set without its held-in rows, and of the models tuned on it
OURS = "expert"  # begins the names of our expert's sets, which hold nothing but held-in plays


def old_wording(episode: Episode, perturbation: str) -> list[bool]:
    """For each step, whether its action is a command in the wording before the perturbation and none in the new one."""
    renaming = perturbations(episode.task.engine)[perturbation]
    if renaming.joined:
        read = renaming.wording(episode.commands).read
        return [read(s.action) is None and parse_command(s.action, episode.commands) is not None for s in episode.steps]
    gone = [old for old, new in renaming.signatures.items() if new in episode.commands and old not in episode.commands]
    return [
        parse_command(step.action, gone) is not None and parse_command(step.action, episode.commands) is None
        for step in episode.steps
    ]


def old_wording_table(paths: Iterable[Path], perturbation: str) -> pd.DataFrame:
    """One row per episode: policy, task, and the share of its steps in the old wording."""
    rows = [
        {"policy": e.policy, "task": e.task.id, "old_wording": float(np.mean(old_wording(e, perturbation)))}
        for path in paths
        for e in read_jsonl(path, Episode)
    ]
    return pd.DataFrame(rows).assign(perturbation=perturbation)


def without_held_in(method: str, held_in: Mapping[str, Sequence[str]], tuned: Container[str]) -> str | None:
    """The model of a method's training set without the data of tested environments (table 8, and P5 of table 3).

    That is the method itself where it has none, and the untuned model where nothing is left, as of our expert's sets;
    of a published set the one tuned on ``NAME_ood``, or None where there is none.
    """
    if not held_in.get(method):
        return method
    left = "untuned" if method.startswith(OURS) else f"{method}{OUT}"
    return left if left in tuned else None


def retrained(episodes: pd.DataFrame, held_in: Mapping[str, Sequence[str]], methods: Iterable[str]) -> pd.DataFrame:
    """P5 of the paper's table 3: unperturbed ``episodes`` of each method's model without held-in data, as its rows.

    Where that model has one seed, as the untuned one, it stands beside each seed of the method.
    """
    rows, tuned = [episodes.head(0)], set(episodes["method"])
    for method in methods:
        left = episodes[episodes["method"] == without_held_in(method, held_in, tuned)]
        for seed in episodes.loc[episodes["method"] == method, "seed"].unique():
            one = left if left["seed"].nunique() == 1 else left[left["seed"] == seed]
            rows.append(one.assign(method=method, seed=seed))
    return pd.concat(rows, ignore_index=True).assign(perturbation=RETRAINED)
