"""Training sets that others have published: the authors' own data, Agent-FLAN's, AgentGym's, or a reader's file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from agentrefine_lib.dataset.files import read_conversations
from agentrefine_lib.schema import Conversation, SchemaError, Section
from agentrefine_lib.schema.actions import compile_code

DATA_FILES = ("*.jsonl", "*.json", "*.parquet")
TALKS = ("conversations", "conversation", "messages")  # the field of a row that holds what was said
FLAGS = ("loss", "weight", "train", "loss_weight")  # says whether a reply is trained: ours, OpenAI's, our exports'
SENDERS = {"user": "human", "assistant": "gpt"}  # what other files call them


class Published(Section):
    """One published set."""

    path: str  # a file, a folder of files, or the id of a data set on Hugging Face
    drop: str = ""  # RE2 expression: rows in whose id it is found are left out, such as those of a held-in engine

    @field_validator("drop")
    @classmethod
    def can_be_read(cls, drop: str) -> str:
        compile_code(drop)
        return drop


class Released(Section):
    """Others' training sets by the names that ``models`` knows them by: the section ``released`` of chapter 2. One that
    has the name of a set of this run takes its place."""

    sets: dict[str, Published] = Field(default={})


def read_published(source: Published, root: Path) -> Iterator[Conversation]:
    """The rows of a set as they are, with their own ``loss`` flags; ``root``: where a relative path begins.

    Agent-FLAN's, AgentGym's and OpenAI's names of fields are understood, flags among them (FLAGS), other fields left
    alone, and what a system message says stands before the first message of the human. A name that is no path is
    fetched from Hugging Face, once. Raises SchemaError for a bad row, naming it, and where there is nothing to read.
    """
    empty = True
    for path in _files(source.path, root):
        for row in read_conversations(path, _released):
            empty = False
            if not (source.drop and compile_code(source.drop).search(row.id.encode())):
                yield row
    if empty:
        raise SchemaError(f"{source.path}: no rows; expected files such as {', '.join(DATA_FILES)}")


def _files(path: str, root: Path) -> list[Path]:
    place = root / path
    if place.is_file():
        return [place]
    if not place.is_dir():
        from huggingface_hub import snapshot_download

        try:
            place = Path(snapshot_download(path, repo_type="dataset", allow_patterns=list(DATA_FILES)))
        except (OSError, ValueError) as error:  # also: no valid name, no network, HF_HUB_OFFLINE=1
            told = "neither a file nor a folder here, nor to be had from Hugging Face (for which HF_HUB_OFFLINE=0)"
            raise SchemaError(f"{path}: {told}: {error}") from None
    found = {file for pattern in DATA_FILES for file in place.rglob(pattern)}
    return sorted(file for file in found if not file.name.startswith("dataset_info"))


def _released(raw: Any, name: str) -> dict[str, Any]:
    said: list[Mapping[str, Any]] | None = next((raw[name] for name in TALKS if name in raw), None)
    if said is None:
        raise KeyError(f"expected {', '.join(TALKS[:-1])} or {TALKS[-1]}")
    messages = [_message(message) for message in said]
    if messages[0]["from"] == "system":
        system = messages.pop(0)
        messages[0]["value"] = f"{system['value']}\n\n{messages[0]['value']}"
    return {"id": str(raw.get("id", raw.get("item_id", name))), "conversations": messages}


def _message(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A message by the released names. What a reply's weight says is its ``loss``, which is no for 0."""
    sender = raw.get("from", raw.get("role"))
    sender = SENDERS.get(sender, sender)
    flags = [raw.get(name) for name in (FLAGS if sender == "gpt" else FLAGS[:1])]
    flag = next((flag for flag in flags if flag is not None), None)
    loss = flag != 0 if isinstance(flag, int | float) else flag
    return {"from": sender, "value": _text(raw.get("value", raw.get("content"))), "loss": loss}


def _text(content: Any) -> Any:
    """What is said, also where it is a list of parts of text, as LLaMA-Factory and OpenAI write it."""
    if isinstance(content, list) and all(isinstance(part, Mapping) and part.get("type") == "text" for part in content):
        return "".join(str(part.get("value", part.get("text"))) for part in content)
    return content
