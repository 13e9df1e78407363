"""The released format on disk and as a ``datasets.Dataset``: rows of ``{"id", "conversations": [{"from", …}]}``.

To publish a data set, use what ``datasets`` has: ``to_datasets(conversations).push_to_hub("name/of-the-set")``.
"""

# mypy: disable-error-code="import-untyped"
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from agentrefine_lib.schema import Conversation, SchemaError, atomic_write, explain, write_jsonl
from agentrefine_lib.verify import BadRow, read_rows

if TYPE_CHECKING:
    import datasets

ROW_GROUP = 1_000  # rows of a Parquet file written, and held in memory, at once


def read_conversations(path: Path | str, tidy: Callable[[Any, str], Any] | None = None) -> Iterator[Conversation]:
    """The rows of a JSONL or Parquet file, or of a JSON array, one by one. Raises SchemaError at the first bad row,
    naming it; ``agentrefine_lib.verify.check_file`` reports every bad row instead.

    ``tidy`` makes a row of the released format of another one, and of a name for one that has no id.
    """
    for number, raw in read_rows(path):
        if isinstance(raw, BadRow):
            raise SchemaError(f"{path}:{number}: {raw.detail}")
        try:
            row = tidy(raw, f"{Path(path).stem}-{number}") if tidy else raw
            yield Conversation.model_validate(row, by_alias=True, by_name=False)
        except ValidationError as error:
            raise SchemaError(f"{path}:{number}: not a Conversation: {explain(error)}") from None
        except (KeyError, TypeError, AttributeError, IndexError) as error:  # of a row that is something else altogether
            raise SchemaError(f"{path}:{number}: not a Conversation: {type(error).__name__}: {error}") from None


def write_conversations(path: Path | str, conversations: Iterable[Conversation]) -> int:
    """Write a new ``.jsonl`` or ``.parquet`` file, which appears whole or not at all. Returns the number of rows."""
    path = Path(path)
    if path.suffix == ".jsonl":
        return write_jsonl(path, conversations)
    if path.suffix == ".parquet":
        return write_parquet(path, (c.model_dump(by_alias=True) for c in conversations), _arrow_schema())
    raise ValueError(f"{path}: expected a name that ends in .jsonl or .parquet")


def write_parquet(path: Path, rows: Iterable[dict[str, Any]], schema: Any) -> int:
    """Write rows in groups, so that memory stays flat; the file appears whole or not at all. Returns their number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, count = iter(rows), 0
    with atomic_write(path) as part, pq.ParquetWriter(part, schema) as out:
        while group := list(islice(rows, ROW_GROUP)):
            out.write_table(pa.Table.from_pylist(group, schema=schema))
            count += len(group)
    return count


def _arrow_schema() -> Any:
    import pyarrow as pa

    message = pa.struct({"from": pa.string(), "value": pa.string(), "loss": pa.bool_()})
    return pa.schema({"id": pa.string(), "conversations": pa.list_(message)})


def to_datasets(conversations: Iterable[Conversation]) -> "datasets.Dataset":
    """The conversations as a ``datasets.Dataset`` in memory, with the released columns."""
    from datasets import Dataset, Features

    features = Features.from_arrow_schema(_arrow_schema())
    return Dataset.from_list([c.model_dump(by_alias=True) for c in conversations], features=features)
