"""Work over a Ray cluster, synthesis for one: the same jobs, the same files, more machines. Needs the extra ``ray``."""

import asyncio
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from agentrefine_lib.schema import Trajectory
from agentrefine_lib.synthesis.loop import DEFAULT_LIMITS, Job, Limits, Outcome, synthesize_one
from agentrefine_lib.synthesis.store import TRAJECTORIES, Store
from agentrefine_lib.teachers import Teacher
from agentrefine_lib.verify import Rejection

B = TypeVar("B")
R = TypeVar("R")
Packed = tuple[str | None, list[str]]  # an outcome as JSON, which every Python on the cluster can read


def map_on_ray(
    work: Callable[[B], tuple[R, str]], batches: Iterable[B], in_flight: int, keep: str
) -> Iterator[tuple[B, R]]:
    """Each batch with what ``work`` makes of it on the cluster that ``ray.init`` has joined, as they come home.

    ``work`` returns its result and what stopped it, in words, or nothing. At most ``in_flight`` batches are submitted
    at a time, and none after a failure. A node that dies costs its batches, which Ray runs again elsewhere. Raises
    RuntimeError at the end where a batch failed; ``keep`` names where its caller keeps the results.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError('Ray is not installed; run: pip install -c constraints.txt -e ".[ray]"') from error

    remote = ray.remote(max_retries=3, scheduling_strategy="SPREAD")(lambda batch: work(batch))  # of functions only
    waiting, running, failure = deque(batches), dict[Any, B](), ""
    while running or (waiting and not failure):
        while waiting and not failure and len(running) < in_flight:
            batch = waiting.popleft()
            running[remote.remote(batch)] = batch
        ready = ray.wait(list(running))[0][0]
        batch = running.pop(ready)
        try:
            result, failed = ray.get(ready)
        except ray.exceptions.RayError as error:  # its worker died, again and again
            failure = failure or str(error)
            continue
        yield batch, result
        failure = failure or failed
    if failure:
        raise RuntimeError(f"{keep}: a batch failed; what was made is kept; run again to continue. {failure}")


def synthesize_on_ray(
    make_teacher: Callable[[], Teacher],
    jobs: Sequence[Job],
    folder: Path,
    limits: Limits = DEFAULT_LIMITS,
    *,
    batch: int = 50,
    in_flight: int = 64,
) -> Path:
    """Like ``synthesize``, with batches of jobs spread over a cluster (see ``map_on_ray``).

    ``make_teacher`` is called once per batch, where the batch runs. Only this process writes. Raises RuntimeError where
    a teacher failed, once the batches under way have come home: what any job has made is on disk.
    """
    with Store(folder, jobs) as store:
        batches = [store.todo[i : i + batch] for i in range(0, len(store.todo), batch)]
        work = partial(_synthesize_batch, make_teacher, limits)
        for some, made in map_on_ray(work, batches, in_flight, str(folder)):
            for job, packed in zip(some, made, strict=True):
                if packed is not None:
                    trajectory, rejections = packed
                    accepted = Trajectory.model_validate_json(trajectory) if trajectory is not None else None
                    store.add(job, Outcome(accepted, [Rejection.model_validate_json(text) for text in rejections]))
    return folder / TRAJECTORIES


def _synthesize_batch(
    make_teacher: Callable[[], Teacher], limits: Limits, jobs: Sequence[Job]
) -> tuple[list[Packed | None], str]:
    """What one worker does: every job of the batch, all under way at once. None for a job in which the teacher failed,
    and the first failure in words."""
    teacher = make_teacher()

    async def work() -> list[Outcome | BaseException]:
        return await asyncio.gather(*(synthesize_one(teacher, job, limits) for job in jobs), return_exceptions=True)

    made, failure = list[Packed | None](), ""
    for outcome in asyncio.run(work()):
        if isinstance(outcome, BaseException):
            failure = failure or "".join(traceback.format_exception(outcome))
            made.append(None)
        else:
            accepted = outcome.trajectory.to_json() if outcome.trajectory else None
            made.append((accepted, [rejection.to_json() for rejection in outcome.rejections]))
    return made, failure
