"""ScienceWorld: elementary-school science as a text game, by the original engine (30 tasks, 7207 variations).

docs/agentboard.md says what is AgentBoard's, and what is not.
"""

import importlib.metadata
import weakref
from collections.abc import Iterator
from typing import Any

from agentrefine_lib.environments.protocol import StepResult, TextEnvironment
from agentrefine_lib.environments.scienceworld import actions, expert, jvm
from agentrefine_lib.environments.words import load_words
from agentrefine_lib.schema import Task

SIMPLIFICATIONS = "selfWateringFlowerPots,openContainers,openDoors,noElectricalAction"

_SOLUTIONS: dict[str, list[str]] = {}  # task id → actions; computing one takes seconds


class ScienceWorld(TextEnvironment):
    """One ScienceWorld episode; implements ``Environment``. ``reset`` raises ValueError for an unknown task.

    A task's name is the engine's, e.g. "find-plant", its seed the number of the variation, counted from 0. The JVM is
    taken at the first ``reset`` and given back by ``close``.
    """

    engine = "scienceworld"
    version = f"scienceworld {importlib.metadata.version('scienceworld')} ({SIMPLIFICATIONS})"
    rules = load_words(__file__)["rules"]
    commands = actions.COMMANDS

    def __init__(self) -> None:
        """Raises ImportError where there is no Java."""
        jvm.java()
        self._jvm: jvm.Jvm | None = None

    def reset(self, task: Task) -> str:
        """Start the task; returns the view of the first room and the inventory, on lines of their own."""
        if self._jvm is None:
            self._jvm = jvm.acquire()
            self._release = weakref.finalize(self, jvm.release, self._jvm)  # also when nobody calls close
        if problem := self._problem(task):
            self.close()
            raise ValueError(problem)
        self._task = task
        self._electrical = "power-component" in task.name or "conductivity" in task.name
        unused = () if self._electrical else actions.ELECTRICAL
        self.commands = {signature: use for signature, use in actions.COMMANDS.items() if signature not in unused}
        self._progress, self._success, self._done = 0.0, False, False
        self._played: list[str] = []
        first = self._load()
        self.goal = self._engine.getTaskDescription()
        return f"{first}\n{self._engine.freeActionInventory()}"

    def _play(self, action: str) -> StepResult:
        text = actions.normal(action)
        if "check" in text:  # AgentBoard: any text with this word asks for what can be done
            return self._offer()
        if not text.isascii() or "reset" in text.split():  # the engine's "reset task" takes back a failure
            return self._result(actions.UNKNOWN, "format")
        observation = self._engine.step(text)
        self._played.append(text)
        score = round(100 * self._engine.getScore())
        self._progress = max(self._progress, score / 100)
        self._success = self._success or score >= 100
        self._done = self._success or score < 0
        return self._result(observation, actions.error_kind(text, observation))

    def valid_actions(self) -> list[str]:
        """Every command that would be accepted now, sorted; 60 to 3000 of them, in up to three seconds."""
        return [] if self._done or self._jvm is None else actions.mended(self._jvm.valid_actions())

    def expert(self) -> Iterator[tuple[str, str]]:
        """Yield (thought, action) along one solution; stops where it ends, or when other actions were played.

        The first call in a Python process for a task takes seconds, and leaves the episode where it was.
        """
        plan = self._solution()
        while not self._done and len(self._played) < len(plan):
            number = len(self._played)
            if self._played != [actions.normal(action) for action in plan[:number]]:
                return
            yield expert.think(plan[number], self.goal, number), plan[number]

    def close(self) -> None:
        """Give the JVM back. ``goal``, ``version`` and ``commands`` stay readable."""
        if self._jvm is not None:
            self._release()
            self._jvm = None
        self._done = True

    @property
    def _engine(self) -> Any:
        assert self._jvm is not None, "reset comes first"
        return self._jvm.engine

    def _problem(self, task: Task) -> str:
        """Why the engine has no such task; empty if it has."""
        names = sorted(self._engine.getTaskNames())
        if task.name not in names:
            return f"unknown ScienceWorld task {task.name!r}: expected one of {', '.join(names)}"
        count = self._engine.getTaskMaxVariations(task.name)
        known = 0 <= task.seed < count
        return "" if known else f"no variation {task.seed} of {task.name}: expected a seed from 0 to {count - 1}"

    def _load(self, gold: bool = False) -> str:
        simplifications = SIMPLIFICATIONS.removesuffix(",noElectricalAction") if self._electrical else SIMPLIFICATIONS
        self._engine.load(self._task.name, self._task.seed, simplifications, gold)
        return str(self._engine.step("look around"))

    def _solution(self) -> list[str]:
        assert self._jvm is not None
        if self._task.id not in _SOLUTIONS:
            _SOLUTIONS[self._task.id] = expert.solve(self._jvm, self._load)
            self._load()
            for text in self._played:
                self._engine.step(text)
        return _SOLUTIONS[self._task.id]

    def _offer(self) -> StepResult:
        offered = self.valid_actions()
        names = [action.removeprefix("look at ") for action in offered if action.startswith("look at ")]
        if not names:  # the engine waits for a number
            return super()._offer()
        told = f"The commands are: {', '.join(self.commands)}. Things you can name here: {', '.join(names)}."
        return self._result(told)
