"""Records on disk: one JSON object a line, appended as they are made; a kill loses at most the line being written."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from pydantic import ValidationError

from agentrefine_lib.schema.models import Record, explain

R = TypeVar("R", bound=Record)


class SchemaError(ValueError):
    """A record on disk does not fit its model; the message names file, line and field."""


def read_jsonl(path: Path | str, model: type[R]) -> Iterator[R]:
    """Yield the records of a JSONL file one by one, memory flat. Raises SchemaError at the first bad line."""
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield model.model_validate_json(line, by_alias=True, by_name=False)
                except ValidationError as error:
                    raise SchemaError(f"{path}:{number}: not a {model.__name__}: {explain(error)}") from None


@contextmanager
def appears_whole(path: Path | str) -> Iterator[Path]:
    """A file beside ``path`` to write to. It takes the path's place at the end, or never if an error ends the block."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    yield part
    part.replace(path)


def write_whole(path: Path | str, text: str) -> None:
    """Write a text file that appears whole or not at all."""
    with appears_whole(path) as part:
        part.write_text(text, encoding="utf-8")


def write_jsonl(path: Path | str, records: Iterable[Record]) -> int:
    """Write records to a new file that appears whole or not at all. Returns their number."""
    count = 0
    with appears_whole(path) as part, open(part, "w", encoding="utf-8") as out:
        for count, record in enumerate(records, start=1):  # noqa: B007
            out.write(record.to_json() + "\n")
    return count


class Journal:
    """An append-only JSONL file that a killed run can continue.

    Opening it drops a last line that a kill left half-written, takes a lock (two runs on one file would interleave)
    and collects the keys already there; ``key`` says what makes a record the same work.
    """

    def __init__(self, path: Path | str, model: type[R], key: Callable[[R], str]) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._key: Callable[..., str] = key
        self._file = open(self.path, "a+b")  # noqa: SIM115
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise SchemaError(
                f"{self.path}: another run is writing this file; wait for it or choose another run_dir"
            ) from None
        try:
            self._drop_unfinished_line()
            self.done = {key(record) for record in read_jsonl(self.path, model)}
        except BaseException:
            self._file.close()  # or a cell run again would find the file locked by its own first try
            raise

    def _drop_unfinished_line(self) -> None:
        self._file.seek(0)
        end = 0
        for line in self._file:
            if line.endswith(b"\n"):
                end += len(line)
        self._file.truncate(end)
        self._file.seek(end)

    def append(self, record: Record) -> None:
        """Write one record and hand it to the operating system at once."""
        self._file.write(record.to_json().encode() + b"\n")
        self._file.flush()
        self.done.add(self._key(record))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            os.utime(self.path)  # a run that found everything done has still vouched for the file
        self._file.close()
