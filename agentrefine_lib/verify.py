"""The rules of the paper's Algorithm 1: what makes a script and a trajectory fit to be learned from.

Every rule has a reason code. Nothing here asks a model: the same input always gets the same verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from agentrefine_lib.schema import (
    CodeError,
    DMTurn,
    Mismatch,
    PlayerTurn,
    Script,
    Turn,
    compile_code,
    explain,
    match_action,
    placeholders,
)
from agentrefine_lib.schema.models import Record
from agentrefine_lib.teachers import COMPLETED

MIN_REFINEMENTS = 2  # error → refinement turns that a trajectory must hold (paper, Algorithm 1)

Reason = Literal[
    "script_malformed",  # not the paper's JSON
    "code_invalid",  # a verification code that RE2 does not accept
    "code_misses_signature",  # a verification code that does not fit instances of its own action
    "parameters_missing",  # an action's placeholders and its parameter lists differ, or a list is empty
    "turn_malformed",  # a turn is not the paper's JSON
    "order_broken",  # roles do not alternate, or numbers do not rise by one
    "error_unflagged",  # the action fails the script's check and the DM did not say so
    "goal_not_reached",  # the play ends before the DM declares the task completed
    "goal_too_early",  # the play goes on after the DM declared the task completed
    "too_few_refinements",  # fewer than two errors that the next turn mends
    "given_up",  # every attempt was rejected
]

_TURN: TypeAdapter[Turn] = TypeAdapter(Turn)


class Finding(NamedTuple):
    """Why something is rejected. ``keep`` is how many of the turns before the fault stay good (None: it is no play)."""

    reason: Reason
    detail: str
    keep: int | None = None


class Rejection(Record):
    """A finding as it is kept on disk, with what it was found in."""

    id: str
    persona: str
    seed: int
    attempt: int
    reason: Reason
    turn: int | None = Field(default=None, description="the turn's own number")
    excerpt: str


def check_script(raw: JsonValue) -> Script | Finding:
    """Parse a script and check each of its actions: codes compile, fit their own signature, and parameters exist."""
    try:
        script = Script.model_validate(raw)
    except ValidationError as error:
        return Finding("script_malformed", explain(error))
    for signature, spec in script.available_actions.items():
        names = placeholders(signature)
        if len(set(names)) != len(names) or set(names) != set(spec.parameters) or not all(spec.parameters.values()):
            return Finding("parameters_missing", f"{signature}: parameters {sorted(spec.parameters)}")
        try:
            code = compile_code(spec.verification_code)
        except CodeError as error:
            return Finding("code_invalid", f"{signature}: {spec.verification_code[:200]}: {error}")
        if code.groups != len(names):
            return Finding("code_misses_signature", f"{signature}: {code.groups} groups for {len(names)} parameters")
        instance = signature
        for name in names:
            instance = instance.replace("{" + name + "}", spec.parameters[name][0])
        if not code.fullmatch(instance):
            return Finding("code_misses_signature", f"{signature}: {spec.verification_code[:200]} refuses {instance!r}")
    return script


def parse_turns(raw: JsonValue) -> tuple[list[Turn], Finding | None]:
    """Turns up to the first that is not the paper's JSON, and what is wrong with that one."""
    if not isinstance(raw, list):
        return [], Finding("turn_malformed", f"expected a list of turns, found {type(raw).__name__}", 0)
    turns: list[Turn] = []
    for index, item in enumerate(raw):
        try:
            turns.append(_TURN.validate_python(item))
        except ValidationError as error:
            return turns, Finding("turn_malformed", explain(error), index)
    return turns, None


def check_turns(script: Script, turns: Sequence[Turn]) -> Finding | None:
    """The first rule that the play breaks, or None. The turns that the finding keeps may be continued."""
    for index, turn in enumerate(turns):
        if index and (turn.role == turns[index - 1].role or turn.turn != turns[index - 1].turn + 1):
            return Finding("order_broken", f"turn {turn.turn} ({turn.role}) after {turns[index - 1].turn}", index)
        if isinstance(turn, DMTurn):
            finding = _check_answer(script, turns, index)
            if finding is not None:
                return finding
    if not turns or not _declares_completion(turns[-1]):
        keep = len(turns) - bool(turns and isinstance(turns[-1], PlayerTurn))  # an unanswered action is played again
        return Finding("goal_not_reached", f"the last turn does not say {COMPLETED!r}", keep)
    return None


def _check_answer(script: Script, turns: Sequence[Turn], index: int) -> Finding | None:
    """A dungeon master's turn, against the action that it answers (if it answers one)."""
    answer, asked = turns[index], turns[index - 1] if index else None
    assert isinstance(answer, DMTurn)
    if isinstance(asked, PlayerTurn) and not answer.is_error:
        found = match_action(script, asked.action)
        if isinstance(found, Mismatch):
            return Finding("error_unflagged", f"{asked.action[:200]!r}: {found.detail}", index - 1)
    if COMPLETED in answer.observation and (index < len(turns) - 1 or answer.is_error or asked is None):
        return Finding("goal_too_early", answer.observation[-200:], max(index - 1, 0))
    return None


def _declares_completion(turn: Turn) -> bool:
    return isinstance(turn, DMTurn) and COMPLETED in turn.observation


def count_refinements(turns: Sequence[Turn]) -> int:
    """Errors that the very next Player turn mends: an erroneous turn directly followed by an accepted one."""
    verdicts = [turn.is_error for turn in turns if isinstance(turn, DMTurn) and turn is not turns[0]]
    return sum(error and not after for error, after in pairwise(verdicts))
