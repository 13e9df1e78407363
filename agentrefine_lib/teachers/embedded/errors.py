"""Mistakes on purpose: what a Player who knows better might get wrong just now, and how it recovers.

Each proposal is only an intention. The dungeon master judges the text like any other command, so a flag in the data
is always what the rules of the world say, never what was planned.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from agentrefine_lib.schema import Mismatch, match_action
from agentrefine_lib.teachers.embedded.build import Game
from agentrefine_lib.teachers.embedded.grammar import FORMS
from agentrefine_lib.teachers.embedded.player import Move
from agentrefine_lib.teachers.embedded.world import HANDS, Refusal


class Blunder(NamedTuple):
    """A command that should fail with an error of this kind, and the thought that leads to it."""

    kind: str
    thought: str
    action: str


def read_command(game: Game, action: str) -> tuple[str, dict[str, str]]:
    """The operation and arguments of a command. Raises Refusal when it is no command or names an unknown thing."""
    found = match_action(game.script, action)
    if isinstance(found, Mismatch):
        if found.kind == "format":
            raise Refusal("wrong_format", f"'{action}' is not one of the commands.")
        raise Refusal("unknown_parameter", f"'{action}' names something that does not exist.")
    form = next(f for f in game.forms.values() if f.signature == found.signature)
    return form.operation, form.read(found.arguments.values())


def draw_blunder(rng: random.Random, game: Game, move: Move, played: list[str]) -> Blunder | None:
    """A mistake that fits the moment, already known to be refused for the reason it was meant to show."""
    proposals = [*_misspelt(rng, game, move), *_misplaced(rng, game, move), *_illogical(rng, game, move, played)]
    rng.shuffle(proposals)
    for blunder in proposals:
        try:
            operation, arguments = read_command(game, blunder.action)
            game.world.check(operation, arguments)
        except Refusal as refusal:
            if refusal.kind == blunder.kind:
                return blunder
    return None


def recovery(blunder: Blunder, feedback: str, move: Move, form: str) -> str:
    """The thought after a mistake: what the feedback says, then the right intention."""
    lesson = {
        "wrong_format": f"That was not a command. I have to write it as '{form}'.",
        "unknown_parameter": "That name does not exist. I have to use a name from the observations.",
        "absent_object": "It is not there, so I was wrong about that.",
        "wrong_place": "That cannot be done from here. I have to be at the right place.",
        "violated_precondition": "Something has to be done before that can work.",
        "repetition": "That changed nothing. I should go on with the task.",
    }[blunder.kind]
    return f"The answer was: {feedback} {lesson} {move.thought}"


def _misspelt(rng: random.Random, game: Game, move: Move) -> Iterator[Blunder]:
    """Another spelling of the same command, or a name that nothing has."""
    form = game.forms[move.operation]
    verbs, shapes = FORMS[move.operation.partition(":")[0]]
    shape = rng.choice(shapes).replace("{v}", rng.choice(verbs or ("use",)))
    yield Blunder("wrong_format", move.thought, shape.format(**move.arguments))
    if move.arguments:
        name = rng.choice(sorted(move.arguments))
        wrong = rng.choice(("big ", "other ", "second ", "my ")) + move.arguments[name]
        yield Blunder("unknown_parameter", move.thought, form.write(move.arguments | {name: wrong}))


def _misplaced(rng: random.Random, game: Game, move: Move) -> Iterator[Blunder]:
    """A thing that is not here: in the wrong holder, or at another place."""
    world = game.world
    elsewhere = [h for h in world.holders.values() if h.place != world.here]
    here = [
        h for h in world.holders.values() if world.open_to_view(h) and h.open and h.kind in ("surface", "container")
    ]
    loose = [i.name for i in world.items.values() if i.at != HANDS]
    if "take" in game.forms and loose and here:
        item, holder = rng.choice(loose), rng.choice(here)
        thought = f"The {item} must be in the {holder.name}."
        yield Blunder("absent_object", thought, game.forms["take"].write({"item": item, "holder": holder.name}))
    if "transfer" in game.forms and loose and here:
        item = rng.choice(loose)
        thought = f"I can move the {item} right away."
        yield Blunder("absent_object", thought, game.forms["transfer"].write({"item": item, "holder": here[0].name}))
    if elsewhere:
        holder = rng.choice(elsewhere)
        operation = "switch" if holder.kind == "device" else "open"
        thought = f"The {holder.name} should be within reach."
        yield Blunder("wrong_place", thought, game.forms[operation].write({"holder": holder.name}))
    if move.operation == "go":
        far = [p for p in world.places if p not in world.ways[world.here] and p != world.here]
        if far:
            place = rng.choice(far)
            yield Blunder("wrong_place", f"I go straight to {place}.", game.forms["go"].write({"place": place}))


def _illogical(rng: random.Random, game: Game, move: Move, played: list[str]) -> Iterator[Blunder]:
    """A step too early, or one that was done already."""
    world, forms = game.world, game.forms
    if played:
        yield Blunder("repetition", "To be sure, I do that once more.", played[-1])
    yield Blunder("repetition", f"I want to be at {world.here}.", forms["go"].write({"place": world.here}))
    shut = [h for h in world.holders.values() if world.open_to_view(h) and not h.open]
    loose = [i.name for i in world.items.values() if i.at != HANDS]
    if shut:
        holder, item = rng.choice(shut), rng.choice(loose)
        if holder.key:
            yield Blunder(
                "violated_precondition", f"I open the {holder.name}.", forms["open"].write({"holder": holder.name})
            )
        if "take" in forms:
            action = forms["take"].write({"item": item, "holder": holder.name})
            yield Blunder("violated_precondition", f"The {item} may be in the {holder.name}.", action)
    if "put" in forms and loose:
        surface = next((h.name for h in world.holders.values() if h.place == world.here and h.kind == "surface"), None)
        if surface:
            action = forms["put"].write({"item": rng.choice(loose), "holder": surface})
            yield Blunder("violated_precondition", f"I can leave things in the {surface}.", action)
    if move.operation in ("take", "go", "put", "transfer"):
        for operation, treatment in world.treatments.items():
            station = next((n for n in treatment.get("station", ()) if n in world.holders), None)
            if station and loose:
                action = forms[operation].write({"item": rng.choice(loose), "holder": station})
                yield Blunder("violated_precondition", f"The {station} is what I need now.", action)
