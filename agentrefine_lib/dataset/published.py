"""Others' published trajectories as training sets, with and without the rows of environments that are tested here.

Agent-FLAN's rows are ``{"id", "conversation": [{"role", "content", "loss"}]}``, AgentGym's ``{"item_id",
"conversations": [{"from", "value", "loss"}]}``; AgentRefine's and ShareGPT's are the latter with an ``id``.
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from agentrefine_lib.schema import Conversation, Message, SchemaError, Section
from agentrefine_lib.verify import read_rows

PUBLISHED = ("agent_flan", "agentgym", "released")  # fields of ``Published`` and names of their sets
OUT = "_ood"  # ends the name of a set without its held-in rows, and of the models tuned on it
HELD_IN = re.compile(r"^(?:alfworld|pick_|look_at_obj|babyai|sciworld|scienceworld)", re.IGNORECASE)  # of a row's id


class Published(Section):
    """Training sets that others have published: the section ``published`` of chapter 2. Each a file, a folder of files
    (JSONL, JSON or Parquet) or the name of a data set on Hugging Face's hub; empty: none."""

    agent_flan: str = ""  # internlm/Agent-FLAN
    agentgym: str = ""  # AgentGym/AgentTraj-L
    released: str = ""  # the authors' own trajectories

    def sets(self) -> Iterator[tuple[str, list[Conversation]]]:
        """Each set by name; of others' also NAME_ood, without the rows of environments that are tested here."""
        for name in PUBLISHED:
            if place := getattr(self, name):
                rows = list(read_published(place))
                yield name, rows
                if name != "released":
                    yield name + OUT, [row for row in rows if not HELD_IN.match(row.id)]


def read_published(place: str) -> Iterator[Conversation]:
    """The conversations of a file, a folder of files, or a data set of the hub. Raises SchemaError naming a bad row."""
    path = Path(place)
    files = sorted(f for f in path.rglob("*") if f.suffix in (".jsonl", ".json", ".parquet")) if path.is_dir() else []
    if path.is_file() or files:
        rows = chain.from_iterable(_rows(file) for file in files or [path])
    elif path.exists() or place.count("/") != 1 or place[0] in "./":
        raise SchemaError(f"{place}: neither a file, nor a folder with one, nor a name on the hub, owner/name")
    else:
        from datasets import load_dataset

        rows = chain.from_iterable(load_dataset(place).values())
    for number, row in enumerate(rows, start=1):
        yield _conversation(row, f"{place}, row {number}")


def _rows(file: Path) -> Iterator[Any]:
    if file.suffix == ".json" and (text := file.read_text(encoding="utf-8")).lstrip().startswith("["):
        return iter(json.loads(text))
    return (row for _, row in read_rows(file))


def _conversation(row: Any, where: str) -> Conversation:
    """Whatever is no reply is read; messages of one side in a row become one, as templates need it."""
    try:
        told = row.get("conversations") or row["conversation"]
        messages = list[Message]()
        for message in told:
            sender = message.get("from") or message["role"]
            text, loss = message["value"] if "value" in message else message["content"], message.get("loss")
            reply = sender in ("gpt", "assistant")
            if messages and reply == (messages[-1].sender == "gpt"):
                text = f"{messages.pop().value}\n\n{text}"
            trained = loss is not False if reply else None
            messages.append(Message(sender="gpt" if reply else "human", value=text, loss=trained))
        return Conversation(id=str(row.get("id") or row.get("item_id") or where), conversations=messages)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SchemaError(f"{where}: not a published conversation: {error!r:.300}") from None
