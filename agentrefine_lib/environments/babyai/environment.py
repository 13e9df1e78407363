"""BabyAI as text: the MiniGrid engine (28 levels × 4 seeds). docs/agentboard.md: what is AgentBoard's, what is not."""

import contextlib
import importlib.metadata
import io
from collections.abc import Iterator
from typing import Any

import gymnasium
import minigrid

from agentrefine_lib.environments.babyai import actions, expert
from agentrefine_lib.environments.babyai.mission import subgoals
from agentrefine_lib.environments.babyai.view import describe, look
from agentrefine_lib.environments.protocol import StepResult, TextEnvironment
from agentrefine_lib.environments.words import load_words
from agentrefine_lib.schema import Task

gymnasium.register_envs(minigrid)  # importing it has registered the levels; this says so


class BabyAI(TextEnvironment):
    """One BabyAI episode in text; implements ``Environment``. ``reset`` raises ValueError for an unknown level."""

    engine = "babyai"
    version = f"minigrid {importlib.metadata.version('minigrid')}"
    rules = load_words(__file__)["rules"]
    commands = actions.COMMANDS
    _engine: Any = None

    def reset(self, task: Task) -> str:
        with contextlib.redirect_stdout(io.StringIO()):  # levels print each mission they reject
            self._engine = gymnasium.make(_level_id(task.name), disable_env_checker=True).unwrapped
            self._engine.reset(seed=task.seed)
        self._engine.max_steps = 10**9  # the rollout counts text steps; the engine's limit is ignored (AgentBoard)
        self.goal = self._engine.mission
        self._success = self._done = False
        self._observe()
        given = subgoals(self._engine, self._view)
        self._open = {index for index, reached in enumerate(given) if not reached}
        self._total, self._progress = len(self._open), 0.0
        return describe(self._view)

    def _play(self, action: str) -> StepResult:
        """One command: a plan of engine moves that ends early when one of them fails or ends the episode."""
        command = actions.normal(action)
        if "check" in command:  # AgentBoard: any text with this word asks for the list
            return self._offer()
        if command not in self._options:
            refusal = actions.refuse(self._view, command)
            return self._result(refusal.message, refusal.kind)
        self._done, reward = actions.play(self._engine, self._options[command])
        self._success = self._done and reward > 0
        self._observe()
        self._open -= {index for index, reached in enumerate(subgoals(self._engine, self._view)) if reached}
        self._progress = 1.0 if self._success else (self._total - len(self._open)) / max(1, self._total)
        observation = describe(self._view)
        if self._success:
            observation += "\n The task is completed."
        elif self._done:
            observation += "\n The episode is over: the task can no longer be completed."
        return self._result(observation)

    def valid_actions(self) -> list[str]:
        return [] if self._done else sorted(self._options)

    def expert(self) -> Iterator[tuple[str, str]]:
        """Yield (thought, action) until the engine ends the episode; stops early where no plan is found."""
        plan: list[expert.PlannedStep] = []
        while not self._done:
            state = expert.fingerprint(self._engine)
            if not plan or plan[0].state != state:  # nothing planned yet, or somebody else has acted
                plan = expert.solve(self._engine)
            if not plan:
                return
            step = plan.pop(0)
            yield step.thought, step.action

    def close(self) -> None:
        self._engine, self._done = None, True

    def _observe(self) -> None:
        self._view = look(self._engine)
        self._options = actions.options(self._view)


def _level_id(name: str) -> str:
    """The newest version of a level that the installed minigrid has: v0 of GoToObjS6 is gone, v1 took its place."""
    found = sorted(key for key in gymnasium.registry if key.rpartition("-v")[0] == f"BabyAI-{name}")
    if not found:
        raise ValueError(f"unknown BabyAI level {name!r}: expected a name such as GoToRedBall or Pickup")
    return found[-1]
