"""Records of JSONL files found by number: facts about each in memory, the record itself read when it is looked at."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json

from agentrefine_lib.schema import (
    ERROR_FLAGS,
    ActionSpec,
    Conversation,
    DMTurn,
    Episode,
    Message,
    PlayerTurn,
    SchemaError,
    Script,
    Step,
    Task,
    Trajectory,
    explain,
    read_lines,
)
from agentrefine_lib.verify.rules import ends_play
from agentrefine_lib.viewers.play import Playable, outcome_word

Source = Path | str | Iterable[Playable | Path | str]
MODELS: dict[str, type[Trajectory | Episode | Conversation]] = {  # the key that only this record has
    "trajectory": Trajectory,
    "steps": Episode,
    "conversations": Conversation,
}


FIELDS = [
    name.lower()
    for model in (*MODELS.values(), Script, ActionSpec, PlayerTurn, DMTurn, Step, Task, Message)
    for name in {*model.model_fields, *(field.alias or "" for field in model.model_fields.values())}
]


class Entry(NamedTuple):
    """What is known of a record without keeping it."""

    id: str
    group: str  # engine or domain
    player: str  # policy or teacher
    outcome: str
    errors: tuple[str, ...]  # the kinds, one per refused action
    refinements: int
    length: int  # actions


class _Place(NamedTuple):
    """Where a line is: in a file, or in memory."""

    path: Path | None
    line: int
    offset: int = 0
    held: bytes = b""


class Index:
    """Records of a file, of every ``*.jsonl`` of a folder, or of objects, in order.

    Raises SchemaError, with file and line, for what is no trajectory, episode or conversation.
    """

    def __init__(self, source: Source) -> None:
        self.entries: list[Entry] = []
        self._places: list[_Place] = []
        for place, line in _lines(source):
            self._places.append(place)
            self.entries.append(_entry(_parsed(place, line), place))

    def __len__(self) -> int:
        return len(self.entries)

    def line(self, number: int) -> bytes:
        """The record as it stands in its file."""
        place = self._places[number]
        if place.path is None:
            return place.held
        with open(place.path, "rb") as lines:
            lines.seek(place.offset)
            return lines.readline()

    def record(self, number: int) -> Playable:
        """The record, checked. Raises SchemaError when it does not fit its model."""
        place, line = self._places[number], self.line(number)
        model = _model(_parsed(place, line), place)
        try:
            return model.model_validate_json(line, by_alias=True, by_name=False)
        except ValidationError as error:
            raise SchemaError(f"{_where(place)}: not a {model.__name__}: {explain(error)}") from None

    def search(self, words: str, among: Iterable[int]) -> list[int]:
        """Those whose texts hold the words, in any case; the names of a record's fields do not count."""
        needle = words.lower()
        if any(needle in field for field in FIELDS) or not needle.isascii():  # bytes only know ASCII's cases
            return [n for n in among if any(needle in said.lower() for said in _texts(from_json(self.line(n))))]
        written = json.dumps(needle)[1:-1].encode()
        return [n for n in among if written in self.line(n).lower()]


def _lines(source: Source) -> Iterator[tuple[_Place, bytes]]:
    if isinstance(source, (str, Path)):
        path = Path(source)
        for file in sorted(path.glob("*.jsonl")) if path.is_dir() else [path]:
            for number, offset, line in read_lines(file, growing=True):
                yield _Place(file, number, offset), line
        return
    for number, item in enumerate(source, start=1):
        if isinstance(item, (str, Path)):
            yield from _lines(item)
        else:
            held = item.to_json().encode()
            yield _Place(None, number, held=held), held


def _where(place: _Place) -> str:
    return f"{place.path or 'record'}:{place.line}"


def _parsed(place: _Place, line: bytes) -> dict[str, Any]:
    try:
        raw = from_json(line)
    except ValueError as error:
        raise SchemaError(f"{_where(place)}: no JSON: {error}") from None
    if not isinstance(raw, dict):
        raise SchemaError(f"{_where(place)}: found {type(raw).__name__}, expected an object")
    return raw


def _model(raw: Mapping[str, Any], place: _Place) -> type[Trajectory | Episode | Conversation]:
    for key, model in MODELS.items():
        if key in raw:
            return model
    raise SchemaError(f"{_where(place)}: found none of the fields {', '.join(MODELS)}: no record that can be shown")


def _entry(raw: dict[str, Any], place: _Place) -> Entry:
    """Facts read from plain JSON, several times faster than through the models; ``record`` checks what is shown."""
    model = _model(raw, place)
    try:
        return {Trajectory: _of_trajectory, Episode: _of_episode, Conversation: _of_conversation}[model](raw)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise SchemaError(f"{_where(place)}: not a {model.__name__}: {type(error).__name__} {error}") from None


def _of_trajectory(raw: dict[str, Any]) -> Entry:
    errors, refinements, length, before, ended = [], 0, 0, False, False
    for turn in raw["trajectory"]:
        if turn["role"] == "Player":
            length, ended = length + 1, False
        else:
            flags = [flag for flag in ERROR_FLAGS if turn.get(flag)]
            errors += flags[:1]
            refinements += before and not flags
            before, ended = bool(flags), length > 0 and ends_play(turn["Observation"], bool(flags))
    outcome = outcome_word(ended)
    kinds = tuple(flag.replace("_", " ") for flag in errors)
    return Entry(raw["id"], raw.get("domain", ""), raw.get("teacher", ""), outcome, kinds, refinements, length)


def _of_episode(raw: dict[str, Any]) -> Entry:
    found = [step.get("error") for step in raw["steps"]]
    refinements = sum(bool(a) and not b for a, b in pairwise(found))
    kinds = tuple(f"{error} error" for error in found if error)
    outcome = outcome_word(raw["success"])
    return Entry(raw["id"], raw["task"]["engine"], raw["policy"], outcome, kinds, refinements, len(found))


def _of_conversation(raw: dict[str, Any]) -> Entry:
    replies = [message.get("loss") for message in raw["conversations"] if message["from"] == "gpt"]
    masked = tuple("masked" for loss in replies if loss is False)
    return Entry(raw["id"], "", "", "", masked, 0, len(replies))


def _texts(value: Any) -> Iterator[str]:
    """Every text of a record, keys of the environment included, keys of the format not."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
