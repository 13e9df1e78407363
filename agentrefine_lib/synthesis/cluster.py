"""Synthesis over a Ray cluster: the same jobs, the same files, more machines. Needs the extra ``ray``."""

from __future__ import annotations

import asyncio
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
    this process writes; a node that dies costs its batches, which Ray runs again elsewhere.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError('Ray is not installed; run: pip install -c constraints.txt -e ".[ray]"') from error

    remote = ray.remote(max_retries=3, scheduling_strategy="SPREAD")(run_batch)
    with Store(folder, jobs) as store:
        batches = [store.todo[i : i + batch] for i in range(0, len(store.todo), batch)]
        running: dict[Any, list[Job]] = {}
        while batches or running:
            while batches and len(running) < in_flight:
                jobs_of_batch = batches.pop(0)
                running[remote.remote(make_teacher, jobs_of_batch, limits)] = jobs_of_batch
            ready = ray.wait(list(running))[0][0]
            for job, packed in zip(running.pop(ready), ray.get(ready), strict=True):
                store.add(job, unpack(packed))
    return folder / TRAJECTORIES


def run_batch(make_teacher: Callable[[], Teacher], jobs: Sequence[Job], limits: Limits) -> list[Packed]:
    """What one worker does: every job of the batch, all under way at once."""
    teacher = make_teacher()

    async def work() -> list[Outcome]:
        return await asyncio.gather(*(synthesize_one(teacher, job, limits) for job in jobs))

    return [
        (o.trajectory.to_json() if o.trajectory else None, [r.to_json() for r in o.rejections])
        for o in asyncio.run(work())
    ]


def unpack(packed: Packed) -> Outcome:
    """An outcome from its JSON."""
    trajectory, rejections = packed
    accepted = Trajectory.model_validate_json(trajectory) if trajectory is not None else None
    return Outcome(accepted, [Rejection.model_validate_json(text) for text in rejections])
