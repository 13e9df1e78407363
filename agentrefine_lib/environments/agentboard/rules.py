"""When AgentBoard counts a sub-goal as reached and an episode as won, as read in its source.

A label lists sub-goals: patterns that are looked for in what the engine says after an action. Progress is the share
that was reached at some time, whatever the order.

- babyai: the parts of a pattern between "**" occur in one sentence; at most one sub-goal a step. Won: all reached, or
  the episode has ended in the engine (with success there or not) and more than half are reached.
- jericho: the letters and digits of the pattern occur in the text; at most one sub-goal a step. Won: all reached.
- scienceworld: the pattern is a regular expression, found in the text. Won: all reached; the score does not count. (The
  parentheses of "book (Sherlock Holmes)" form a group in AgentBoard, too: these sub-goals are out of reach.)
- alfworld: the same, but won is what the engine says, and counts as one more sub-goal; progress is 1 then.
- pddl: conditions of the goal, which the engine counts itself; it needs no rule here.

Regular expressions run in RE2. It has no lookahead, so the one use of it, AlfWorld's "this and that", is taken apart;
and AlfWorld's "You put the … in/on the …" stands for its successor in version 0.4, "You move the … to the …", too.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from agentrefine_lib.environments.protocol import StepResult
from agentrefine_lib.schema import compile_code

_ALL_OF = re.compile(r"\^(?:\(\?=(?:[^()\\]|\\.)*\))+")  # ^(?=…)(?=…)


class Rule(NamedTuple):
    """``reached``: pattern and text to verdict. ``won``: the share reached and the engine's result to verdict."""

    reached: Callable[[str, str], bool]
    won: Callable[[float, StepResult], bool]
    one_a_step: bool
    end_counts: bool = False  # being won is one more sub-goal


def in_one_sentence(pattern: str, text: str) -> bool:
    """Whether one sentence of the text holds every part of the pattern, the parts being separated by "**"."""
    parts = [part.strip(".") for part in pattern.strip().split("**")]
    return any(all(part in sentence for part in parts) for sentence in text.split("."))


def among_letters(pattern: str, text: str) -> bool:
    """Whether the pattern occurs in the text when only letters, digits and single blanks are left of both."""
    return _letters(pattern) in _letters(text)


def found(pattern: str, text: str) -> bool:
    """Whether the regular expression is found in the text. Raises CodeError where RE2 does not understand it."""
    return all(compile_code(part).search(text.encode(errors="replace")) for part in _parts(pattern))


def readable(pattern: str) -> str:
    """The regular expression itself. Raises CodeError, with the reason, where RE2 does not understand it."""
    found(pattern, "")
    return pattern


def _letters(text: str) -> str:
    return " ".join(re.sub(r"[^a-zA-Z0-9\s]", "", text).split())


def _parts(pattern: str) -> list[str]:
    """The regular expressions that all have to be found."""
    pattern = pattern.replace("You put the ", "You (?:put|move) the ").replace(" in/on the ", " (?:in/on|to) the ")
    if _ALL_OF.fullmatch(pattern):
        return [f"^(?:{part})" for part in re.findall(r"\(\?=((?:[^()\\]|\\.)*)\)", pattern)]
    return [pattern]


RULES = {
    "babyai": Rule(in_one_sentence, lambda share, result: share == 1 or (result.done and share > 0.5), one_a_step=True),
    "jericho": Rule(among_letters, lambda share, _: share == 1, one_a_step=True),
    "scienceworld": Rule(found, lambda share, _: share == 1, one_a_step=False),
    "alfworld": Rule(found, lambda _, result: result.success, one_a_step=False, end_counts=True),
}
