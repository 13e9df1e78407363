"""ScienceWorld: elementary-school science as a text game, played by the original engine (30 tasks, 7207 variations).

AgentBoard's: the simplifications, the first observation (the room, then the inventory), the engine's own commands and
answers. Not AgentBoard's: progress is the engine's score and success a full one, where AgentBoard matches its labels'
patterns against observations and goes on after the engine's verdict (see ``verdict_ends``); the goal is the engine's
text, where the labels have rewritten some; "check valid actions" adds the names of what is here to the templates.

Containers are open at the start, as the simplifications say. In releases before 1.2.3 they were not, and 18 of
AgentBoard's sub-goals wait for one to be opened.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from typing import Any

from agentrefine_lib.environments.protocol import StepResult
from agentrefine_lib.environments.scienceworld import actions, expert, jvm
from agentrefine_lib.schema import Task

SIMPLIFICATIONS = "selfWateringFlowerPots,openContainers,openDoors,noElectricalAction"
PANEL: dict[str, list[int]] = {}


class ScienceWorld:
    """One ScienceWorld episode; implements ``Environment``. ``reset`` raises ValueError for an unknown task.

    A task's name is the engine's, e.g. "find-plant", its seed the number of the variation, counted from 0. The JVM is
    taken at the first ``reset`` and given back by ``close``. With ``verdict_ends=False`` the episode goes on after
    success or failure, for wrappers that judge by rules of their own.
    """

    engine = "scienceworld"
    version = f"scienceworld {importlib.metadata.version('scienceworld')} ({SIMPLIFICATIONS})"
    rules = (
        "You are in a building of ten places and solve a small science task with the things you find there. You reach "
        "only what is in the place where you are, or in your inventory. Name things as the observations do, adding "
        "where they are if several are alike, e.g. look at cup in table. A focus counts as your answer where the task "
        "asks for one, and a wrong focus fails the task at once. Time passes with each action that does something, and "
        "with most that fail: use wait to let things heat, cool or grow. If a request is ambiguous, answer with the "
        "number of the line you meant; anything else cancels it."
    )
    commands = actions.COMMANDS

    def __init__(self, *, verdict_ends: bool = True) -> None:
        """Raises ImportError where there is no Java."""
        jvm.java()
        self.goal = ""
        self._verdict_ends = verdict_ends
        self._jvm: jvm.Jvm | None = None
        self._success = self._done = False

    def reset(self, task: Task) -> str:
        """Start the task; returns the view of the first room and the inventory, on lines of their own."""
        self._jvm = self._jvm or jvm.acquire()
        names = sorted(self._engine.getTaskNames())
        if task.name not in names:
            raise ValueError(f"unknown ScienceWorld task {task.name!r}: expected one of {', '.join(names)}")
        variations = self._engine.getTaskMaxVariations(task.name)
        if not 0 <= task.seed < variations:
            raise ValueError(f"no variation {task.seed} of {task.name}: expected a seed from 0 to {variations - 1}")
        self._task = task
        self._electrical = "power-component" in task.name or "conductivity" in task.name
        unused = () if self._electrical else actions.ELECTRICAL
        self.commands = {signature: use for signature, use in actions.COMMANDS.items() if signature not in unused}
        self._progress = 0.0
        self._success = self._done = False
        self._played: list[str] = []
        first = self._load()
        self.goal = self._engine.getTaskDescription()
        return f"{first}\n{self._engine.freeActionInventory()}"
