"""Domains whose names are partly invented: what nobody has ever read has to be read in the observation, not known."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

ONSETS = (
    "b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "bl", "br", "cl", "cr",
    "dr", "fl", "fr", "gl", "gr", "pl", "pr", "sh", "sl", "sp", "st", "th", "tr",
)  # fmt: skip
RIMES = (
    "a", "e", "i", "o", "u", "ab", "ack", "ad", "al", "am", "an", "ap", "ar", "ast", "en", "el", "er", "est", "et",
    "ib", "ick", "il", "im", "in", "ip", "ist", "ob", "ock", "om", "on", "op", "or", "ud", "um", "un", "us",
)  # fmt: skip
SHARE = 0.5  # of the names
BARE = 0.15  # of the worlds: names stand alone, without articles and spaces, like those of files
LISTS = ("places", "surfaces", "containers", "cases", "devices", "items", "traits")


def invent(rng: random.Random, domain: dict[str, Any]) -> dict[str, Any]:
    """The same domain with half of its names and treatments called by invented words, other ones for each ``rng``."""
    bare = rng.random() < BARE
    used: set[str] = set()

    def name(known: str) -> str:
        if not bare and rng.random() >= SHARE:
            return known
        return _unused(used, lambda: ("-" if bare else " ").join(_word(rng) for _ in range(rng.choice((1, 1, 2)))))

    def one_word(known: str) -> str:
        return known if rng.random() >= SHARE else _unused(used, lambda: _word(rng))

    made = domain | {key: [(one_word if key == "traits" else name)(known) for known in domain[key]] for key in LISTS}
    made["treatments"] = _treatments(rng, domain["treatments"], name, one_word)
    if bare:
        made |= {"article": False, "places": [f"/{place}" for place in made["places"]]}
        made["items"] = [f"{item}.{rng.choice(RIMES)}" for item in made["items"]]
    return made


def _treatments(
    rng: random.Random, known: list[dict[str, Any]], name: Callable[[str], str], one_word: Callable[[str], str]
) -> list[dict[str, Any]]:
    """The same treatments in the same order: an invented verb makes things verb-ed."""
    states: dict[str, str] = {}
    made = []
    for treatment in known:
        verb = one_word(treatment["verbs"][0])
        if verb != treatment["verbs"][0]:
            treatment = treatment | {"verbs": [verb]}
            states[treatment["after"]] = f"{verb}ed"
        kind = "station" if "station" in treatment else "tool"
        made.append(treatment | {kind: [name(known) for known in treatment[kind]]})
    return [t | {when: states.get(t[when], t[when]) for when in ("before", "after")} for t in made]


def _word(rng: random.Random) -> str:
    return "".join(rng.choice(ONSETS) + rng.choice(RIMES) for _ in range(2))


def _unused(used: set[str], draw: Callable[[], str]) -> str:
    while (drawn := draw()) in used:
        pass
    used.add(drawn)
    return drawn
