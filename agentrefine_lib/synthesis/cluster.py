"""Synthesis over a Ray cluster: the same jobs, the same files, more machines. Needs the extra ``ray``."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agentrefine_lib.schema import Trajectory
from agentrefine_lib.synthesis.loop import DEFAULT_LIMITS, Job, Limits, Outcome, synthesize_one
from agentrefine_lib.synthesis.store import TRAJECTORIES, Store
from agentrefine_lib.teachers import Teacher
from agentrefine_lib.verify import Rejection

Packed = tuple[str | None, list[str]]  # an outcome as JSON, which every Python on the cluster can read


def synthesize_on_ray(
    make_teacher: Callable[[], Teacher],
    jobs: Sequence[Job],
    folder: Path,
    limits: Limits = DEFAULT_LIMITS,
    *,
    batch: int = 50,
    in_flight: int = 64,
) -> Path:
    """Like ``synthesize``, with batches of jobs spread over the cluster that ``ray.init`` has joined.

    ``make_teacher`` is called once per batch, where the batch runs. At most ``in_flight`` batches are under way. Only
    this process writes; a node that dies costs its batches, which Ray runs again elsewhere. Raises RuntimeError where a
    teacher failed, once the batches under way have come home: what any job has made is on disk.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError('Ray is not installed; run: pip install -c constraints.txt -e ".[ray]"') from error

    remote = ray.remote(max_retries=3, scheduling_strategy="SPREAD")(run_batch)
    with Store(folder, jobs) as store:
        batches = [store.todo[i : i + batch] for i in range(0, len(store.todo), batch)]
        running: dict[Any, list[Job]] = {}
        failure = ""
        while running or (batches and not failure):
            while batches and not failure and len(running) < in_flight:
                jobs_of_batch = batches.pop(0)
                running[remote.remote(make_teacher, jobs_of_batch, limits)] = jobs_of_batch
            ready = ray.wait(list(running))[0][0]
            jobs_of_batch = running.pop(ready)
            try:
                made, failed = ray.get(ready)
            except ray.exceptions.RayError as error:  # its worker died, again and again, or made no teacher
                made, failed = [None] * len(jobs_of_batch), str(error)
            for job, packed in zip(jobs_of_batch, made, strict=True):
                if packed is not None:
                    store.add(job, unpack(packed))
            failure = failure or failed
        if failure:
            raise RuntimeError(f"{folder}: a batch failed; what was made is kept; run again to continue. {failure}")
    return folder / TRAJECTORIES


def run_batch(
    make_teacher: Callable[[], Teacher], jobs: Sequence[Job], limits: Limits
) -> tuple[list[Packed | None], str]:
    """What one worker does: every job of the batch, all under way at once. None for a job in which the teacher failed,
    and the first failure in words."""
    teacher = make_teacher()

    async def work() -> list[Outcome | BaseException]:
        return await asyncio.gather(*(synthesize_one(teacher, job, limits) for job in jobs), return_exceptions=True)

    made, failures = list[Packed | None](), list[str]()
    for outcome in asyncio.run(work()):
        if isinstance(outcome, BaseException):
            failures.append("".join(traceback.format_exception(outcome)))
            made.append(None)
        else:
            accepted = outcome.trajectory.to_json() if outcome.trajectory else None
            made.append((accepted, [rejection.to_json() for rejection in outcome.rejections]))
    return made, failures[0] if failures else ""


def unpack(packed: Packed) -> Outcome:
    """An outcome from its JSON."""
    trajectory, rejections = packed
    accepted = Trajectory.model_validate_json(trajectory) if trajectory is not None else None
    return Outcome(accepted, [Rejection.model_validate_json(text) for text in rejections])
