"""Personas of our own: composed from a role, a way of being and an aim, over 2,000 distinct ones per domain family."""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

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


def domain_of(persona: str, domains: tuple[str, ...] = ()) -> str | None:
    """The domain whose role the persona names, if any."""
    for name in sorted(domains or load_domains()):
        if any(role in persona for role in load_domains()[name]["roles"]):
            return name
    return None
