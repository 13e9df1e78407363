"""The expert's thoughts: what it looks for, what it has seen, and why it does the next thing."""

from __future__ import annotations

import random

INSIDE = {"bathtubbasin", "cabinet", "coffeemachine", "drawer", "fridge", "garbagecan", "laundryhamper"}
INSIDE |= {"microwave", "safe", "sinkbasin", "toaster"}
STATES = {"clean": "clean", "heat": "hot", "cool": "cool"}

SENTENCES = {
    "search": (
        "I need {a_kind}. It could be {in_place}, so I look there first.",
        "I have to find {a_kind}. The {place} is a likely spot, so I go there.",
        "What I need now is {a_kind}. I begin my search at the {place}.",
    ),
    "search on": (
        "There is no {kind} {in_last}. Next I try the {place}.",
        "I do not find {a_kind} {in_last}. The {place} is another likely spot.",
        "I am still looking for {a_kind}. Next I check the {place}.",
    ),
    "look in": (
        "The {place} is closed. I open it to see whether {a_kind} is inside.",
        "I cannot see what is in the {place} while it is closed, so I open it.",
    ),
    "look at": (
        "I already stand at the {place}, so I look at what is {in_it}.",
        "The {place} is right here. I examine it to look for {a_kind}.",
    ),
    "return": (
        "I have seen the {thing} {in_place}. I go there to get it.",
        "The {thing} is {in_place}, as I know by now, so I go there.",
    ),
    "unlock": ("The {thing} is in the {place}, which is closed, so I open it.",),
    "take": (
        "The {thing} is {in_place}. I take it.",
        "There is the {thing} {in_place}, which is what the task needs. I pick it up.",
        "I see the {thing} {in_place}, so I take it from there.",
    ),
    "carry to treat": (
        "I hold the {thing}. To {treat} it I need the {place}, so I go there.",
        "The {thing} has to be {state} first. The {place} can do that, so that is where I go.",
    ),
    "treat": (
        "I am at the {place} with the {thing}, so I {treat} it now.",
        "The {place} is here. I use it to {treat} the {thing}.",
    ),
    "carry": (
        "Now the {thing} belongs {in_place}, so I go there.",
        "I have the {thing} ready. I bring it to the {place}.",
        "What is left is to put the {thing} {in_place}. I go to the {place}.",
    ),
    "open": (
        "The {place} is closed, so I open it before I put the {thing} inside.",
        "I have to open the {place} to put the {thing} into it.",
    ),
    "put": (
        "I am at the {place} and can put the {thing} down here, as the task asks.",
        "This is the right place: I put the {thing} {in_place}.",
    ),
    "to lamp": (
        "I hold the {thing}. The {kind} is {in_place}, so I go there.",
        "To look at the {thing} in the light I go to the {kind} {in_place}.",
    ),
    "light": (
        "I hold the {thing}, and the {kind} is right here. I turn it on.",
        "Here is the {kind}. I switch it on to look at the {thing}.",
    ),
    "hands": (
        "I carry the {thing}, which the task does not ask for. I leave it {in_place}.",
        "I need free hands, so the {thing} goes {in_place}.",
    ),
}


def think(rng: random.Random, situation: str, place: str, thing: str = "", kind: str = "", **words: str) -> str:
    """One sentence or two for a situation, a key of SENTENCES. ``place`` and ``thing`` are names, as "shelf 2"."""
    where = preposition(place)
    words |= {"place": place, "thing": thing, "kind": kind, "in_place": f"{where} the {place}", "in_it": f"{where} it"}
    words.setdefault("a_kind", f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}")
    words["state"] = STATES.get(words.get("treat", ""), "")
    words["in_last"] = f"{preposition(words.get('last', ''))} the {words.get('last', '')}"
    return rng.choice(SENTENCES[situation]).format(**words)


def preposition(place: str) -> str:
    """Whether things lie in or on a receptacle, by its name."""
    return "in" if place.partition(" ")[0] in INSIDE else "on"
