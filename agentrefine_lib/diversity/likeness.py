"""Whether a synthetic script is a test engine in disguise: its commands and its objects beside the engine's own."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from agentrefine_lib.environments import get_engine, make_environment
from agentrefine_lib.environments.process import TimeLimits
from agentrefine_lib.environments.signature import parse_command, shape
from agentrefine_lib.rollout.engines import EnginePool
from agentrefine_lib.schema import Script, Task, Trajectory

SHARED_SIGNATURES = 3  # of two words or more, that a script may share with a task
SHARED_OBJECTS = 0.5  # of a task's kinds of objects, that a script may share
FEWEST_OBJECTS = 4  # kinds that make a list; fewer are shared by chance
_NUMBERED = re.compile(r"[\s_]*\d+$")


class Vocabulary(NamedTuple):
    """What a task's commands look like, parameter names left out, and the kinds of things that they can be about."""

    task: str
    signatures: frozenset[str]
    objects: frozenset[str]


class Likeness(NamedTuple):
    """What a script shares with the task that is most like it. ``objects`` is a share of the task's, in [0, 1]."""

    task: str
    signatures: tuple[str, ...]
    objects: float
    same_commands: bool

    @property
    def too_alike(self) -> bool:
        return self.same_commands or len(self.signatures) > SHARED_SIGNATURES or self.objects > SHARED_OBJECTS


async def engine_vocabularies(tasks: Iterable[Task]) -> list[Vocabulary]:
    """What each task's engine itself says at the start: its commands, and the objects in its valid actions.

    Tasks of engines whose commands any teacher might write are left out. Raises EngineFailure.
    """
    found = []
    with EnginePool(make_environment, TimeLimits()) as pool:
        for task in tasks:
            if get_engine(task.engine).plain_english:
                continue
            with pool.lend(task.engine) as engine:
                commands = (await engine.start(task)).commands
                read = [parse_command(action, commands) for action in await engine.valid_actions()]
            values = [value for command in read if command for value in command.arguments.values()]
            found.append(Vocabulary(task.id, frozenset(map(_bare, commands)), _kinds(values)))
    return found


def likeness(script: Script, vocabularies: Iterable[Vocabulary]) -> Likeness:
    """The task that a script is most like: by the rule that it breaks, if it does, else by signatures, then objects."""
    own = frozenset(map(_bare, script.available_actions))
    choices: Iterable[Mapping[str, list[str]]] = (spec.listed() for spec in script.available_actions.values())
    objects = _kinds(value for parameters in choices for values in parameters.values() for value in values)
    found = [
        Likeness(
            known.task,
            tuple(sorted(signature for signature in own & known.signatures if _words(signature) > 1)),
            len(objects & known.objects) / len(known.objects) if len(known.objects) >= FEWEST_OBJECTS else 0.0,
            known.signatures <= own,
        )
        for known in vocabularies
    ]
    return max(found, key=lambda like: (like.too_alike, len(like.signatures), like.objects))


def most_alike(trajectories: Iterable[Trajectory], vocabularies: Sequence[Vocabulary]) -> pd.DataFrame:
    """For each mechanic, the script that is most like a test engine, and whether it is too much so."""
    alike = [(t.domain, likeness(t.script, vocabularies)) for t in trajectories if vocabularies]
    rows = [(domain, x.task, len(x.signatures), x.objects, x.too_alike) for domain, x in alike]
    table = pd.DataFrame(rows, columns=["domain", "task", "shared signatures", "share of its objects", "too alike"])
    return table.sort_values(list(table.columns[:1:-1]), ascending=False).drop_duplicates("domain")


def _bare(signature: str) -> str:
    return " ".join(shape(signature).lower().split())


def _words(signature: str) -> int:
    return len(re.findall(r"[^\W\d_]+", signature))


def _kinds(values: Iterable[str]) -> frozenset[str]:
    """Names without the numbers that tell things of a kind apart: "cabinet 3" and "cabinet 4" are cabinets."""
    return frozenset(kind for value in values if (kind := _NUMBERED.sub("", value.lower().strip())))
