"""What a policy is: it answers episodes that are being played, several at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from agentrefine_lib.environments.process import EngineProcess, Opening
from agentrefine_lib.schema import Step, Task


@dataclass(eq=False)  # two plays of one task are two episodes
class LiveEpisode:
    """An episode being played."""

    task: Task
    engine: EngineProcess
    opening: Opening
    steps: list[Step] = field(default_factory=list)
    success: bool = False
    dropped: int = 0  # oldest exchanges that the policy's prompt leaves out


class Policy(Protocol):
    """``name`` identifies it in results. ``crew`` is how many episodes it likes to answer together, None: all."""

    name: str
    crew: int | None

    async def act(self, episodes: list[LiveEpisode]) -> list[str]:
        """One raw reply per episode, in order."""
