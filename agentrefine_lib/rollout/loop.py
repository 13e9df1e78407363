"""Rollouts: every task is played once by the policy, many at a time, and nothing that was finished is lost."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from tqdm.auto import tqdm

from agentrefine_lib.environments import get_engine, make_environment
from agentrefine_lib.environments.process import EngineFailure, EngineProcess, MakeEnvironment, TimeLimits
from agentrefine_lib.policies import LiveEpisode, Policy
from agentrefine_lib.rollout.batch import Batch, TaskQueue, batches_of
from agentrefine_lib.rollout.engines import EnginePool
from agentrefine_lib.schema import Episode, Journal, SchemaError, Section, Step, Task, parse_reply, read_jsonl

log = logging.getLogger(__name__)
Steps = Annotated[int, Field(ge=1)]


class Limits(Section):
    """How long episodes are played, and how many at once: the section ``limits``."""

    steps: Steps = 15  # of an episode; 30 in the benchmark and in the paper
    steps_in: dict[str, Steps] = Field(default={})  # engine → steps there, if others: {hotpotqa: 8} in the paper
    in_flight: int = Field(default=64, ge=1)  # episodes alive at once, over all engines
    tries: int = Field(default=3, ge=1)  # of an episode whose engine fails
    time: TimeLimits = TimeLimits()  # wall-clock, per call of an engine

    @field_validator("steps_in")
    @classmethod
    def names_engines(cls, steps_in: dict[str, int]) -> dict[str, int]:
        for name in steps_in:
            get_engine(name)
        return steps_in


DEFAULT_LIMITS = Limits()


class UnplayedError(RuntimeError):
    """Some tasks could not be played; all others are on disk. ``reasons``: task id → why not."""

    def __init__(self, told: str, reasons: Mapping[str, str] | None = None) -> None:
        super().__init__(told)
        self.reasons = dict(reasons or {})


async def roll_out(
    policy: Policy,
    tasks: Sequence[Task],
    path: Path,
    limits: Limits = DEFAULT_LIMITS,
    make: MakeEnvironment = make_environment,
    engines: EnginePool | None = None,
) -> Path:
    """Play every task with the policy and append the episodes to ``path`` (JSONL). Returns the path.

    A killed run continues where it was: episodes on disk are not played again, whatever they were played with. A task
    that is listed twice is played once. An engine that dies, hangs, raises or answers nonsense costs its episode
    another try. Raises UnplayedError at the end if a task could not be played at any try, an unknown one, too; what the
    policy raises ends the run at once.
    ``make`` is called in the engines' processes, so it must be picklable. ``engines``, of the same ``make``, are used
    and left running for whoever plays next.
    """
    wanted = once(policy, tasks)
    lender = nullcontext(engines) if engines else EnginePool(make, limits.time)
    with Journal(path, Episode, key=lambda e: e.id) as journal, lender as pool:
        waiting = [task for name, task in wanted.items() if name not in journal.done]
        with tqdm(
            total=len(wanted), initial=len(wanted) - len(waiting), desc=policy.name, unit="episode", leave=False
        ) as bar:
            run = _Run(policy, limits, journal, pool, bar)
            for batch in batches_of(policy, list(wanted.values()), waiting, limits.in_flight):
                await run.play_all(batch)
    if run.cut and (limit := getattr(policy, "limit", None)):  # an endpoint tells itself
        log.warning("%s: %d of %d replies end at %s: raise it", policy.name, run.cut, run.replies, limit)
    refuse_unplayed(run.unplayed, len(wanted), path)
    return path


def once(policy: Policy, tasks: Sequence[Task]) -> dict[str, Task]:
    """Episode id → task, without those that the policy does not play; says which tasks are listed more than once."""
    wanted = {episode_id(policy.name, task): task for task in tasks if getattr(policy, "plays", lambda _: True)(task)}
    if twice := [name for name, count in Counter(task.id for task in tasks).items() if count > 1]:
        log.warning("listed more than once, played once: %s", ", ".join(twice))
    return wanted


def all_played(path: Path, tasks: Sequence[Task]) -> bool:
    """Whether a policy's file holds an episode of each task: then it need not be loaded."""
    there = path.exists()
    return there and {task.id for task in tasks} <= {e.task.id for e in read_jsonl(path, Episode, growing=True)}


