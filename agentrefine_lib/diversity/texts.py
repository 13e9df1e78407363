"""The texts that are compared: thoughts of training sets and of models, environments as a newcomer is told of them."""

import random
from collections.abc import Iterable
from operator import itemgetter
from pathlib import Path

import pandas as pd

from agentrefine_lib.dataset import instruction
from agentrefine_lib.schema import Conversation, Episode, parse_reply, read_jsonl

COMMANDS = "\n\nCommands:\n"  # in the first message of dataset.instruction


def training_thoughts(path: Path, number: int, seed: int = 0) -> pd.DataFrame:
    """At most ``number`` thoughts of the trained replies in a file of conversations: columns group (its id), text, and
    told (what was read in its play, without an example)."""
    found = []
    for c in read_jsonl(path, Conversation):
        read = [_without_example(m.value) for m in c.conversations if m.sender == "human"]
        found += [(c.id, parse_reply(m.value).thought, "\n".join(read)) for m in c.replies if m.is_trained]
    return _draw(found, number, seed)


def episode_thoughts(paths: Iterable[Path], number: int, seed: int = 0) -> pd.DataFrame:
    """At most ``number`` thoughts of all replies in files of episodes: columns group (the episode's id), text, told."""
    found = []
    for e in (e for path in paths for e in read_jsonl(path, Episode)):
        told = "\n".join([*e.commands, e.goal, e.observation, *(step.observation for step in e.steps)])
        found += [(e.id, step.thought, told) for step in e.steps]
    return _draw(found, number, seed)


def _without_example(message: str) -> str:
    """A first message from its commands on; any other as it is, and so are those without a list of commands."""
    before, mark, after = message.partition(COMMANDS)
    return f"Commands:\n{after}" if mark else before


def _draw(found: Iterable[tuple[str, str, str]], number: int, seed: int) -> pd.DataFrame:
    said = [row for row in found if row[1].strip()]
    said.sort(key=itemgetter(0))  # a file of episodes has them in the order in which they happened to end
    return pd.DataFrame(random.Random(seed).sample(said, min(number, len(said))), columns=["group", "text", "told"])


def training_instructions(path: Path, number: int, seed: int = 0) -> pd.DataFrame:
    """How the environments of a training set begin: columns group and text: commands, goal, first observation.

    Where a first message has no list of commands (the authors' data), all of it.
    """
    found = ((c.id, _without_example(c.conversations[0].value), "") for c in read_jsonl(path, Conversation))
    return _draw(found, number, seed)[["group", "text"]]


def task_instructions(path: Path) -> pd.DataFrame:
    """How the environments of episodes begin, in the form of training data: columns engine, group (task) and text."""
    rows = [
        {
            "engine": e.task.engine,
            "group": e.task.id,
            "text": instruction(e.commands, e.goal, e.observation).partition("\n\n")[2],
        }
        for e in read_jsonl(path, Episode)
    ]
    return pd.DataFrame(rows).sort_values(["engine", "group"], ignore_index=True)
