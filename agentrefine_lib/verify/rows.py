"""Rows of JSONL and Parquet files, one at a time, whatever is wrong with some of them."""

# mypy: disable-error-code="import-untyped"

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import JsonValue
from pydantic_core import from_json

from agentrefine_lib.schema import MAX_LINE_BYTES, SchemaError, read_lines

PARQUET_BATCH = 256  # rows of a Parquet file held in memory at once


class BadRow(NamedTuple):
    """A row that could not be read at all, and why."""

    kind: Literal["row_too_large", "row_malformed"]
    detail: str


def read_rows(path: Path | str) -> Iterator[tuple[int, JsonValue | BadRow]]:
    """Every row of a JSONL or Parquet file, or of an array in a ``.json`` file, with its number from 1 (in JSONL, of
    the line).

    Memory holds one row, of Parquet one batch, of an array all. Raises SchemaError when the file as a whole cannot be
    read.
    """
    path = existing_file(path)
    if _is_parquet(path) or (path.suffix == ".json" and _begins(path, b"[")):
        yield from enumerate(_array(path) if path.suffix == ".json" else _parquet_rows(path), start=1)
        return
    for number, _, line in read_lines(path, cut=True):
        yield number, parse_row(line)


def parse_row(line: bytes) -> JsonValue | BadRow:
    """The JSON value of a line."""
    if len(line) > MAX_LINE_BYTES:
        return BadRow("row_too_large", f"over {MAX_LINE_BYTES} bytes in one line; is this JSONL?")
    try:
        value: JsonValue = from_json(line, allow_inf_nan=False)
    except ValueError as error:
        return BadRow("row_malformed", f"no JSON: {error}")
    return value


def existing_file(path: Path | str) -> Path:
    """The path of a file that is there and no folder. Raises SchemaError."""
    path = Path(path)
    if not path.is_file():
        raise SchemaError(f"{path}: " + ("is a folder; name a file in it" if path.is_dir() else "no such file"))
    return path


def _begins(path: Path, sign: bytes) -> bool:
    with open(path, "rb") as file:
        return file.read(len(sign)) == sign


def _is_parquet(path: Path) -> bool:
    return path.suffix == ".parquet" or _begins(path, b"PAR1")


def _array(path: Path) -> list[JsonValue]:
    try:
        rows: list[JsonValue] = from_json(path.read_bytes(), allow_inf_nan=False)
    except ValueError as error:
        raise SchemaError(f"{path}: not a whole JSON array: {error}") from None
    return rows


def _parquet_rows(path: Path) -> Iterator[JsonValue]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=PARQUET_BATCH):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: texts that are no UTF-8
        raise SchemaError(f"{path}: not a whole Parquet file (cut short or damaged?): {error}") from None
