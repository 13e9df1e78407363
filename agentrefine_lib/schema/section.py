"""Sections: what a profile, ``make reproduce P=…`` or papermill may set of one part of the suite, with defaults."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

RANGE = re.compile(r"(\d{1,6})\.\.(\d{1,6})")  # of seeds, both ends included


class Section(BaseModel):
    """A typed section of the chapters' parameters: ``Recipe(**recipe)``. Immutable; unknown fields are refused.

    Unlike a ``Record`` it takes "1e-4" for a number: YAML reads that as text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def has_these_fields(cls, given: Any) -> Any:
        for name in given if isinstance(given, dict) else ():
            if name not in cls.model_fields:
                raise ValueError(f"no field {name!r}{did_you_mean(name, cls.model_fields)}")
        return given


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """The nearest of the known names as the end of a message; "" where none is near. Sections may be left out."""
    found = {full.rpartition(".")[2]: full for full in known} | {full: full for full in known}
    nearest = difflib.get_close_matches(str(name), found, n=1, cutoff=0.5)
    return f"; did you mean {found[nearest[0]]}?" if nearest else ""


def spelt_out(value: Any) -> Any:
    """The value with every range in its lists spelt out, ``[0..3, 7]`` as ``[0, 1, 2, 3, 7]``, and ``~/`` as the home
    folder, which no shell does inside quotes."""
    if isinstance(value, str) and value.startswith("~/"):
        return str(Path(value).expanduser())
    if isinstance(value, dict):
        return {key: spelt_out(item) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    ranges = [RANGE.fullmatch(item) if isinstance(item, str) else None for item in value]
    numbers = [range(int(found[1]), int(found[2]) + 1) if found else () for found in ranges]
    return [one for item, found in zip(value, numbers, strict=True) for one in (found or [spelt_out(item)])]
