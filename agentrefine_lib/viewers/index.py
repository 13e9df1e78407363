"""Records of JSONL files found by number: facts about each in memory, the record itself read when it is looked at."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import from_json

from agentrefine_lib.schema import Conversation, Episode, SchemaError, Trajectory, parse_line, read_lines, texts
from agentrefine_lib.viewers.play import read_play

Playable = Trajectory | Episode | Conversation
Source = Path | str | Iterable[Playable | Path | str]
MODELS: dict[str, type[Playable]] = {  # the key that only this record has
    "trajectory": Trajectory,
    "steps": Episode,
    "conversations": Conversation,
}


MASKED = "masked"


class Entry(NamedTuple):
    """What is known of a record without keeping it."""

    id: str
    group: str  # engine or domain
    player: str  # policy or teacher
    outcome: str
    errors: list[str]  # the kinds of each refused action; MASKED for a masked reply
    refinements: int
    length: int  # actions
    progress: float | None = None  # at the end; None where it is not known


class _Place(NamedTuple):
    """Where a line is: in a file, or in memory."""

    name: str  # for errors
    path: Path | None
    offset: int
    held: bytes


class Index:
    """Records of a file, of a folder's files ``*.jsonl`` (those of rejections apart), or of objects, in order.

    Raises SchemaError, with file and line, for what is no trajectory, episode or conversation.
    """

    def __init__(self, source: Source) -> None:
        self.entries: list[Entry] = []
        self._places: list[_Place] = []
        for place, line in _lines(source):
            self._places.append(place)
            self.entries.append(_entry(line, place.name))

    def __len__(self) -> int:
        return len(self.entries)

    def name(self, number: int) -> str:
        """Where the record stands: file and line."""
        return self._places[number].name

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
        return parse_record(self.line(number), self._places[number].name)

    def search(self, words: str, among: Iterable[int]) -> list[int]:
        """Those whose texts hold the words, in any case; the names of a record's fields do not count."""
        needle = words.lower()
        if needle.isascii():  # bytes know only ASCII's cases; most lines need no closer look
            written = json.dumps(needle)[1:-1].encode()
            among = [n for n in among if written in self.line(n).lower()]
        return [n for n in among if any(needle in said.lower() for said in texts(from_json(self.line(n))))]


def parse_record(line: bytes, name: str) -> Playable:
    """The record of a line. Raises SchemaError when it fits no model; ``name`` says which line that is."""
    _, model = _parse(line, name)
    return parse_line(line, model, name)


def _parse(line: bytes, name: str) -> tuple[dict[str, Any], type[Playable]]:
    try:
        raw = from_json(line)
    except ValueError as error:
        raise SchemaError(f"{name}: no JSON: {error}") from None
    model = next((model for key, model in MODELS.items() if key in raw), None) if isinstance(raw, dict) else None
    if model is None:
        raise SchemaError(f"{name}: found none of the fields {', '.join(MODELS)}: no record that can be shown")
    return raw, model


def _lines(source: Source) -> Iterator[tuple[_Place, bytes]]:
    if isinstance(source, (str, Path)):
        path = Path(source)
        for file in _files(path) if path.is_dir() else [path]:
            for number, offset, line in read_lines(file, growing=True):
                yield _Place(f"{file}:{number}", file, offset, b""), line
        return
    for number, item in enumerate(source, start=1):
        if isinstance(item, (str, Path)):
            yield from _lines(item)
        else:
            held = item.to_json().encode()
            yield _Place(f"record:{number}", None, 0, held), held


def _files(folder: Path) -> list[Path]:
    """The JSONL files of a folder, but for those of other things, such as rejections, unless there is nothing else."""
    files = sorted(folder.glob("*.jsonl"))
    return [file for file in files if not _holds_other_things(file)] or files


def _holds_other_things(file: Path) -> bool:
    first = next((line for _, _, line in read_lines(file, growing=True)), b"")
    try:
        raw = from_json(first)
    except ValueError:
        return False  # broken: its error names it
    return isinstance(raw, dict) and not MODELS.keys() & raw.keys()


def _entry(line: bytes, name: str) -> Entry:
    """Facts from plain JSON; ``record`` checks what is shown."""
    raw, model = _parse(line, name)
    if model is Conversation:
        record = parse_record(line, name)
        assert isinstance(record, Conversation)
        masked = [MASKED for reply in record.replies if not reply.is_trained]
        return Entry(record.id, "", "", "", masked, 0, len(record.replies))
    try:
        play = read_play(raw)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise SchemaError(f"{name}: not a {model.__name__}: {type(error).__name__} {error}") from None
    progress = play.exchanges[-1].progress if play.exchanges else None
    return Entry(*play[:4], play.errors, play.refinements, len(play.exchanges), progress)
