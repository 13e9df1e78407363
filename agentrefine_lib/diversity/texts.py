"""The texts that are compared: thoughts of training sets and of models, environments as a newcomer is told of them."""

from __future__ import annotations

import random
from collections.abc import Iterable
from operator import itemgetter
from pathlib import Path

import pandas as pd

from agentrefine_lib.agent import parse_reply
from agentrefine_lib.dataset import HOW_TO_ANSWER
from agentrefine_lib.schema import Conversation, Episode, read_jsonl


def thoughts_taught(path: Path, number: int, seed: int = 0) -> pd.DataFrame:
    """At most ``number`` thoughts of the trained replies in a file of conversations: columns group (its id), text."""
    found = (
        (c.id, parse_reply(m.value).thought) for c in read_jsonl(path, Conversation) for m in c.conversations if m.loss
    )
    return _draw(found, number, seed)


def thoughts_played(paths: Iterable[Path], number: int, seed: int = 0) -> pd.DataFrame:
    """At most ``number`` thoughts of all replies in files of episodes: columns group (the episode's id), text."""
    found = ((e.id, step.thought) for path in paths for e in read_jsonl(path, Episode) for step in e.steps)
    return _draw(found, number, seed)


def _draw(found: Iterable[tuple[str, str]], number: int, seed: int) -> pd.DataFrame:
    said = [(group, text) for group, text in found if text.strip()]
    said.sort(key=itemgetter(0))  # a file of episodes has them in the order in which they happened to end
    return pd.DataFrame(random.Random(seed).sample(said, min(number, len(said))), columns=["group", "text"])


def environments_told(path: Path, number: int, seed: int = 0) -> pd.DataFrame:
    """How the environments of a training set begin, without what all have in common: columns group and text."""
    opening = ((c.id, c.conversations[0].value.replace(HOW_TO_ANSWER, "")) for c in read_jsonl(path, Conversation))
    return _draw(opening, number, seed)


def tests_told(path: Path) -> pd.DataFrame:
    """How the environments of episodes begin, in the form of training data: columns engine, group (task) and text."""
    rows = [
        {
            "engine": e.task.engine,
            "group": e.task.id,
            "text": "\n".join(["Commands:", *e.commands, f"Goal: {e.goal}", f"Observation: {e.observation}"]),
        }
        for e in read_jsonl(path, Episode)
    ]
    return pd.DataFrame(rows).sort_values(["engine", "group"], ignore_index=True)
