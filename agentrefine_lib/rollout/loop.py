"""Rollouts: every task is played once by the policy, many at a time, and nothing that was finished is lost."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from tqdm.auto import tqdm

from agentrefine_lib.agent import parse_reply
from agentrefine_lib.environments import make_environment
from agentrefine_lib.environments.process import EngineFailure, EngineProcess, MakeEnvironment, TimeLimits
from agentrefine_lib.policies import LiveEpisode, Policy
from agentrefine_lib.rollout.crew import Crew, muster
from agentrefine_lib.rollout.engines import EnginePool
from agentrefine_lib.schema import Episode, Journal, Step, Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """``steps`` per episode (30 in the benchmark), episodes ``in_flight`` and ``at_most`` per engine, ``tries`` of an
    episode whose engine fails, wall-clock ``time`` per call of an engine."""

    steps: int = 30
    in_flight: int = 64
    at_most: Mapping[str, int] = field(default_factory=lambda: {"scienceworld": 4})  # a JVM each, half a gigabyte
    tries: int = 3
    time: TimeLimits = field(default_factory=TimeLimits)


DEFAULT_LIMITS = Limits()


class UnplayedError(RuntimeError):
    """Some tasks could not be played; all others are on disk."""


async def roll_out(
    policy: Policy,
    tasks: Sequence[Task],
    path: Path,
    limits: Limits = DEFAULT_LIMITS,
    make: MakeEnvironment = make_environment,
    engines: EnginePool | None = None,
) -> Path:
    """Play every task with the policy and append the episodes to ``path`` (JSONL). Returns the path.

    A killed run continues where it was: episodes on disk are not played again. An engine that dies or hangs costs its
    episode another try. Raises UnplayedError at the end if a task's engine failed at every try; what the policy or an
    unknown task raises ends the run at once. ``make`` is called in the engines' processes, so it must be picklable.
    ``engines``, of the same ``make``, are used and left running for whoever plays next.
    """
    lender = nullcontext(engines) if engines else EnginePool(make, limits.time)
    with Journal(path, Episode, key=lambda e: e.id) as journal, lender as pool:
        waiting = [task for task in tasks if episode_id(policy.name, task) not in journal.done]
        with tqdm(total=len(tasks), initial=len(tasks) - len(waiting), desc=policy.name, unit="episode") as bar:
            run, failure = _Run(policy, limits, journal, pool, bar), None
            try:
                async with asyncio.TaskGroup() as group:
                    for crew, places in muster(policy, waiting, limits.in_flight, limits.at_most):
                        for _ in range(places):
                            crew.join()
                            group.create_task(run.work(crew))
            except* Exception as errors:
                failure = _first(errors)
            if failure:  # out of the handler: a notebook shows no error that a group hangs on to
                raise failure
    if run.cut and (limit := getattr(policy, "limit", None)):  # an endpoint tells itself
        log.warning("%s: %d of %d replies end at %s: raise it", policy.name, run.cut, run.replies, limit)
    if run.unplayed:
        tried = "; ".join(f"{task}: {reason}" for task, reason in sorted(run.unplayed.items()))
        raise UnplayedError(
            f"{len(run.unplayed)} of {len(tasks)} tasks could not be played in {limits.tries} tries; the others are in "
            f"{path}, and another run plays only what is missing. {tried}"
        )
    return path


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

    async def work(self, crew: Crew) -> None:
        """Play tasks of the crew's queue, one after the other; a failed one goes to its end for another try."""
        try:
            while task := crew.queue.take():
                try:
                    with self.engines.lend(task.engine) as engine:
                        episode = await self.play(task, engine, crew)
                except EngineFailure as failure:
                    crew.queue.done(task, again=self.try_again(task, failure))
                else:
                    crew.queue.done(task)
                    self.write(episode)
        finally:
            crew.leave()

    async def play(self, task: Task, engine: EngineProcess, crew: Crew) -> LiveEpisode:
        """One episode, from its first observation to its end or to the step limit."""
        episode = LiveEpisode(task, engine, await engine.start(task))
        done = False
        while not done and len(episode.steps) < self.limits.steps:
            done = await advance(episode, await crew.reply(episode))
        return episode

    def try_again(self, task: Task, failure: EngineFailure) -> bool:
        """Whether tries are left after this failure."""
        self.failures[task.id] += 1
        log.warning("%s, try %d of %d: %s", task.id, self.failures[task.id], self.limits.tries, failure)
        left = self.failures[task.id] < self.limits.tries
        if not left:
            self.unplayed[task.id] = str(failure).partition("\n")[0]
        return left

    def write(self, live: LiveEpisode) -> None:
        """A finished episode, to disk at once."""
        name, retries = episode_id(self.policy.name, live.task), self.failures[live.task.id]
        episode = live.record(name, self.policy.name, live.dropped, retries)
        self.journal.append(episode)
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
    episode.success = result.success
    return result.done


def _first(errors: BaseExceptionGroup) -> BaseException:
    """What a crew's members all report is one error."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
