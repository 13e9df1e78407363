"""Personas: our own, composed from a role, a way of being and an aim; or Persona Hub's, read from a file."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from agentrefine_lib.schema import SchemaError

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
KEYS = ("persona", "input persona")  # of a Persona Hub line, in its persona and its instruction files


@lru_cache
def load_domains() -> dict[str, dict[str, Any]]:
    """The domains file as a mapping from domain name to its entry."""
    domains: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("domains.yaml").read_text())
    return domains


def embedded_persona(seed: int, domains: tuple[str, ...] = ()) -> str:
    """The persona of this seed: one sentence. ``domains`` limits the roles to those of some domains."""
    rng = random.Random(f"persona {seed}")
    role = rng.choice(load_domains()[rng.choice(sorted(domains or load_domains()))]["roles"])
    manner = rng.choice(MANNERS)
    return f"{'An' if manner[0] in 'aeiou' else 'A'} {manner} {role} who {rng.choice(AIMS)}."


def load_personas(path: Path | str) -> Iterator[str]:
    """The personas of a Persona Hub file, one JSON object a line, read as they are asked for."""
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:  # neither JSON nor UTF-8
                raise SchemaError(f"{path}:{number}: not a line of JSON: {error}") from None
            personas = [record[key] for key in KEYS if key in record] if isinstance(record, dict) else []
            if not personas or not isinstance(personas[0], str) or not personas[0].strip():
                found = line[:80].decode(errors="replace").strip()
                raise SchemaError(f"{path}:{number}: found {found}, expected: an object with a text under {KEYS}")
            yield personas[0].strip()


def domain_of(persona: str, domains: tuple[str, ...] = ()) -> str | None:
    """The domain whose role the persona names first, if any."""
    pattern, domain_by_role = _roles()
    named = (domain_by_role[found[0].lower()] for found in pattern.finditer(persona))
    return next((domain for domain in named if not domains or domain in domains), None)


@lru_cache
def _roles() -> tuple[re.Pattern[str], dict[str, str]]:
    """Every role as a whole word or phrase, the longest first, and the domain that it belongs to."""
    domain_by_role = {role.lower(): name for name, domain in load_domains().items() for role in domain["roles"]}
    longest_first = sorted(domain_by_role, key=lambda role: (-len(role), role))
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b", re.IGNORECASE), domain_by_role
