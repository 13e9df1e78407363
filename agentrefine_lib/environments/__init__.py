"""Benchmark engines as text environments behind one protocol. A new engine is one file with a record: registry.py."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from agentrefine_lib.environments.protocol import Environment, StepResult
from agentrefine_lib.environments.registry import Engine, Score, engines, get_engine, table_1, titles
from agentrefine_lib.schema import Task, spelt_out


class EngineMissingError(ImportError):
    """What an engine needs is not installed here; the message says how to get it."""


def make_environment(task: Task) -> Environment:
    """The environment that plays this task. Raises ValueError for an unknown engine, EngineMissingError."""
    engine = get_engine(task.engine)
    try:
        return engine.load()()
    except ImportError as error:  # of the package, or of what only its environment asks for, such as Java
        told = f"{task.engine} cannot be played here: {error}. To get it: {engine.install}"
        raise EngineMissingError(told + (f" (needs {engine.needs})" if engine.needs else "")) from error


def missing(names: Iterable[str]) -> dict[str, str]:
    """Engine → why it cannot be played here and how to get it, of those named. Raises ValueError for an unknown one."""
    found = dict[str, str]()
    for name in dict.fromkeys(names):
        try:
            make_environment(Task(engine=name, name="any")).close()
        except EngineMissingError as error:
            found[name] = str(error)
    return found


def playable(tasks: Sequence[Task]) -> list[Task]:
    """The tasks whose engine is there; says of each that is not how many tasks are left out and how to get it.

    Raises EngineMissingError where nothing is left to play.
    """
    counts = Counter(task.engine for task in tasks)
    without = missing(counts)
    left_out = [f"{counts[engine]} tasks are left out: {reason}" for engine, reason in without.items()]
    kept = [task for task in tasks if task.engine not in without]
    if left_out and not kept:
        raise EngineMissingError("\n".join(left_out))
    for line in left_out:
        print(line)
    return kept


def panel(chosen: Mapping[str, Mapping[str, Iterable[int]]]) -> list[Task]:
    """Tasks from engine → task name → seeds, in the order written: how params name what is played.

    An engine without any task name is played on the panel of its record. Raises ValueError for an unknown one.
    """
    return [
        Task(engine=engine, name=name, seed=seed)
        for engine, names in chosen.items()
        for record in [get_engine(engine)]
        for name, seeds in (names or record.panel).items()
        for seed in spelt_out(seeds)
    ]
