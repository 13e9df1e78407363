"""The expert's thoughts: what it looks for, what it has seen, and why it does the next thing."""

import random

from agentrefine_lib.environments.words import load_words

INSIDE = {"bathtubbasin", "cabinet", "coffeemachine", "drawer", "fridge", "garbagecan", "laundryhamper"}
INSIDE |= {"microwave", "safe", "sinkbasin", "toaster"}
STATES = {"clean": "clean", "heat": "hot", "cool": "cool"}


def think(rng: random.Random, situation: str, place: str, thing: str = "", kind: str = "", **words: str) -> str:
    """One sentence or two for a situation, of wording.yaml; ``place`` and ``thing`` are names, as "shelf 2"."""
    where = preposition(place)
    words |= {"place": place, "thing": thing, "kind": kind, "in_place": f"{where} the {place}", "in_it": f"{where} it"}
    words.setdefault("a_kind", f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}")
    words["state"] = STATES.get(words.get("treat", ""), "")
    words["in_last"] = f"{preposition(words.get('last', ''))} the {words.get('last', '')}"
    return rng.choice(load_words(__file__)["thoughts"][situation]).format(**words)


def preposition(place: str) -> str:
    """Whether things lie in or on a receptacle, by its name."""
    return "in" if place.partition(" ")[0] in INSIDE else "on"