def refuse_unplayed(reasons: Mapping[str, str], wanted: int, path: Path) -> None:
    """Raise UnplayedError where any of the tasks wanted is without an episode in ``path``."""
    if reasons:
        told = "; ".join(f"{task}: {reason}" for task, reason in sorted(reasons.items()))
        where = f"the others are in {path}; run again to play only what is missing"
        raise UnplayedError(f"{len(reasons)} of {wanted} tasks could not be played; {where}. {told}", reasons)


def episode_id(policy: str, task: Task) -> str:
    """What makes an episode the same work: the name of the policy that plays, and the task."""
    return f"{policy}/{task.id}"


class _Run:
    """One call of ``roll_out``: what its coroutines share."""

    def __init__(self, policy: Policy, limits: Limits, journal: Journal, engines: EnginePool, bar: tqdm) -> None:
        self.policy, self.limits, self.journal, self.engines, self.bar = policy, limits, journal, engines, bar
        self.failures: Counter[str] = Counter()
        self.unplayed: dict[str, str] = {}
        self.won, self.replies, self.cut = 0, 0, 0

    async def play_all(self, tasks: Sequence[Task]) -> None:
        """Tasks that are under way at the same time: in step, or each by itself where the policy answers them so."""
        queue = TaskQueue(tasks)
        failure: BaseException | None = None
        together = None if self.policy.batch_size == 1 else Batch(self.policy, queue)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(len(tasks) if together else min(self.limits.in_flight, len(tasks))):
                    batch = together or Batch(self.policy, queue)
                    batch.join()
                    group.create_task(self.work(batch))
        except* Exception as errors:
            failure = errors
            while isinstance(failure, BaseExceptionGroup):  # what a batch's members all report is one error
                failure = failure.exceptions[0]
        if failure:  # out of the handler: a notebook shows no error that a group hangs on to
            raise failure

    async def work(self, batch: Batch) -> None:
        """Play tasks of the batch's queue, one after the other; a failed one goes to its end for another try."""
        try:
            while task := batch.queue.take():
                try:
                    with self.engines.lend(task.engine) as engine:
                        episode = await self.play(task, engine, batch)
                except EngineFailure as failure:
                    batch.queue.done(task, again=self.try_again(task, failure))
                else:
                    batch.queue.done(task)
                    self.write(episode)
        finally:
            batch.leave()

    async def play(self, task: Task, engine: EngineProcess, batch: Batch) -> LiveEpisode:
        episode = LiveEpisode(task, engine, await engine.start(task))
        again = getattr(self.policy, "tries", 1) > 1
        limit = self.limits.steps_in.get(task.engine, self.limits.steps)
        while len(episode.steps) < limit:
            text = await batch.reply(episode)
            if episode.stopped or (await advance(episode, text) and (episode.success or not again)):
                break
        return episode

    def try_again(self, task: Task, failure: EngineFailure) -> bool:
        self.failures[task.id] += 1
        log.warning("try %d of %d: %s", self.failures[task.id], self.limits.tries, failure)
        left = self.failures[task.id] < self.limits.tries
        if not left and episode_id(self.policy.name, task) not in self.journal.done:  # played for its batch's sake
            told = str(failure).partition("\n")[0].removeprefix(f"{task.id}: ")
            self.unplayed[task.id] = f"{told} (tries: {self.limits.tries})"
        return left

    def write(self, live: LiveEpisode) -> None:
        """A finished episode, to disk at once; one that is there was played again for the sake of its batch."""
        name = episode_id(self.policy.name, live.task)
        if name in self.journal.done:
            return
        episode = live.record(name, self.policy.name, self.failures[live.task.id])
        try:
            self.journal.append(episode)
        except SchemaError as error:
            self.unplayed[live.task.id] = str(error)
            return
        self.won += episode.success
        self.replies += len(episode.steps)
        self.cut += sum(step.ending is not None and step.ending.cut for step in episode.steps)
        self.bar.set_postfix(won=self.won, refresh=False)
        self.bar.update()


async def advance(episode: LiveEpisode, text: str) -> bool:
    """Play one raw reply of a policy; True when the engine says that the episode is over."""
    read = parse_reply(text)
    result = await episode.engine.step(read.action)
    step = Step(
        reply=text,
        thought=read.thought,
        action=read.action,
        observation=result.observation,
        progress=result.progress,
        error=result.error,
        well_formed=read.well_formed,
        ending=episode.ending,
    )
    episode.ending = None
    episode.steps.append(step)
    episode.success, episode.done = result.success, result.done
    return result.done
