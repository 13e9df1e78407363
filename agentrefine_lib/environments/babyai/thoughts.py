"""The expert's thoughts: one or two sentences about what is in view and what the current errand is for."""

from __future__ import annotations

import zlib
from typing import NamedTuple

from agentrefine_lib.environments.babyai.view import Thing, View

# The sentences for the command that completes an errand, by the errand's kind.
COMPLETING = {
    "goal": (
        "The {thing} is {place}, so I {deed}.",
        "I see the {thing} {place}. That is what the task asks for: I {deed}.",
        "There is the {thing}, {place}. Now I {deed}.",
    ),
    "key": (
        "A locked door is in my way, and the {noun} is {place}. I {deed}.",
        "I need the {noun} to unlock a door. It is {place}, so I {deed}.",
    ),
    "blocker": (
        "The {thing} {place} stands in my way, so I {deed} to move it aside.",
        "I cannot pass the {thing} {place}. I {deed} and will put it elsewhere.",
    ),
    "door": (
        "The {noun} is not in reach yet. The {thing} is {place}, so I open it and step into the doorway.",
        "The way to the {noun} may lead through the {thing} {place}, so I open it and go in.",
        "I have to get further to find the {noun}. The {thing} is {place}: I open it.",
    ),
    "hands": (
        "I need empty hands for the {noun}. The cell ahead is free, so I put the {held} down.",
        "The {held} is no longer needed in my hands; I drop it to be free for the {noun}.",
    ),
    "aside": (
        "Here the {held} blocks nothing, so I put it down.",
        "The cell ahead is a good place to leave the {held}, so I drop it.",
    ),
    "beside": ("The cell ahead is right next to the {noun}, so I put the {held} there.",),
    "shut": ("The {thing} {place} is open already. I close it first, so that I can open it.",),
}

# The sentences for a command on the way there, by its first word: while what is wanted is out of view, and in view.
SEARCHING = {
    "turn": (
        "I do not see {purpose} from here, so I turn {side} and look there.",
        "Nothing ahead helps me to find {purpose}. I turn {side} to see more.",
        "I am still looking for {purpose}; next I turn {side}.",
    ),
    "move": (
        "The cell ahead is free, so I take one step to find {purpose}.",
        "I am looking for {purpose}, and the way ahead is clear for a step.",
    ),
    "go": (
        "I am looking for {purpose}. The {thing} is {place}, so I go there first.",
        "The {thing} is {place}. I go there, because from there I may find {purpose}.",
    ),
}
LINING_UP = {
    "turn": (
        "The {spotted} is {spot}, but I have to turn {side} to get to it.",
        "I see the {spotted} {spot}. Turning {side} brings me in line with it.",
    ),
    "move": (
        "The {spotted} is {spot}. I take one step ahead to get nearer.",
        "I see the {spotted} {spot}, and the cell ahead is free for a step.",
    ),
    "go": (
        "I see the {spotted} {spot}. First I go to the {thing} {place}.",
        "The {spotted} is {spot}, and I can get to it by way of the {thing} {place}.",
    ),
}
DEEDS = {
    "go to": "walk up to it",
    "pickup": "pick it up",
    "toggle": "open it",
    "toggle and go through": "open it and step into the doorway",
}
PURPOSES = {
    "blocker": "what blocks the way",
    "door": "a way to the {noun}",
    "hands": "a free spot for the {held}",
    "aside": "a free spot for the {held}",
    "beside": "a free cell next to the {noun}",
}


class Errand(NamedTuple):
    """Why a sequence of commands is played: a kind (a key of COMPLETING) and what it is about, e.g. "red ball"."""

    kind: str
    noun: str


def think(view: View, command: str, errand: Errand, completes: bool, number: int) -> str:
    """The thought before a command; the same arguments give the same sentence, neighbouring steps differ."""
    thing = next((thing for thing in view.things if command.endswith(f" {thing.label}")), view.at((0, 1)))
    spotted = _spot(view, errand)
    words = {
        "noun": errand.noun,
        "held": " ".join(view.carrying or ("load",)),
        "thing": thing.name if thing else "",
        "place": place(thing.cell) if thing else "",
        "deed": DEEDS.get(command.removesuffix(f" {thing.label}") if thing else command, ""),
        "side": command.rpartition(" ")[2],
        "spotted": spotted.name if spotted else "",
        "spot": place(spotted.cell) if spotted else "",
    }
    words["purpose"] = PURPOSES.get(errand.kind, "the {noun}").format(**words)
    if completes:
        choice = COMPLETING[errand.kind]
    elif spotted and command == f"go to {spotted.label}":
        choice = ("The {thing} is {place}, so I {deed} first.",)
    elif spotted and spotted.cell == (0, 1) and command.startswith("turn"):
        choice = ("I face the {spotted} already, but only an arrival counts. I turn {side} and come back to it.",)
    else:
        choice = (LINING_UP if spotted else SEARCHING)[command.partition(" ")[0]]
    return choice[(zlib.crc32(errand.noun.encode()) + number) % len(choice)].format(**words)


def place(cell: tuple[int, int]) -> str:
    """A cell in the expert's words, e.g. "2 steps ahead and 1 to the left"."""
    right, ahead = cell
    side = "right" if right > 0 else "left"
    steps = f"{ahead} step{'s' if ahead > 1 else ''} ahead"
    if right == 0:
        return steps
    if ahead == 0:
        return f"{abs(right)} step{'s' if abs(right) > 1 else ''} to the {side}"
    return f"{steps} and {abs(right)} to the {side}"


def _spot(view: View, errand: Errand) -> Thing | None:
    """The nearest thing in view that the errand's noun fits, for errands that are about going to one."""
    if errand.kind not in ("goal", "key", "blocker"):
        return None
    words = set(errand.noun.split()) - {"object"}
    return next((thing for thing in view.things if words <= {thing.color, thing.kind}), None)
