"""Synthesis on this machine: many jobs under way at once, each at most once."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from agentrefine_lib.schema import keep_settings
from agentrefine_lib.synthesis.loop import DEFAULT_LIMITS, Job, Limits, synthesize_one
from agentrefine_lib.synthesis.store import TRAJECTORIES, Note, Store, no_note
from agentrefine_lib.teachers import Teacher


async def synthesize(
    teacher: Teacher,
    jobs: Sequence[Job],
    folder: Path,
    limits: Limits = DEFAULT_LIMITS,
    *,
    concurrency: int = 1,
    note: Note = no_note,
) -> Path:
    """Make every job's trajectory; returns the path of ``trajectories.jsonl`` in ``folder``.

    A job counts as finished by its id alone; a warning tells of what was made with other settings of the teacher.
    Run it again after a kill, an error or an exhausted budget, and it continues. ``concurrency`` jobs are under way at
    once (an endpoint wants many, the embedded teacher one); ``note`` tells the progress bar what was spent.
    The first error of a teacher ends the run; what was finished before is on disk.
    """
    with Store(folder, jobs) as store:
        keep_settings({"name": teacher.name, **getattr(teacher, "settings", {})}, folder)
        waiting = iter(store.todo)

        async def work() -> None:
            for job in waiting:  # shared by all workers: whoever is free takes the next
                store.add(job, await synthesize_one(teacher, job, limits), note)

        failure: Exception | None = None
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(concurrency):
                    workers.create_task(work())
        except ExceptionGroup as failures:
            failure = failures.exceptions[0]
        if failure:  # out of the handler: a notebook shows no error that a group hangs on to
            raise failure
    return folder / TRAJECTORIES
