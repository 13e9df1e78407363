"""Where outcomes are kept: appended as they are made, in the order of the jobs once all are there."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tqdm import tqdm

from agentrefine_lib.schema import Journal, Trajectory, atomic_write, read_jsonl, read_lines
from agentrefine_lib.schema.progress import bar_stream
from agentrefine_lib.synthesis.loop import Job, Outcome
from agentrefine_lib.verify import Rejection

TRAJECTORIES, REJECTIONS = "trajectories.jsonl", "rejections.jsonl"

Note = Callable[[float], str]  # share of the jobs finished, in (0, 1] → text for the progress bar


def no_note(share: float) -> str:
    """Nothing to tell."""
    return ""


class Store:
    """The two journals of a synthesis run and its progress bar.

    A job counts as finished once its trajectory, or its ``given_up``, is on disk; that line is written last, so a
    killed run repeats at most the jobs that were under way, and their earlier rejections are not written twice.
    """

    def __init__(self, folder: Path, jobs: Sequence[Job]) -> None:
        if len({job.id for job in jobs}) < len(jobs):
            raise ValueError("jobs: ids must be unique, some occur twice")
        self.folder = folder
        self.jobs = jobs

    def __enter__(self) -> Self:
        with ExitStack() as stack:  # what opens is closed again where the next does not
            self._accepted = stack.enter_context(Journal(self.folder / TRAJECTORIES, Trajectory, lambda t: t.id))
            self._rejected = stack.enter_context(Journal(self.folder / REJECTIONS, Rejection, lambda r: r.id))
            rejections = list(read_jsonl(self.folder / REJECTIONS, Rejection))
            self._stack = stack.pop_all()
        self._known = Counter(rejection.id for rejection in rejections)
        given_up = {rejection.id for rejection in rejections if rejection.reason == "given_up"}
        self.todo = [job for job in self.jobs if job.id not in self._accepted.done and job.id not in given_up]
        done = len(self.jobs) - len(self.todo)
        self._done_before, self._finished, self._accepted_here = done, 0, 0  # a disabled bar counts nothing
        self._bar = self._stack.enter_context(
            tqdm(
                total=len(self.jobs),
                initial=done,
                desc="synthesis",
                unit="trajectory",
                mininterval=1,
                file=bar_stream(),
            )
        )
        return self

    def add(self, job: Job, outcome: Outcome, note: Note = no_note) -> None:
        """Put one finished job on disk; ``note`` is asked what to show beside the acceptance rate."""
        for rejection in outcome.rejections[self._known[job.id] :]:  # a repeated job finds its earlier ones again
            self._rejected.append(rejection)
        if outcome.trajectory is not None:
            self._accepted.append(outcome.trajectory)
            self._accepted_here += 1
        self._bar.update()
        self._finished += 1
        share = f"accepted {self._accepted_here / self._finished:.0%}"
        told = note((self._done_before + self._finished) / len(self.jobs))
        self._bar.set_postfix_str(f"{share} {told}".rstrip(), refresh=False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:  # while the files are locked: what another run appended would be lost
                sort_by_job(self.folder / TRAJECTORIES, self.jobs)
                sort_by_job(self.folder / REJECTIONS, self.jobs)
        finally:
            self._stack.__exit__(kind, error, trace)


def sort_by_job(path: Path, jobs: Sequence[Job]) -> None:
    """Rewrite a journal in the order of the jobs, so that it does not depend on which job ended first.

    Only ids and offsets are held in memory. Records of other jobs, of an earlier run with more, go to the end.
    """
    rank = {job.id: number for number, job in enumerate(jobs)}
    places: list[tuple[int, int]] = []
    for _, offset, line in read_lines(path):
        places.append((rank.get(json.loads(line)["id"], len(rank)), offset))
    if places == sorted(places):
        return
    with open(path, "rb") as lines, atomic_write(path) as part, open(part, "wb") as ordered:
        for _, offset in sorted(places):
            lines.seek(offset)
            ordered.write(lines.readline())
