"""Policies without a model: the floor (random) and the ceiling (the engine's own expert)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from agentrefine_lib.dataset import reply
from agentrefine_lib.environments.protocol import Environment
from agentrefine_lib.policies.protocol import LiveEpisode


class RandomPolicy:
    """Plays a valid action at random, drawn anew from the seed, the task and the step."""

    def __init__(self, seed: int = 0, name: str = "random") -> None:
        self.name = name
        self.seed = seed

    def act(self, episodes: list[LiveEpisode]) -> list[str]:
        return [self._choose(episode) for episode in episodes]

    def _choose(self, episode: LiveEpisode) -> str:
        rng = random.Random(f"{self.seed} {episode.task.id} {len(episode.steps)}")
        return reply("I try something.", rng.choice(episode.environment.valid_actions()))


class ExpertPolicy:
    """Plays what the environment's scripted expert would do."""

    def __init__(self, name: str = "expert") -> None:
        self.name = name
        self._plans: WeakKeyDictionary[Environment, Iterator[tuple[str, str]]] = WeakKeyDictionary()

    def act(self, episodes: list[LiveEpisode]) -> list[str]:
        return [self._next(episode) for episode in episodes]

    def _next(self, episode: LiveEpisode) -> str:
        if not episode.steps:
            self._plans[episode.environment] = episode.environment.expert()
        thought, action = next(self._plans[episode.environment], ("I know of nothing else to do.", "wait"))
        return reply(thought, action)
