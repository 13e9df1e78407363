"""Synthesis on this machine: many jobs under way at once, each at most once."""

import asyncio
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from agentrefine_lib.schema import atomic_write_text
from agentrefine_lib.synthesis.loop import DEFAULT_LIMITS, Job, Limits, synthesize_one
from agentrefine_lib.synthesis.store import TRAJECTORIES, Note, Store, no_note
from agentrefine_lib.teachers import Teacher

log = logging.getLogger(__name__)
SETTINGS = "settings.json"  # what the teacher was asked for


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

    A job counts as finished by its id alone: of what was made with other settings of the teacher a warning tells.
    Run it again after a kill, an error or an exhausted budget, and it continues. ``concurrency`` jobs are under way at
    once (an endpoint wants many, the embedded teacher one); ``note`` tells the progress bar what was spent.
    The first error of a teacher ends the run; what was finished before is on disk.
    """
    with Store(folder, jobs) as store:
        _compare_settings(teacher, store)
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


def _compare_settings(teacher: Teacher, store: Store) -> None:
    """Keep a teacher's name and settings beside what it makes; warn where what is there was made with others."""
    now = json.loads(json.dumps({"name": teacher.name, **getattr(teacher, "settings", {})}))  # as a file has them
    path = store.folder / SETTINGS
    if not path.exists() or len(store.todo) == len(store.jobs):
        atomic_write_text(path, json.dumps(now, indent=1) + "\n")
        return
    then = json.loads(path.read_text(encoding="utf-8"))
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    if names:
        told = "; ".join(f"made with {name} {then.get(name)}, now {now.get(name)}" for name in names)
        log.warning("%s: %s; what is there stays; delete the folder to make it anew", store.folder, told)
