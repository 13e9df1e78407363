"""What a policy is: it answers episodes that are being played, several at once."""

from dataclasses import dataclass, field
from typing import Protocol

from agentrefine_lib.environments.process import EngineProcess, Opening
from agentrefine_lib.schema import Ending, Episode, Step, Task


@dataclass(eq=False)  # two plays of one task are two episodes
class LiveEpisode:
    """An episode being played."""

    task: Task
    engine: EngineProcess
    opening: Opening
    steps: list[Step] = field(default_factory=list)
    success: bool = False
    done: bool = False  # the engine said so at the last step
    stopped: bool = False  # the policy plays no further step; its last reply is not played
    dropped: int = 0  # oldest exchanges that the policy's prompt leaves out
    ending: Ending | None = None  # of the reply that the policy gives, until it is played

    def record(self, name: str, policy: str, retries: int = 0) -> Episode:
        """What has been played so far, as it is kept; ``name`` is the record's id."""
        told = self.opening._asdict()
        told |= {"engine_version": told.pop("version"), "task": self.task, "policy": policy, "success": self.success}
        progress = self.steps[-1].progress if self.steps else 0.0
        told |= {"steps": self.steps, "progress": progress, "dropped": self.dropped, "retries": retries}
        return Episode(id=name, **told)


class Policy(Protocol):
    """``name`` identifies it in results. ``batch_size`` episodes are answered together, in step; 1: each alone.

    One with ``tries`` above 1 may begin an episode anew that the engine has ended without success; it ends it itself.
    One with a method ``plays(task)`` plays only the tasks for which that is true.
    """

    name: str
    batch_size: int | None

    async def act(self, episodes: list[LiveEpisode]) -> list[str]:
        """One raw reply per episode, in order."""
