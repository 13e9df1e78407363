"""Policies without a model: the floor (random), the ceiling (the engine's own expert), a mistake to begin with."""

import asyncio
import random
from collections.abc import Mapping

from agentrefine_lib.environments import engines
from agentrefine_lib.policies.protocol import LiveEpisode, Policy
from agentrefine_lib.schema import Task, format_reply

AT_A_LOSS = format_reply("I know of nothing else to do.", "wait")


class RandomPolicy:
    """Plays a valid action at random, drawn anew from the seed, the task and the step."""

    batch_size: int | None = 1  # engines answer at their own pace

    def __init__(self, seed: int = 0, name: str = "random") -> None:
        self.name = name
        self.seed = seed

    async def act(self, episodes: list[LiveEpisode]) -> list[str]:
        return await asyncio.gather(*map(self._choose, episodes))

    def plays(self, task: Task) -> bool:
        return _is_known("random", task)

    async def _choose(self, episode: LiveEpisode) -> str:
        rng = random.Random(f"{self.seed} {episode.task.id} {len(episode.steps)}")
        actions = await episode.engine.valid_actions()
        return format_reply("I try something.", rng.choice(actions)) if actions else AT_A_LOSS


class ExpertPolicy:
    """Plays what the environment's scripted expert would do."""

    name = "expert"
    batch_size: int | None = 1  # engines answer at their own pace

    def plays(self, task: Task) -> bool:
        return _is_known("expert", task)

    async def act(self, episodes: list[LiveEpisode]) -> list[str]:
        choices = await asyncio.gather(*(episode.engine.expert_action() for episode in episodes))
        return [format_reply(*choice) if choice else AT_A_LOSS for choice in choices]


def _is_known(who: str, task: Task) -> bool:
    """Whether the engine's record says what they reach in it; true where there is no record."""
    engine = engines().get(task.engine)
    return engine is None or who in engine.expected


class AfterMistake:
    """Begins every episode with a mistake that is given, and then lets another policy go on: does it mend that?

    ``mistakes``: task id → raw reply.
    """

    def __init__(self, policy: Policy, mistakes: Mapping[str, str]) -> None:
        self._policy, self._mistakes = policy, mistakes
        self.name, self.batch_size, self.limit = policy.name, policy.batch_size, getattr(policy, "limit", None)

    async def act(self, episodes: list[LiveEpisode]) -> list[str]:
        begun = [episode for episode in episodes if episode.steps]
        replies = dict(zip(begun, await self._policy.act(begun) if begun else [], strict=True))
        return [replies[e] if e.steps else self._mistakes[e.task.id] for e in episodes]
