"""The paper's Algorithm 1: persona → script → trajectory → verify → regenerate, for any teacher."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from agentrefine_lib.schema import Journal, Script, Trajectory, Turn
from agentrefine_lib.teachers import Brief, Teacher, domain_of
from agentrefine_lib.verify import (
    MIN_REFINEMENTS,
    Finding,
    Rejection,
    check_script,
    check_turns,
    count_refinements,
    parse_turns,
)


class Job(NamedTuple):
    """One trajectory to be made: who it is for, and its seed."""

    id: str
    persona: str
    seed: int


class Limits(NamedTuple):
    """When to stop trying. ``min_refinements`` is the paper's two; 0 for error-free data."""

    attempts: int = 5  # scripts tried for one job
    continuations: int = 5  # plays tried for one script, each from the verified prefix of the one before
    min_refinements: int = MIN_REFINEMENTS


async def synthesize(teacher: Teacher, jobs: Iterable[Job], folder: Path, limits: Limits = Limits()) -> Path:  # noqa: B008
    """Make every job's trajectory. Appends to ``trajectories.jsonl`` and ``rejections.jsonl`` in ``folder``.

    A killed run continues where it was: jobs already accepted or given up are not repeated. Returns the first path.
    """
    path = folder / "trajectories.jsonl"
    with (
        Journal(path, Trajectory, key=lambda t: t.id) as accepted,
        Journal(
            folder / "rejections.jsonl", Rejection, key=lambda r: r.id if r.reason == "given_up" else ""
        ) as rejected,
    ):
        todo = [job for job in jobs if job.id not in accepted.done and job.id not in rejected.done]
        for job in tqdm(todo, desc="synthesis", unit="trajectory", mininterval=1):
            trajectory, rejections = await synthesize_one(teacher, job, limits)
            for rejection in rejections:
                rejected.append(rejection)
            if trajectory is not None:
                accepted.append(trajectory)
    return path


async def synthesize_one(teacher: Teacher, job: Job, limits: Limits) -> tuple[Trajectory | None, list[Rejection]]:
    """One job through the whole loop: the accepted trajectory (None when given up) and every rejection on the way."""
    rejections: list[Rejection] = []

    def reject(attempt: int, finding: Finding, turn: int | None = None) -> None:
        rejections.append(
            Rejection(
                id=job.id,
                persona=job.persona,
                seed=job.seed,
                attempt=attempt,
                reason=finding.reason,
                turn=turn,
                excerpt=finding.detail[:500],
            )
        )

    for attempt in range(limits.attempts):
        brief = Brief(job.persona, job.seed, attempt)
        script = check_script(await teacher.write_script(brief))
        if isinstance(script, Finding):
            reject(attempt, script)
            continue
        turns: list[Turn] = []
        for _ in range(limits.continuations):
            turns, finding = await _continue_play(teacher, brief, script, turns)
            if finding is None:
                break
            reject(attempt, finding, turns[-1].turn + 1 if turns else 0)
        else:
            continue
        refinements = count_refinements(turns)
        if refinements >= limits.min_refinements:
            domain = domain_of(job.persona) or ""
            return Trajectory(
                id=job.id,
                teacher=teacher.name,
                persona=job.persona,
                domain=domain,
                seed=job.seed,
                script=script,
                turns=turns,
            ), rejections
        reject(attempt, Finding("too_few_refinements", f"{refinements} of at least {limits.min_refinements}"))
    reject(limits.attempts, Finding("given_up", f"{limits.attempts} attempts"))
    return None, rejections


async def _continue_play(
    teacher: Teacher, brief: Brief, script: Script, prefix: list[Turn]
) -> tuple[list[Turn], Finding | None]:
    """Ask for the rest of a play. Returns its verified turns and what is wrong with the one after them, if any."""
    fresh, malformed = parse_turns(await teacher.play(brief, script, prefix))
    turns = [*prefix, *fresh]
    finding = check_turns(script, turns)
    if finding is not None and finding.reason == "goal_not_reached" and malformed is not None:
        return turns[: finding.keep], malformed
    return (turns, None) if finding is None else (turns[: finding.keep], finding)
