"""Live episodes of the real BabyAI, the engine in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentrefine_lib.environments import make_environment
from agentrefine_lib.environments.process import Opening
from agentrefine_lib.policies import LiveEpisode
from agentrefine_lib.schema import Step, Task


class HereEngine:
    """What policies may ask of an EngineProcess."""

    def __init__(self, task: Task) -> None:
        self._environment = make_environment(task)
        observation = self._environment.reset(task)
        env = self._environment
        self.opening = Opening(observation, env.goal, env.rules, env.commands, env.version)

    async def valid_actions(self) -> list[str]:
        return self._environment.valid_actions()


@pytest.fixture(scope="session")
def start() -> Callable[..., LiveEpisode]:
    """An episode at its beginning."""

    def start(level: str, seed: int = 0) -> LiveEpisode:
        task = Task(engine="babyai", name=level, seed=seed)
        engine = HereEngine(task)
        return LiveEpisode(task, engine, engine.opening)

    return start


@pytest.fixture(scope="session")
def advance() -> Callable[[LiveEpisode, str], None]:
    """Add a step with a made-up observation, whose length varies."""

    def advance(episode: LiveEpisode, reply: str) -> None:
        observation = f"Nothing happens, {len(episode.steps)} times. " + "You wait. " * (3 * len(episode.steps) % 7)
        step = Step(reply=reply, thought="", action="wait", observation=observation, progress=0.0)
        episode.steps.append(step)

    return advance
