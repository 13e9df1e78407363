"""Personas: our own, composed from a role, a way of being and an aim; or Persona Hub's, read from a file."""

import random
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, ConfigDict, Field, StringConstraints

from agentrefine_lib.schema import Record, read_jsonl
from agentrefine_lib.teachers.embedded.names import load_costumes

MANNERS = (
    "careful", "hurried", "curious", "retired", "meticulous", "cheerful", "tired", "newly hired", "forgetful", "proud",
    "quiet", "ambitious", "nervous", "patient", "stubborn", "generous", "thrifty", "absent-minded", "punctual", "bold",
)  # fmt: skip
AIMS = (
    "wants everything in its place before noon", "is preparing a surprise for a friend", "trains a new colleague",
    "has lost something important", "is getting ready for an inspection", "covers for somebody who is ill",
    "tries to finish early today", "keeps a diary of every task", "learns the trade from scratch",
    "is closing up for the season", "has promised to help a neighbour", "prepares for visitors from abroad",
    "works alone for the first time", "is moving to another town soon", "likes to double-check each step",
    "is writing a guide for beginners",
)  # fmt: skip


def embedded_persona(seed: int, costumes: tuple[str, ...] = ()) -> str:
    """The persona of this seed: one sentence. ``costumes`` limits the roles to those of some costumes."""
    rng = random.Random(f"persona {seed}")
    role = rng.choice(load_costumes()[rng.choice(sorted(costumes or load_costumes()))]["roles"])
    manner = rng.choice(MANNERS)
    return f"{'An' if manner[0] in 'aeiou' else 'A'} {manner} {role} who {rng.choice(AIMS)}."


class PersonaLine(Record):
    """A line of Persona Hub's persona files, or of its instruction files."""

    model_config = ConfigDict(extra="ignore")

    persona: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)] = Field(
        validation_alias=AliasChoices("persona", "input persona")
    )


def load_personas(path: Path | str) -> Iterator[str]:
    """The personas of a Persona Hub file, read as they are asked for. Raises SchemaError, with file and line."""
    return (line.persona for line in read_jsonl(path, PersonaLine))


def costume_of(persona: str, costumes: tuple[str, ...] = ()) -> str | None:
    """The costume whose role the persona names first, if any."""
    pattern, costume_by_role = _roles()
    named = (costume_by_role.get(found[0].lower(), "") for found in pattern.finditer(persona))
    return next((costume for costume in named if costume and (not costumes or costume in costumes)), None)


@lru_cache
def _roles() -> tuple[re.Pattern[str], dict[str, str]]:
    """Every role as a whole word or phrase, the longest first, and the costume that it belongs to."""
    costume_by_role = {role.lower(): name for name, words in load_costumes().items() for role in words["roles"]}
    longest_first = sorted(costume_by_role, key=lambda role: (-len(role), role))
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b", re.IGNORECASE), costume_by_role
