"""Reading a model's reply: it should be ``Thought: …`` and ``Action: …``, and often is not quite."""

from __future__ import annotations

import re
from typing import NamedTuple

from agentrefine_lib.verify.rules import ACTION_LINE  # what verify keeps out of thoughts

MAX_ACTION_CHARS = 200
_WRAPPING = " \t\r'\"`*.>“”‘’"  # quotes, emphasis and a full stop around an action
_FENCE = re.compile(r"^[ \t]*```\w*[ \t]*(?:\n|$)", re.MULTILINE)
_ANNOUNCEMENT = re.compile(  # "Next action: …", "**Action:** …", "The best action is to …", "Thought: … Action: …"
    r"^\W{0,9}(?:[\w']+ ){0,5}action(?: \w+){0,4}?\W{0,3}(?::| is to )|(?-i:\bAction:)",
    re.IGNORECASE | re.MULTILINE,
)
_THOUGHT = re.compile(r"^\W{0,9}thought\W{0,3}:[ \t*]*", re.IGNORECASE)


class Reply(NamedTuple):
    """A reply taken apart. ``well_formed``: a line begins with ``Action:`` and says something."""

    thought: str
    action: str
    well_formed: bool


def parse_reply(text: str) -> Reply:
    """Read what comes before the first action as thought, and the action's line. Never fails.

    Models also bury the action in a code fence or in quotes, announce it in other words, put it on the next line, write
    several, or write nothing else. All of that is read; the engine refuses what is no action.
    """
    said = _FENCE.sub("", without_reasoning(text)).strip()
    label = ACTION_LINE.search(said)
    announced = label or _ANNOUNCEMENT.search(said)
    if announced:
        thought, rest = said[: announced.start()], said[announced.end() :]
    else:
        thought, rest = _split_off_thought(said)
    action = rest.strip().partition("\n")[0].strip(_WRAPPING)[:MAX_ACTION_CHARS]
    return Reply(_THOUGHT.sub("", thought.strip()).strip(), action, well_formed=label is not None and action != "")


def without_reasoning(text: str) -> str:
    """The text after a reasoning model's ``<think>`` block; nothing, when the block was cut off before its end."""
    return text.rpartition("</think>")[2].partition("<think>")[0].lstrip()


def _split_off_thought(said: str) -> tuple[str, str]:
    """Without any word of an action: its first line that is no thought, or else its first line."""
    first, _, rest = said.partition("\n")
    return (first, rest) if _THOUGHT.match(first) and rest.strip() else ("", said)
