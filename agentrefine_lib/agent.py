"""How a policy sees an episode and how its reply is read: ReAct prompts, parsing, history truncation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from agentrefine_lib.dataset import instruction, observe
from agentrefine_lib.schema import Step
from agentrefine_lib.verify.rules import ACTION_LINE

_ACTION = re.compile(ACTION_LINE.pattern + r"[ \t]*(.*)$", ACTION_LINE.flags)  # what verify keeps out of thoughts
_THOUGHT = re.compile(r"^\s*thought\s*:[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)
MAX_ACTION_CHARS = 200

Chat = list[dict[str, str]]  # [{"role": "user" | "assistant", "content": text}]


class Reply(NamedTuple):
    """A reply taken apart. ``well_formed`` is False without an ``Action:`` line; the first line is then the action."""

    thought: str
    action: str
    well_formed: bool


def parse_reply(text: str) -> Reply:
    """Read ``Thought:`` and the first ``Action:`` line. Never fails: the engine refuses what is no action."""
    action, thought = _ACTION.search(text), _THOUGHT.search(text)
    said = action[1] if action else text.strip().partition("\n")[0]
    return Reply(
        thought=thought[1].strip() if thought else "",
        action=said.strip(" \t\r'\"`.")[:MAX_ACTION_CHARS],
        well_formed=action is not None,
    )


def build_chat(commands: Iterable[str], goal: str, observation: str, steps: Iterable[Step], rules: str = "") -> Chat:
    """The episode so far as a chat that ends with what the policy has to answer."""
    chat = [{"role": "user", "content": instruction(commands, goal, observation, rules)}]
    for step in steps:
        chat.append({"role": "assistant", "content": step.reply})
        chat.append({"role": "user", "content": observe(step.observation)})
    return chat


def truncate(chat: Chat, fits: Callable[[Chat], bool]) -> tuple[Chat, int]:
    """Drop the oldest exchanges until the chat fits; the first message (goal, first observation) always stays.

    Returns the chat and how many exchanges were dropped.
    """
    dropped = 0
    while len(chat) > 1 and not fits(chat):
        chat = [chat[0], *chat[3:]]
        dropped += 1
    return chat, dropped
