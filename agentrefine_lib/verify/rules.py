"""The rules of the paper's Algorithm 1, and some of ours: what makes a script and a trajectory fit to be learned from.

Every rule has a reason code. Nothing here asks a model: the same input always gets the same verdict, and any input
gets one. The rules know commands, not worlds: whether a valid command was possible at that place is the dungeon
master's judgement, and a flag too many is legal (it takes the turn out of the loss, nothing else).
Ours: limits, hidden characters, the order of turns, an end that comes early, and an answer that begins with "Error:"
without a flag. And we are milder: a flag that a turn leaves out counts as false.
"""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from agentrefine_lib.schema import (
    ACTION_LINE,
    COMPLETED,
    SUCCEEDED,
    ActionSpec,
    CodeError,
    DMTurn,
    Ending,
    Mismatch,
    PlayerTurn,
    Record,
    Script,
    Trajectory,
    Turn,
    answers,
    compile_code,
    ends_play,
    explain,
    is_completed,
    match_action,
    placeholders,
    refinements,
)
from agentrefine_lib.schema.actions import fill, is_plain, read_arguments
from agentrefine_lib.verify.limits import (
    MAX_ACTIONS,
    MAX_CHOICES,
    MAX_NAME_CHARS,
    MAX_PARAMETERS,
    MAX_TEXT_CHARS,
    MAX_TURNS,
    find_fault,
    is_writable,
)

MIN_REFINEMENTS = 2  # errors that the next turn mends; the paper's Algorithm 1 counts all errors (``mended`` below)

Reason = Literal[
    "record_malformed",  # a line is no trajectory record
    "script_malformed",  # not the paper's JSON
    "too_large",  # over one of the limits in limits.py
    "name_deceptive",  # an action or a parameter holds characters that do not show: two could look the same
    "code_invalid",  # a verification code that RE2 does not accept
    "code_misses_signature",  # a verification code that does not read instances of its own action
    "parameters_missing",  # an action's placeholders and its parameter lists differ, or a list is empty
    "turn_malformed",  # a turn is not the paper's JSON, or its thought holds an action line of its own
    "order_broken",  # roles do not alternate, numbers do not rise by one from 0, or the opening judges an action
    "error_unflagged",  # the action fails the script's check, or its answer begins with "Error:", without a flag
    "goal_not_reached",  # the play ends before the DM declares the task completed
    "goal_too_early",  # the play goes on after the DM declared the task completed
    "too_few_refinements",  # fewer than two errors that the next turn mends, or errors at all (``mended`` below)
    "given_up",  # every attempt was rejected
]

_TURN: TypeAdapter[Turn] = TypeAdapter(Turn)
_REPORTS_ERROR = re.compile(r"\s*error\s*:", re.IGNORECASE)  # how the paper's dungeon master reports one (Figure 4)


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
    ending: Ending | None = None  # of the model's answer that it was found in
    excerpt: str


def check_script(raw: JsonValue) -> Script | Finding:
    """Parse a script and check each of its actions: names, parameters, and codes that read the action's instances."""
    if fault := find_fault(raw):
        return Finding(*fault)
    try:
        script = Script.model_validate(raw, by_alias=True, by_name=False)
    except ValidationError as error:
        return Finding("script_malformed", explain(error))
    if len(script.available_actions) > MAX_ACTIONS:
        return Finding("too_large", f"{len(script.available_actions)} actions, at most {MAX_ACTIONS}")
    if max(map(len, (script.goal, *script.completion_conditions))) > MAX_TEXT_CHARS:
        return Finding("too_large", f"a goal or condition of more than {MAX_TEXT_CHARS} characters")
    for signature, spec in script.available_actions.items():
        if finding := _check_names(signature, spec) or _check_code(signature, spec):
            return finding
    return script


def _check_names(signature: str, spec: ActionSpec) -> Finding | None:
    """An action's signature and the values of its parameters, before anything is compiled."""
    names, choices = placeholders(signature), spec.listed()
    for text in (signature, *choices, *(value for values in choices.values() for value in values)):
        if len(text) > MAX_NAME_CHARS:
            return Finding("too_large", f"{text[:80]!r}: {len(text)} characters, at most {MAX_NAME_CHARS}")
        if not is_plain(text):
            return Finding("name_deceptive", f"{text!r} holds a character that does not show")
    if len(names) > MAX_PARAMETERS or any(len(values) > MAX_CHOICES for values in choices.values()):
        return Finding("too_large", f"{signature}: over {MAX_PARAMETERS} parameters or {MAX_CHOICES} values of one")
    if len(set(names)) != len(names) or set(names) != set(choices) or not all(choices.values()) or "" in names:
        return Finding("parameters_missing", f"{signature}: parameters {sorted(choices)}")
    return None


def _check_code(signature: str, spec: ActionSpec) -> Finding | None:
    """An action's verification code has to read every value of every parameter out of an instance of the action."""
    names = placeholders(signature)
    try:
        groups = compile_code(spec.verification_code).groups
    except CodeError as error:
        return Finding("code_invalid", f"{signature}: {spec.verification_code[:200]!r}: {error}")
    if groups != len(names):
        return Finding("code_misses_signature", f"{signature}: {groups} groups for {len(names)} parameters")
    choices = spec.listed()
    for index in range(max(map(len, choices.values()), default=1)):
        arguments = {name: values[index % len(values)] for name, values in choices.items()}
        instance = fill(signature, arguments)
        if read_arguments(spec.verification_code, instance) != [arguments[name] for name in names]:
            return Finding("code_misses_signature", f"{signature}: {spec.verification_code!r} misreads {instance!r}")
    return None


