"""Records on disk: one JSON object a line, appended as they are made; a kill loses at most the line being written."""

import contextlib
import fcntl
import io
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from agentrefine_lib.schema.record import Record, explain

R = TypeVar("R", bound=Record)

BLOCK = 1 << 16  # bytes read at once, from the end, to find where the last whole line ends
MAX_LINE_BYTES = 1 << 24  # of one line of a file, and so of memory: a whole play at the verifier's limits, with room


class SchemaError(ValueError):
    """A record on disk does not fit its model; the message names file, line and field."""


def read_jsonl(path: Path | str, model: type[R], growing: bool = False) -> Iterator[R]:
    """Yield the records of a JSONL file one by one, memory flat. Raises SchemaError at the first bad line; of a file
    that is ``growing``, a half-written last line is left out."""
    for number, _, line in read_lines(path, growing=growing):
        yield parse_line(line, model, f"{path}:{number}")


def parse_line(line: bytes, model: type[R], where: str) -> R:
    """The record of a line. Raises SchemaError where it does not fit; ``where`` says which line that is."""
    try:
        return model.model_validate_json(line, by_alias=True, by_name=False)
    except ValidationError as error:
        cut = "" if line.endswith(b"\n") else "; the file ends within this line: run again what writes it"
        raise SchemaError(f"{where}: not a {model.__name__}: {explain(error)}{cut}") from None


def read_lines(
    path: Path | str, start: int = 0, growing: bool = False, cut: bool = False
) -> Iterator[tuple[int, int, bytes]]:
    """Number, offset and bytes of every line that is not blank, from the byte ``start`` on.

    Only \\n ends a line: what Python's str.splitlines takes for an end may stand in a text, as U+2028 does. Of a file
    that is ``growing``, a last line without an end counts only if it is whole. Raises SchemaError for an endless line;
    with ``cut`` that is cut after MAX_LINE_BYTES and one more.
    """
    with open(path, "rb") as lines:
        lines.seek(start)
        for number, line in enumerate(iter(lambda: lines.readline(MAX_LINE_BYTES + 1), b""), start=1):
            if (over := len(line) > MAX_LINE_BYTES) and not cut:
                raise SchemaError(f"{path}:{number}: over {MAX_LINE_BYTES} bytes in one line; is this JSONL?")
            if line.strip() and not (growing and _is_half(line)):
                yield number, start, line
            start += len(line)
            while over and not line.endswith(b"\n") and (line := lines.readline(MAX_LINE_BYTES)):
                start += len(line)


def _is_half(line: bytes) -> bool:
    """Whether a line without its end is not a whole object, either."""
    try:
        return not line.endswith(b"\n") and not isinstance(from_json(line), dict)
    except ValueError:
        return True


def child_path(folder: Path, name: str) -> Path:
    """``folder/name``. Raises ValueError for a name that leads elsewhere: names come from records and parameters."""
    if Path(name).name != name or name == ".." or "\0" in name:
        raise ValueError(f"name: found {name!r}, expected one that a file may have, without a slash")
    return folder / name


@contextmanager
def file_lock(path: Path | str) -> Iterator[None]:
    """Keep a file to this block, without changing it. Raises SchemaError while another run does."""
    with open(path, "ab") as file:
        _lock(file, path)
        yield


def _lock(file: IO[Any], path: Path | str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SchemaError(f"{path}: another run is writing this file; wait for it or choose another run_dir") from None


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """A full disk does not say by itself which file it is about, nor how to go on."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        error.add_note("What was finished before is on disk. Fix the disk, then run the same again to continue.")
        raise


@contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """A file beside ``path`` to write to. It takes the path's place at the end; if an error ends the block, it goes.

    Raises SchemaError while another run writes the same file.
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(part):
            try:
                yield part
                part.replace(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise


def atomic_write_text(path: Path | str, text: str) -> None:
    """Write a text file that appears whole or not at all."""
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")


def write_archive(path: Path | str, files: Mapping[str, bytes]) -> None:
    """Write files to a ``tar.xz`` that appears whole or not at all: the same bytes for the same files."""
    with atomic_write(path) as part, tarfile.open(part, "w:xz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def write_jsonl(path: Path | str, records: Iterable[Record]) -> int:
    """Write records to a new file that appears whole or not at all. Returns their number."""
    count = 0
    with atomic_write(path) as part, open(part, "w", encoding="utf-8") as out:
        for count, record in enumerate(records, start=1):  # noqa: B007
            out.write(record.to_json() + "\n")
    return count


class Journal:
    """An append-only JSONL file that a killed run can continue.

    Opening it drops a last line that a kill left half-written (one that only lacks its end is given it), takes a lock
    (two runs on one file would interleave) and collects the keys already there; ``key`` says what makes a record the
    same work.
    """

    def __init__(self, path: Path | str, model: type[R], key: Callable[[R], str]) -> None:
        self.path = Path(path)
        self._key: Callable[..., str] = key
        with _told(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, "a+b")  # noqa: SIM115
        try:
            _lock(self._file, self.path)
            self._drop_unfinished_line()
            self.done = self._keys(model)
        except BaseException:
            self._file.close()  # or a cell run again would find the file locked by its own first try
            raise

    def _keys(self, model: type[R]) -> set[str]:
        try:
            return {self._key(record) for record in read_jsonl(self.path, model)}
        except SchemaError as error:
            raise SchemaError(f"{error}; delete this line and run again: what the other lines hold is kept") from None

    def _drop_unfinished_line(self) -> None:
        end, found = self._file.seek(0, os.SEEK_END), -1
        while end and found < 0:
            start = max(0, end - BLOCK)
            self._file.seek(start)
            found = self._file.read(end - start).rfind(b"\n")
            end = start + found + 1
        self._file.seek(end)
        if (rest := self._file.read()) and not _is_half(rest):  # an editor has left out the last line's end
            self._file.write(b"\n")
        else:
            self._file.truncate(end)

    def append(self, record: Record) -> None:
        """Write one record and hand it to the operating system at once. Raises SchemaError for one that is too long."""
        line = record.to_json().encode() + b"\n"
        if len(line) > MAX_LINE_BYTES:
            raise SchemaError(f"{self.path}: found a record of {len(line)} bytes, expected {MAX_LINE_BYTES} or fewer")
        with _told(self.path):
            self._file.write(line)
            self._file.flush()
        self.done.add(self._key(record))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            os.utime(self.path)  # a run that found everything done has still vouched for the file
        # where an error ended the block, a full disk must not take its place by refusing the rest of a line once more
        with contextlib.suppress(*[OSError] if kind else []):
            self._file.close()
