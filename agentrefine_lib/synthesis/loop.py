"""The paper's Algorithm 1 for one persona: write a script, play it, verify, continue or write again."""

from typing import Any, NamedTuple

from pydantic import JsonValue, ValidationError

from agentrefine_lib.schema import Ending, PlayerTurn, Script, Trajectory, Turn, explain
from agentrefine_lib.teachers import Brief, Teacher
from agentrefine_lib.verify import (
    MIN_REFINEMENTS,
    Finding,
    Rejection,
    check_refinements,
    check_script,
    check_turns,
    parse_turns,
)


class Job(NamedTuple):
    """One trajectory to be made: its id, who it is for, and its seed."""

    id: str
    persona: str
    seed: int


class Limits(NamedTuple):
    """When to stop trying. ``min_refinements``: 0 for error-free data.

    ``calls`` is the paper's way: so many scripts and plays in all, and the play of a script that holds too few errors,
    mended or not, is begun anew; 0: the two limits before it, and too few errors that are mended cost the script.
    Without ``verified`` nothing is turned back but what is not the paper's JSON: the first play of the first such
    script is taken as it is (the paper's ablation without verification).
    """

    attempts: int = 5  # scripts tried for one job
    continuations: int = 5  # plays tried for one script, each from the verified prefix of the one before
    min_refinements: int = MIN_REFINEMENTS
    verified: bool = True
    calls: int = 0


DEFAULT_LIMITS = Limits()


class Outcome(NamedTuple):
    """What became of a job: the accepted trajectory (None when given up), and every rejection on the way."""

    trajectory: Trajectory | None
    rejections: list[Rejection]


async def synthesize_one(teacher: Teacher, job: Job, limits: Limits) -> Outcome:
    """One job through the whole loop."""
    rejections: list[Rejection] = []
    for attempt in range(limits.calls or limits.attempts):
        brief = Brief(job.persona, job.seed, attempt)
        raw = await teacher.write_script(brief)
        script = check_script(raw) if limits.verified else _read_script(raw)
        if isinstance(script, Finding):
            rejections.append(_rejection(job, attempt, script, None, _ending(teacher, brief)))
            continue
        plays = limits.calls - attempt - 1 if limits.calls else limits.continuations
        turns, found = await _play(teacher, job, brief, script, limits, plays)
        rejections += found
        if turns is not None:
            about: dict[str, Any] = {**job._asdict(), "teacher": teacher.name, "domain": teacher.domain(brief)}
            return Outcome(Trajectory(**about, script=script, turns=turns), rejections)
        if limits.calls:
            break
    tried = f"{limits.calls} calls" if limits.calls else f"{limits.attempts} attempts"
    given_up = Finding("given_up", f"after {tried}")
    return Outcome(None, [*rejections, _rejection(job, attempt + 1, given_up)])


async def _play(
    teacher: Teacher, job: Job, brief: Brief, script: Script, limits: Limits, plays: int
) -> tuple[list[Turn] | None, list[Rejection]]:
    """Play a script to its end: the turns (None when it did not succeed), and what was found wrong at which turn."""
    if not limits.verified:
        written = _as_written(*parse_turns(await teacher.play(brief, script, [])))
        return (None, [_rejection(job, brief.attempt, written, 0)]) if isinstance(written, Finding) else (written, [])
    turns, rejections = list[Turn](), list[Rejection]()
    for _ in range(plays):
        turns, finding = await _continue_play(teacher, brief, script, turns)
        if finding is None:
            few = check_refinements(turns, limits.min_refinements, mended=not limits.calls)
            if few is None:
                return turns, rejections
            rejections.append(_rejection(job, brief.attempt, few, None, _ending(teacher, brief)))
            if not limits.calls:
                break
            turns = []
            continue
        turn = turns[-1].turn + 1 if turns else 0
        rejections.append(_rejection(job, brief.attempt, finding, turn, _ending(teacher, brief)))
    return None, rejections


async def _continue_play(
    teacher: Teacher, brief: Brief, script: Script, prefix: list[Turn]
) -> tuple[list[Turn], Finding | None]:
    """Ask for the rest of a play. Returns its verified turns and what is wrong with the one after them, if any."""
    fresh, malformed = parse_turns(await teacher.play(brief, script, prefix))
    turns = [*prefix, *fresh]
    finding = check_turns(script, turns)
    if finding is None:
        return turns, None
    kept = turns[: finding.keep]
    if kept and isinstance(kept[-1], PlayerTurn):
        kept.pop()  # an action that nobody has answered is played again
    return kept, malformed if malformed and finding.reason == "goal_not_reached" else finding


def _read_script(raw: JsonValue) -> Script | Finding:
    """A script as it was written, whatever its codes and its parameters are worth."""
    try:
        return Script.model_validate(raw, by_alias=True, by_name=False)
    except ValidationError as error:
        return Finding("script_malformed", explain(error))


def _as_written(turns: list[Turn], malformed: Finding | None) -> list[Turn] | Finding:
    """A play as it was written, up to the last answer before its roles no longer alternate, if that has an action."""
    end = next((i for i in range(1, len(turns)) if turns[i].role == turns[i - 1].role), len(turns))
    turns = turns[: end - (end > 0 and isinstance(turns[end - 1], PlayerTurn))]
    if any(isinstance(turn, PlayerTurn) for turn in turns):
        return turns
    return malformed or Finding("turn_malformed", "no action that is answered")


def _ending(teacher: Teacher, brief: Brief) -> Ending | None:
    """How a model's last answer ended, where it did not end by itself."""
    ending: Ending | None = getattr(teacher, "endings", {}).get(brief)
    return ending if ending and (ending.cut or ending.reason not in (None, "stop")) else None


def _rejection(
    job: Job, attempt: int, finding: Finding, turn: int | None = None, ending: Ending | None = None
) -> Rejection:
    about: dict[str, Any] = {**job._asdict(), "attempt": attempt, "turn": turn, "ending": ending}
    return Rejection(**about, reason=finding.reason, excerpt=finding.detail[:500])
