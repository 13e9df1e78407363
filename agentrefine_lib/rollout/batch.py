"""Episodes that are answered together: a policy that likes batches gets all their questions in one call."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterable, Sequence

from agentrefine_lib.environments import engines
from agentrefine_lib.environments.process import EngineFailure
from agentrefine_lib.policies import LiveEpisode, Policy
from agentrefine_lib.schema import Task


class TaskQueue:
    """Tasks that wait, in order; an engine's record bounds how many of it are under way at a time."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._waiting = list(tasks)
        self._at_most = {name: engine.at_most for name, engine in engines().items() if engine.at_most}
        self._under_way: Counter[str] = Counter()

    def take(self) -> Task | None:
        """The first task whose engine has room. None: whoever asks is not needed, those under way suffice."""
        for place, task in enumerate(self._waiting):
            if self._under_way[task.engine] < self._at_most.get(task.engine, sys.maxsize):
                self._under_way[task.engine] += 1
                return self._waiting.pop(place)
        return None

    def done(self, task: Task, *, again: bool = False) -> None:
        """A task that was taken is over, or has to wait for another try."""
        self._under_way[task.engine] -= 1
        if again:
            self._waiting.append(task)


class Batch:
    """Episodes under way that are played in step: the policy is asked once each of them has a question.

    So what is asked together depends on the tasks alone, never on how fast an engine was, and a run repeated asks the
    same. That matters where rounding does: a matrix product over other rows may round otherwise.
    """

    def __init__(self, policy: Policy, queue: TaskQueue) -> None:
        self.queue = queue
        self._policy = policy
        self._members = 0
        self._asked: list[tuple[LiveEpisode, asyncio.Future[str]]] = []
        self._answering: asyncio.Task[None] | None = None

    def join(self) -> None:
        """An episode is about to begin; the others wait for its first question."""
        self._members += 1

    def leave(self) -> None:
        """An episode is over, or could not be played."""
        self._members -= 1
        self._answer_when_all_have_asked()

    async def reply(self, episode: LiveEpisode) -> str:
        """The policy's reply to this episode. Raises EngineFailure where the policy's question to its engine does."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._asked.append((episode, future))
        self._answer_when_all_have_asked()
        try:
            return (await future).encode(errors="replace").decode()  # half a surrogate pair can be kept in no file
        except asyncio.CancelledError:  # episodes are cancelled all together: nobody waits for the answer any more
            if self._answering is not None:
                self._answering.cancel()
            raise

    def _answer_when_all_have_asked(self) -> None:
        if self._asked and len(self._asked) == self._members:
            asked = sorted(self._asked, key=lambda one: one[0].task.id)
            self._asked = []
            self._answering = asyncio.create_task(self._answer(asked))

    async def _answer(self, asked: list[tuple[LiveEpisode, asyncio.Future[str]]]) -> None:
        try:
            replies = await self._policy.act([episode for episode, _ in asked])
            if len(replies) != len(asked) or not all(isinstance(text, str) for text in replies):
                told = f"act returned {replies!r:.200}, expected {len(asked)} texts, one for each episode"
                raise TypeError(f"policy {self._policy.name}: {told}")
            for (_, future), text in zip(asked, replies, strict=True):
                future.set_result(text)
        except asyncio.CancelledError:
            for _, future in asked:
                future.cancel()
            raise
        except BaseException as error:
            engine = error.engine if isinstance(error, EngineFailure) else None
            theirs = [one for one in asked if one[0].engine is engine] or asked
            for _, future in theirs:
                if not future.done():
                    future.set_exception(error)
            self._asked += [one for one in asked if one not in theirs]  # asked again beside that one's next question


def batches_of(policy: Policy, tasks: Sequence[Task], missing: Sequence[Task], in_flight: int) -> list[list[Task]]:
    """What is played together, one batch after the other, whatever of it is on disk already.

    A policy of batch size 1 gets all ``missing`` tasks at once. For others batches are cut from all tasks, and one that
    misses an episode is played whole: a run that was killed then plays it as it would have been played.
    """
    if policy.batch_size == 1:
        return [list(missing)]
    size, wanted = policy.batch_size or in_flight, {task.id for task in missing}
    batches = [list(tasks[start : start + size]) for start in range(0, len(tasks), size)]
    return [batch for batch in batches if any(task.id in wanted for task in batch)]
