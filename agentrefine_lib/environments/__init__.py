"""Benchmark engines as text environments behind one protocol. A new engine is one file and one entry here."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from itertools import groupby

from agentrefine_lib.environments.protocol import Environment, StepResult
from agentrefine_lib.schema import Task

ENGINES = {  # engine → the class that plays it; imported when asked for, since some need optional packages
    "alfworld": "agentrefine_lib.environments.alfworld:AlfWorld",
    "babyai": "agentrefine_lib.environments.babyai:BabyAI",
    "scienceworld": "agentrefine_lib.environments.scienceworld:ScienceWorld",
    "pddl": "agentrefine_lib.environments.pddl:Pddl",
    "jericho": "agentrefine_lib.environments.jericho:Jericho",
    "hotpotqa": "agentrefine_lib.environments.hotpotqa:HotpotQA",
    "embedded": "agentrefine_lib.environments.embedded:Embedded",  # the teacher's own worlds, no benchmark
}


class EngineMissingError(ImportError):
    """An engine's package is not installed here; the message says how to get it."""


def make_environment(task: Task) -> Environment:
    """The environment that plays this task. Raises ValueError for an engine that is not there."""
    return _engine(task.engine)()


def playable(tasks: Iterable[Task]) -> list[Task]:
    """The tasks whose engine is installed; warns of each that is not."""
    kept: list[Task] = []
    for engine, group in groupby(tasks, key=lambda task: task.engine):
        tasks_of_engine = list(group)
        try:
            _engine(engine)
        except EngineMissingError as missing:
            warnings.warn(f"{len(tasks_of_engine)} tasks are left out: {missing}", stacklevel=2)
        else:
            kept += tasks_of_engine
    return kept


def _engine(name: str) -> Callable[[], Environment]:
    if name not in ENGINES:
        raise ValueError(f"engine: no such {name!r}; expected one of {', '.join(ENGINES)}")
    module, _, attribute = ENGINES[name].partition(":")
    try:
        found: Callable[[], Environment] = getattr(import_module(module), attribute)
    except ImportError as error:
        raise EngineMissingError(
            f"{name} cannot be played here: {error}. Install the engines that need compiling: "
            'pip install -c constraints.txt -e ".[engines]"'
        ) from error
    return found


def panel(engines: Mapping[str, Mapping[str, Iterable[int]]]) -> list[Task]:
    """Tasks from engine → task name → seeds, in the order written: how params name what is played."""
    return [
        Task(engine=engine, name=name, seed=seed)
        for engine, names in engines.items()
        for name, seeds in names.items()
        for seed in seeds
    ]


__all__ = ["ENGINES", "EngineMissingError", "Environment", "StepResult", "make_environment", "panel", "playable"]
