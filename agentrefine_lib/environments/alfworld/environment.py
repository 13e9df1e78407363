"""AlfWorld as text: TextWorld's PDDL games in alfworld's words. docs/agentboard.md: what is AgentBoard's, what is not.

A task is one of six task types, played in a game that its seed determines, or the path of an official game.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path

from agentrefine_lib.environments.alfworld.bundle import VERSION
from agentrefine_lib.environments.alfworld.engine import Engine, Operation
from agentrefine_lib.environments.alfworld.expert import Expert
from agentrefine_lib.environments.alfworld.games import TASK_TYPES, generate
from agentrefine_lib.environments.alfworld.goal import read_goal, subgoals
from agentrefine_lib.environments.alfworld.official import read_game
from agentrefine_lib.environments.protocol import StepResult, TextEnvironment
from agentrefine_lib.environments.signature import parse_command
from agentrefine_lib.environments.words import load_words
from agentrefine_lib.schema import Task

COMMANDS: dict[str, str] = load_words(__file__)["commands"]
PLACED = ("gotolocation", "openobject")  # actions whose answer "look" repeats
SHOWING = (*PLACED, "examinereceptacle")  # actions that show what is in a receptacle


class AlfWorld(TextEnvironment):
    """One AlfWorld episode; implements ``Environment``. ``reset`` raises ValueError for a task that does not exist."""

    engine = "alfworld"
    version = VERSION
    rules = load_words(__file__)["rules"]
    commands = COMMANDS
    _engine: Engine | None = None

    def reset(self, task: Task) -> str:
        """Start the game of a task type and a seed, or of an official game's path."""
        self._task = task
        game = generate(task.name, task.seed) if task.name in TASK_TYPES else read_game(_path(task.name))
        self._aim = read_goal(game.problem)
        self._engine = self._engine or Engine()
        self._engine.load(game.problem)
        self.goal = game.sentence
        self.version = f"{VERSION}, {'generated' if task.name in TASK_TYPES else 'official'} games"
        self._subgoals = subgoals(self._aim)
        self._met: set[int] = set()  # numbers of sub-goals
        self._seen: set[str] = set()
        self._names = {e.name for e in self._engine.entities.values() if e.type in ("object", "receptacle")}
        self._scene = self._engine.text("look.feedback")
        self._observe()
        return self._scene

    def _play(self, action: str) -> StepResult:
        assert self._engine
        text = " ".join(action.lower().split()).rstrip(". ")
        if "check" in text:  # AgentBoard: a step that lists what is possible
            return self._offer()
        if text not in self._possible:
            return self._result("Nothing happens.", self._kind_of_error(text))
        operation = self._possible[text]
        observation = re.sub(r"^You arrive at [^.]*\. ", "", self._engine.apply(operation))
        if operation.action in PLACED:
            self._scene = observation
        if operation.action == "look":
            observation = self._scene
        if operation.action in SHOWING and not observation.endswith("is closed."):
            self._seen.add(operation.binding["r"])
        self._met |= {index for index, subgoal in enumerate(self._subgoals) if subgoal.search(observation)}
        self._observe()
        return self._result(observation)

    def valid_actions(self) -> list[str]:
        return [] if self._done else sorted(self._possible)

    def expert(self) -> Iterator[tuple[str, str]]:
        """Yield (thought, action) until the goal is reached; stops early where what is needed cannot be found."""
        assert self._engine
        expert = Expert(self._engine, self._aim, self._seen, random.Random(f"{self._task.id}/expert"))
        while not self._done and (step := expert.choose()):
            yield step

    def close(self) -> None:
        """Give the engine back. The environment can be reset again."""
        if self._engine:
            self._engine.close()
        self._engine, self._done = None, True

    def _observe(self) -> None:
        assert self._engine
        self._done = self._success = self._engine.won
        self._possible: dict[str, Operation] = {} if self._done else self._engine.operations()
        self._progress = 1.0 if self._done else len(self._met) / (len(self._subgoals) + 1)

    def _kind_of_error(self, text: str) -> str:
        command = parse_command(text, COMMANDS)
        if command is None:
            return "format"
        return "logic" if self._names.issuperset(command.arguments.values()) else "parameter"


def _path(name: str) -> Path:
    path = Path(name)
    if not path.exists():
        types = ", ".join(TASK_TYPES)
        raise ValueError(f"unknown AlfWorld task {name!r}: expected a task type such as {types}, or a game.tw-pddl")
    return path