def parse_turns(raw: JsonValue) -> tuple[list[Turn], Finding | None]:
    """Turns up to the first that is not the paper's JSON, and what is wrong with that one."""
    if not isinstance(raw, list):
        return [], Finding("turn_malformed", f"expected a list of turns, found {type(raw).__name__}", 0)
    turns: list[Turn] = []
    for index, item in enumerate(raw[: MAX_TURNS + 1]):
        try:
            turn = _TURN.validate_python(item, by_alias=True, by_name=False)
        except ValidationError as error:
            return turns, Finding("turn_malformed", explain(error), index)
        if finding := _check_texts(turn, index):
            return turns, finding
        turns.append(turn)
    return turns, _too_many(raw)


def _too_many(turns: Sequence[object]) -> Finding | None:
    """A play over the limit is begun anew: to continue it would only make it longer."""
    return Finding("too_large", f"{len(turns)} turns, at most {MAX_TURNS}", 0) if len(turns) > MAX_TURNS else None


def _check_texts(turn: Turn, index: int) -> Finding | None:
    said = turn.action if isinstance(turn, PlayerTurn) else turn.observation
    for text in (turn.thought, said):
        if len(text) > MAX_TEXT_CHARS:
            return Finding("too_large", f"turn {turn.turn}: {len(text)} characters, at most {MAX_TEXT_CHARS}", index)
        if not is_writable(text):
            return Finding("turn_malformed", f"turn {turn.turn}: {text[:80]!r} holds a NUL character", index)
    return None


def check_turns(script: Script, turns: Sequence[Turn]) -> Finding | None:
    """The first rule that the play breaks, or None. The turns that the finding keeps may be continued."""
    if finding := _too_many(turns):
        return finding
    for index, turn in enumerate(turns):
        if index == 0 and turn.turn != 0:
            return Finding("order_broken", f"the first turn has number {turn.turn}, not 0", 0)
        if index and (turn.role == turns[index - 1].role or turn.turn != turns[index - 1].turn + 1):
            return Finding("order_broken", f"turn {turn.turn} ({turn.role}) after {turns[index - 1].turn}", index)
        if isinstance(turn, DMTurn):
            finding = _check_answer(script, turns, index)
        elif ACTION_LINE.search(turn.thought):
            finding = Finding("turn_malformed", f"turn {turn.turn}: a thought with an action line of its own", index)
        if finding is not None:
            return finding
    last = turns[-1] if turns else None
    if not isinstance(last, DMTurn) or not ends_play(last.observation, last.is_error):
        keep = len(turns) - bool(turns and isinstance(turns[-1], PlayerTurn))  # an unanswered action is played again
        return Finding("goal_not_reached", f"the last turn does not say {SUCCEEDED!r} or {COMPLETED!r}", keep)
    return None


def _check_answer(script: Script, turns: Sequence[Turn], index: int) -> Finding | None:
    """A dungeon master's turn, against the action that it answers (if it answers one)."""
    answer, asked = turns[index], turns[index - 1] if index else None
    assert isinstance(answer, DMTurn)
    if asked is None and answer.is_error:
        return Finding("order_broken", "the opening judges an action, but there is none before it", 0)
    if isinstance(asked, PlayerTurn) and not answer.is_error:
        found = match_action(script, asked.action)
        if isinstance(found, Mismatch):
            return Finding("error_unflagged", f"{asked.action[:200]!r}: {found.detail}", index - 1)
        if _REPORTS_ERROR.match(answer.observation):
            return Finding("error_unflagged", f"{asked.action!r} is answered {answer.observation[:200]!r}", index - 1)
    if is_completed(answer.observation) and (index < len(turns) - 1 or answer.is_error or asked is None):
        return Finding("goal_too_early", repr(answer.observation[-200:]), max(index - 1, 0))
    return None


def count_refinements(turns: Sequence[Turn]) -> int:
    """Errors that the very next Player turn mends: an erroneous turn directly followed by an accepted one."""
    return sum(refinements(answer.is_error for answer in answers(turns)))


def check_refinements(turns: Sequence[Turn], least: int, mended: bool = True) -> Finding | None:
    """A finding where the play mends fewer than ``least`` errors; not ``mended``: where it holds fewer."""
    count = count_refinements(turns) if mended else sum(answer.is_error for answer in answers(turns))
    return Finding("too_few_refinements", f"{count}, at least {least} are needed") if count < least else None


def check_trajectory(raw: JsonValue, min_refinements: int = MIN_REFINEMENTS) -> Finding | None:
    """All rules on one trajectory record as it stands in a file: its script, its turns, and the record around them."""
    if not isinstance(raw, dict) or not {"script", "trajectory"} <= raw.keys():
        return Finding("record_malformed", "expected an object with the fields script and trajectory")
    script = check_script(raw["script"])
    if isinstance(script, Finding):
        return script
    turns, malformed = parse_turns(raw["trajectory"])
    finding = check_turns(script, turns)
    if malformed and (finding is None or finding.reason == "goal_not_reached"):
        return malformed
    if finding:
        return finding
    try:
        Trajectory.model_validate({**raw, "script": script, "trajectory": turns})
    except ValidationError as error:
        return Finding("record_malformed", explain(error))
    return check_refinements(turns, min_refinements)
