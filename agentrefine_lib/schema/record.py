"""What every record has in common: strict, closed, written with the paper's keys; and what is wrong with a bad one."""

from collections.abc import Iterator
from reprlib import Repr
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

PROBLEMS_NAMED = 5  # of one record; a record that is wrong throughout has thousands
_SHOW = Repr()
_SHOW.maxlevel, _SHOW.maxstring, _SHOW.maxother = 2, 80, 80  # a found value may be huge, or nested without end


class Record(BaseModel):
    """Strict (no coercion), closed (no unknown key), and written with the paper's keys."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True, serialize_by_alias=True)

    def to_json(self) -> str:
        """One line of JSON with the paper's keys."""
        return self.model_dump_json(by_alias=True)


def texts(value: Any) -> Iterator[str]:
    """Every text in a value as JSON has it, however deep; keys are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


def explain(error: ValidationError) -> str:
    """The first problems of one record in one line: field, what was found, what was expected. Always writable."""
    problems = [_problem(item) for item in error.errors(include_url=False, include_context=False)[:PROBLEMS_NAMED]]
    more = error.error_count() - len(problems)
    line = "; ".join(problems) + (f"; and {more} more" if more else "")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)  # keys are theirs, too


def _problem(item: Any) -> str:
    path = [str(part) for part in item["loc"]]
    field = ".".join(path if len(path) <= 8 else [*path[:8], "…"]) or "record"
    try:
        found = "nothing" if item["type"] == "missing" else _SHOW.repr(item["input"])
    except ValueError:  # Python does not write out a number of more than 4,300 digits
        found = "a huge number"
    return f"field {field[:200]}: found {found}, expected: {item['msg'][:200]}"
