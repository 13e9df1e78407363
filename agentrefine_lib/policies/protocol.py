"""What a policy is: it answers all live episodes at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from agentrefine_lib.agent import Chat, build_chat
from agentrefine_lib.environments.protocol import Environment
from agentrefine_lib.schema import Step, Task


@dataclass
class LiveEpisode:
    """An episode being played."""

    task: Task
    environment: Environment
    observation: str  # the first one
    steps: list[Step] = field(default_factory=list)
    success: bool = False

    def chat(self) -> Chat:
        """What a language model reads before its next reply."""
        environment = self.environment
        return build_chat(environment.commands, environment.goal, self.observation, self.steps, environment.rules)


class Policy(Protocol):
    """``name`` identifies it in results; ``act`` returns one raw reply per episode, in order."""

    name: str

    def act(self, episodes: list[LiveEpisode]) -> list[str]:
        """Reply to every episode."""
