"""The expert's thoughts: one or two sentences about what is in view and what the current errand is for."""

import zlib
from typing import NamedTuple

from agentrefine_lib.environments.babyai.view import FRONT, Thing, View
from agentrefine_lib.environments.words import load_words


class Errand(NamedTuple):
    """Why a sequence of commands is played: a kind (a key of "completing") and what it is about, e.g. "red ball"."""

    kind: str
    noun: str


def think(view: View, command: str, errand: Errand, completes: bool, number: int) -> str:
    """The thought before a command; the same arguments give the same sentence, neighbouring steps differ."""
    said = load_words(__file__)["thoughts"]
    thing = next((thing for thing in view.things if command.endswith(f" {thing.label}")), view.at(FRONT))
    spotted = _spot(view, errand)
    words = {
        "noun": errand.noun,
        "held": " ".join(view.carrying or ("load",)),
        "thing": thing.name if thing else "",
        "place": place(thing.cell) if thing else "",
        "deed": said["deeds"].get(command.removesuffix(f" {thing.label}") if thing else command, ""),
        "side": command.rpartition(" ")[2],
        "spotted": spotted.name if spotted else "",
        "spot": place(spotted.cell) if spotted else "",
    }
    words["purpose"] = said["purposes"].get(errand.kind, "the {noun}").format(**words)
    if completes:
        choice = said["completing"][errand.kind]
    elif spotted and command == f"go to {spotted.label}":
        choice = ["The {thing} is {place}, so I {deed} first."]
    elif spotted and spotted.cell == FRONT and command.startswith("turn"):
        choice = ["I face the {spotted} already, but only an arrival counts. I turn {side} and come back to it."]
    else:
        choice = said["lining_up" if spotted else "searching"][command.partition(" ")[0]]
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
