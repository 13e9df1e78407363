"""Jericho: interactive fiction. docs/agentboard.md says what is AgentBoard's, and what is not.

A task's name is one of ``GAMES``, and its seed decides the facts that differ from episode to episode, such as a
combination; or it is the path of a story file (.z3, .z5, .z8).
"""

import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

from agentrefine_lib.environments.jericho import actions
from agentrefine_lib.environments.jericho.expert import Plan, find_plan
from agentrefine_lib.environments.jericho.quest import FOLDER, GAMES, Quest, games_version, load_quest
from agentrefine_lib.environments.jericho.story import HALTED, Reply, Story
from agentrefine_lib.environments.protocol import StepResult, TextEnvironment
from agentrefine_lib.environments.words import load_words
from agentrefine_lib.schema import SCORE_UNKNOWN, Task

EXPLORE = Quest(goal="Explore the story and make as many of its points as you can.", subgoals=[], walkthrough=[])
NO_POINTS = Quest(goal="Explore the story and bring it to a good end.", subgoals=[], walkthrough=[])


class Jericho(TextEnvironment):
    """One story in text; implements ``Environment``. ``reset`` raises ValueError for a name that is no game or file,
    and for a file that is no whole story; ``step`` raises RuntimeError where the interpreter breaks down."""

    engine = "jericho"
    version = f"jericho {importlib.metadata.version('jericho')}, games {games_version()}"
    rules = load_words(__file__)["rules"]
    commands = actions.COMMANDS
    _story: Story

    def reset(self, task: Task) -> str:
        """Start the game named by the task, or the story file at that path."""
        path = FOLDER / f"{task.name}.z8.xz" if task.name in GAMES else Path(task.name)
        if not path.is_file():
            games = ", ".join(GAMES)
            raise ValueError(f"unknown game {task.name!r}: expected one of {games}, or the path of a story file")
        self._path, self._story = path, Story(path, task.seed)
        if task.name in GAMES:
            self._quest, self.version = load_quest(task.name), Jericho.version
        else:
            known = self._story.score() is not None
            self._quest = EXPLORE if known else NO_POINTS
            jericho, unknown = Jericho.version.partition(",")[0], "" if known else f", {SCORE_UNKNOWN}"
            self.version = f"{jericho}, story {self._story.version}{unknown}"
        self.goal, self.commands = self._quest.goal, {**actions.COMMANDS, **self._quest.commands}
        self._open = list(self._quest.subgoals)
        self._played: list[str] = []
        self._progress, self._success, self._done = 0.0, False, bool(self._story.first.ending)
        return self._story.first.text

    def _play(self, action: str) -> StepResult:
        command = actions.normal(action)
        if "check" in command and "action" in command:  # AgentBoard's "check valid actions"
            return self._offer()
        if not command or command.split()[0] in actions.INTERPRETER:
            return self._result("That is not a command of the story.", "format")
        reply = self._story.send(command)
        if reply.ending == HALTED:
            raise RuntimeError(f"{self._path}: the interpreter halts at {command!r}; is this file a whole story?")
        self._played.append(command)
        self._credit(reply)
        return self._result(reply.text or "Nothing happens.", reply.error)

    def valid_actions(self) -> list[str]:
        """Every filled signature of ``commands`` that the story accepts now, sorted; none once the episode is over."""
        return [] if self._done else actions.acceptable(self._story, self.commands, self._quest.values)

    def expert(self) -> Iterator[tuple[str, str]]:
        """Yield (thought, action) until the game is won; stops early where no plan is found, and for files by path."""
        plan: Plan = []
        expected: list[str] | None = None
        while not self._done and self._quest.walkthrough:
            if self._played != expected:  # nothing planned yet, or somebody else has acted
                plan = find_plan(self._story, self._quest)
            if not plan:
                return
            thought, action = plan.pop(0)
            expected = [*self._played, actions.normal(action)]
            yield thought, action

    def close(self) -> None:
        """Free the interpreter."""
        self._done = True
        vars(self).pop("_story", None)

    def _credit(self, reply: Reply) -> None:
        said = _letters(reply.text)
        reached = next((subgoal for subgoal in self._open if _letters(subgoal) in said), None)
        if reached is not None:
            self._open.remove(reached)
        total = len(self._quest.subgoals)
        share = (total - len(self._open)) / total if total else self._story.score() or 0.0
        self._success, self._done = reply.won, bool(reply.ending)
        self._progress = 1.0 if self._success else max(self._progress, share)


def _letters(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", text)
