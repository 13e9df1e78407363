"""Benchmark engines as text environments behind one protocol. A new engine is one file and one entry here."""

from agentrefine_lib.environments import babyai
from agentrefine_lib.environments.protocol import Environment, StepResult
from agentrefine_lib.schema import Task

ENGINES = {"babyai": babyai.BabyAI}


def make_environment(task: Task) -> Environment:
    """The environment that plays this task. Raises ValueError for an engine that is not there."""
    if task.engine not in ENGINES:
        raise ValueError(f"engine: no such {task.engine!r}; expected one of {', '.join(ENGINES)}")
    return ENGINES[task.engine]()


__all__ = ["ENGINES", "Environment", "StepResult", "babyai", "make_environment"]
