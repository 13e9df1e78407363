"""The models of an experiment as data: training set, size and seeds of each; several are tuned side by side."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import pandas as pd
from joblib import Parallel, delayed
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agentrefine_lib.schema import Conversation, child_path, explain
from agentrefine_lib.tuning.base import UNTUNED
from agentrefine_lib.tuning.launch import KEPT_MEMORY, launch
from agentrefine_lib.tuning.mask import Known
from agentrefine_lib.tuning.recipe import Recipe
from agentrefine_lib.tuning.released import take, warn_of_other_data
from agentrefine_lib.tuning.train import tune

Logs = dict[str, pd.DataFrame]


class Method(BaseModel):
    """How the models of one name are made: which training set, how much of it, one model per seed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    variant: str  # a training set of chapter 2
    conversations: int | None = Field(default=None, gt=0)  # its first ones; none: all. Smaller sets lie in larger ones
    seeds: list[int] = Field(min_length=1)
    train_steps: int | None = Field(default=None, gt=0)  # none: the recipe's
    released: str | None = None  # a folder of adapters, relative to the repository: taken from there, not tuned
    played: list[int] = []  # seeds of released models whose episodes are released, too: taken, not played again

    @model_validator(mode="after")
    def played_are_released(self) -> Self:
        if (self.played and not self.released) or set(self.played) - set(self.seeds):
            raise ValueError("`played` lists seeds of a model that is `released`, out of its `seeds`")
        return self


class Planned(BaseModel):
    """One model to be tuned. ``policy`` names its folder and its results; ``method`` is what its seeds share."""

    policy: str
    method: str
    variant: str
    seed: int
    conversations: int | None
    train_steps: int | None = None
    released: str | None = None
    played: bool = False


def plan(models: Mapping[str, Any]) -> list[Planned]:
    """The models that a mapping of name → Method means: ``name-seed`` for each. Raises ValueError naming the entry."""
    planned = []
    for name, entry in models.items():
        try:
            method = Method.model_validate({"variant": name} | entry)
        except ValidationError as error:
            raise ValueError(f"models: {name}: {explain(error)}") from None
        planned += [
            Planned(
                policy=f"{name}-{seed}",
                method=name,
                seed=seed,
                played=seed in method.played,
                **method.model_dump(exclude={"seeds", "played"}),
            )
            for seed in method.seeds
        ]
    return planned


def tune_all(
    base: Path | str,
    data: Mapping[str, Sequence[Conversation]],
    folder: Path,
    planned: Sequence[Planned],
    recipe: Recipe,
    accelerate_config: str | None = None,
    processes: int = 1,
    root: Path = Path(),
) -> Logs:
    """Tune every planned model from the same base with one recipe; returns the loss log of each policy.

    Only the data, their order (``recipe.seed`` plus the model's) and a model's own steps differ. ``processes``
    models are tuned at a time, one thread each; with an ``accelerate_config`` one after the other; those with a
    ``released`` folder, which counts from ``root``, are taken from there meanwhile. What is finished is not done
    again, and what a stop interrupted continues from its last checkpoint. Raises ValueError where a set is smaller
    than a model asks for.
    """
    rows = {model.policy: chosen(data, model) for model in planned}
    jobs: dict[str, tuple[Path | str, list[Conversation], Path, Recipe]] = {}
    logs: Logs = {}
    adapters = {model.policy: root / model.released / model.policy for model in planned if model.released}
    for model in planned:
        place = child_path(folder, model.policy)
        if model.released:
            logs[model.policy] = take(adapters[model.policy], place, base, model.played)
        else:
            own = {"train_steps": model.train_steps, "epochs": 0} if model.train_steps else {}
            how = recipe.model_copy(update=own | {"seed": recipe.seed + model.seed})
            jobs[model.policy] = base, rows[model.policy], place, how
    if accelerate_config or processes == 1:
        tuned: Iterable[pd.DataFrame] = (launch(*job, accelerate_config) for job in jobs.values())
    else:
        with patch.dict(os.environ, KEPT_MEMORY | os.environ):  # of the processes that are started
            begun = Parallel(n_jobs=processes, batch_size=1, return_as="generator")
            tuned = begun(delayed(tune)(*job) for job in jobs.values())
    known = Known()
    for policy, adapter in adapters.items():  # seconds each, while others are tuned
        warn_of_other_data(adapter, base, rows[policy], known)
    logs |= zip(jobs, tuned, strict=True)
    return {model.policy: logs[model.policy] for model in planned}


def chosen(data: Mapping[str, Sequence[Conversation]], model: Planned) -> list[Conversation]:
    """What a model is tuned on. Raises ValueError where there is less of it than the model asks for."""
    if model.variant not in data:
        raise ValueError(f"models: {model.method}: no training set {model.variant!r}; there are: {', '.join(data)}")
    found = list(data[model.variant])[: model.conversations]
    if model.conversations and len(found) < model.conversations:
        told = f"found {len(found)} conversations in {model.variant}, expected at least {model.conversations}"
        raise ValueError(f"models: {model.method}: {told}; make more of them (n_trajectories) or ask for fewer")
    return found


def models_table(planned: Sequence[Planned], logs: Logs, base: str) -> pd.DataFrame:
    """A row per model, the untuned base first: policy, method, variant, seed, conversations (read in tuning), base."""
    rows = [{"policy": UNTUNED, "method": UNTUNED, "variant": "", "seed": 0, "conversations": 0}]
    for model in planned:
        row = model.model_dump(include={"policy", "method", "variant", "seed"})
        rows.append(row | {"conversations": int(logs[model.policy]["read"].iloc[-1])})
    return pd.DataFrame(rows).assign(base=base)
