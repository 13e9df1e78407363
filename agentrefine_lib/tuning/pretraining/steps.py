"""Chats that tell place by place what is where, and ask which command comes next: one step, with the reason for it.

What ``decisions`` practises in many layouts is practised here in the sentences of ``lookups``: the answer is a chain of
what was told, and ends with the form of a command and the command. Every question stands by itself: what one holds and
wants is drawn anew, nothing is carried out, and nothing is refused. In half of the chats the sentence patterns are
those of the embedded teacher's plain worlds; the words are those of words.yaml.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from agentrefine_lib.tuning.pretraining.decisions import LABELS, STEPS
from agentrefine_lib.tuning.pretraining.drills import Chat
from agentrefine_lib.tuning.pretraining.lookups import (
    Names,
    Place,
    Style,
    closed_store,
    draw_place,
    draw_style,
    open_store,
    stands,
    tell_next,
)
from agentrefine_lib.tuning.pretraining.scene import Command, draw_command
from agentrefine_lib.tuning.pretraining.words import draw_word

OPERATIONS = ("go", "take", "put", "open", "start")  # and one for each state that is made
NEXT = ("What next?", "Which command?", "And now?", "")


class Reasons(NamedTuple):
    """How a chat words the parts of an answer that are not looked up."""

    hold: str
    want: str
    unknown: str
    hands: str
    end: str


PLAIN = Reasons("I hold {0}", "I want that {0}", "{0} was nowhere yet", ", too, with empty hands", "The command: {0}")
HOLD = ("I hold {0}", "I carry {0}", "In hand: {0}", "With me: {0}")
WANT = ("I want that {0}", "The wish is that {0}", "It has to be that {0}", "In the end {0}")
UNKNOWN = ("{0} was nowhere yet", "{0} was not told of", "nothing is known of {0}", "{0} is still missing")
HANDS = (", too, with empty hands", ", too", ", as well")
END = ("The command: {0}", "That is: {0}", "So {0}", "Its form: {0}")


class Stand(NamedTuple):
    """Where one is said to be, what one knows, and where the way leads to."""

    here: Place
    known: list[Place]
    beyond: str
    at: str


class Wish(NamedTuple):
    """What is wanted, as a clause, and of which thing, store or state."""

    said: str
    thing: str
    store: str
    state: str


Step = tuple[str, str, dict[str, str]]  # why, operation, names


def write_steps(rng: random.Random, longest: int) -> Chat:
    """One or two places, told one after the other and at times again, with questions after each."""
    style, labels = draw_style(rng), rng.choice(LABELS)
    reasons = PLAIN if style.plain else Reasons(*(rng.choice(ways) for ways in (HOLD, WANT, UNKNOWN, HANDS, END)))
    names = Names(rng, style.article)
    places = [draw_place(rng, names) for _ in range(rng.choice((1, 2, 2, 2)))]
    commands, listed = _draw_commands(rng, places)
    known: list[Place] = []
    chat: Chat = []
    intro = f"{rng.choice(STEPS).format(*labels)}\n\n{listed}\n\n"
    while len(chat) < 2 * longest:
        here, beyond, news = tell_next(rng, style, names, places, known, 0.6)
        stand = Stand(here, known, beyond, style.at)
        for left in reversed(range(rng.randint(1, 4))):
            held, wish = _draw_wish(rng, names, places)
            why, operation, filled = decide(style, reasons, stand, held, wish)
            form, command = commands[operation]
            holding = _capital(reasons.hold.format(held or "nothing"))
            reason = f"{holding}. {reasons.want.format(wish.said)}; {why}. {reasons.end.format(form)}"
            question = " ".join(part for part in (f"{holding}.", f"Wanted: {wish.said}.", rng.choice(NEXT)) if part)
            chat.append({"role": "user", "content": intro + news + question})
            said = command.fill(**{part: _bare(style, name) for part, name in filled.items()})
            chat.append({"role": "assistant", "content": f"{labels[0]}: {reason}\n{labels[1]}: {said}"})
            news, intro = open_store(rng, style, names, here) if left and rng.random() < 0.3 else "", ""
    return chat


def _draw_commands(rng: random.Random, places: list[Place]) -> tuple[dict[str, tuple[str, Command]], str]:
    """For each operation its form, with names of parameters drawn for the chat, and the command; and the list of them.

    For every state that a place makes there is a command of its own.
    """
    used = set[str]()
    words = {part: "{" + draw_word(rng, "nouns") + "}" for part in ("item", "store", "place")}
    made: dict[str, tuple[str, Command]] = {}
    for operation in (*OPERATIONS, *(f"make {state}" for place in places for state in place.makes)):
        command = draw_command(rng, operation, used)
        made[operation] = command.fill(**words), command
    lines = [f"- {form}" for form, _ in made.values()]
    rng.shuffle(lines)
    return made, rng.choice(("Commands:\n", "You can say:\n", "The commands are\n")) + "\n".join(lines)


def _draw_wish(rng: random.Random, names: Names, places: list[Place]) -> tuple[str, Wish]:
    """What one holds, or nothing, and a wish that is not fulfilled."""
    things = {thing: store for place in places for thing, store in place.things.items()}
    stores = [store for place in places for store, state in place.stores.items() if state != "off"]
    devices = [store for place in places for store, state in place.stores.items() if state == "off"]
    makes = [state for place in places for state in place.makes]
    if devices and rng.random() < 0.2:
        device = rng.choice(devices)
        return "", Wish(f"{device} is on", "", device, "")
    held = rng.choice([names.draw("nouns"), ""])
    unknown = rng.random() < 0.15 or not things
    thing = held or (names.draw("nouns") if unknown else rng.choice(list(things)))
    if makes and rng.random() < 0.5:
        state = rng.choice(makes)
        return held, Wish(f"{thing} is {state}", thing, "", state)
    target = rng.choice([store for store in stores if store != things.get(thing)] or [names.draw("stores")])
    return held, Wish(f"{thing} is {rng.choice(('in', 'on'))} {target}", thing, target, "")


def decide(style: Style, reasons: Reasons, stand: Stand, held: str, wish: Wish) -> Step:
    """The thing first, then what it has to be brought to, then what is to be done there."""
    here, at = stand.here, stand.at
    if not wish.thing:
        place = _place_of(stand, wish.store)
        if place is not here:
            return _search(reasons, stand, wish.store) if place is None else _go(style, stand, place, wish.store)
        return f"{stands(style, here, wish.store, here)}; {wish.store} is off", "start", {"store": wish.store}
    if not held:
        place = next((known for known in stand.known if wish.thing in known.things), None)
        if place is None:
            return _search(reasons, stand, wish.thing, inside=True)
        lies = f"{wish.thing} {style.lies} {place.things[wish.thing]}; "
        if place is not here:
            why, operation, names = _go(style, stand, place, place.things[wish.thing])
            return lies + why, operation, names
        store = here.things[wish.thing]
        why = f"{lies}{store} {style.stands} {at} {here.name}; I am {at} {here.name}{reasons.hands}"
        return why, "take", {"item": wish.thing, "store": store}
    if wish.state:
        return _make(style, reasons, stand, wish)
    place = _place_of(stand, wish.store)
    if place is None:
        return _search(reasons, stand, wish.store)
    if place is not here:
        return _go(style, stand, place, wish.store)
    if here.stores[wish.store] == "closed":
        return f"{stands(style, here, wish.store, here)}; {wish.store} is closed", "open", {"store": wish.store}
    why = f"{stands(style, here, wish.store, here)}, with {wish.thing}"
    return why, "put", {"item": wish.thing, "store": wish.store}


def _make(style: Style, reasons: Reasons, stand: Stand, wish: Wish) -> Step:
    """To the store that things need for a state, and the command for it there."""
    place = next((known for known in stand.known if wish.state in known.makes), None)
    if place is None:
        return _search(reasons, stand, f"{wish.state} things need what")
    store = place.makes[wish.state]
    needs = f"{wish.state} things need {store}; "
    if place is not stand.here:
        why, operation, names = _go(style, stand, place, store)
        return needs + why, operation, names
    why = f"{needs}{stands(style, place, store, place)}, to have {wish.thing} {wish.state}"
    return why, f"make {wish.state}", {"item": wish.thing, "store": store}


def _place_of(stand: Stand, store: str) -> Place | None:
    return next((place for place in stand.known if store in place.stores), None)


def _search(reasons: Reasons, stand: Stand, what: str, inside: bool = False) -> Step:
    """What is closed here first, if it may be inside, then on along the way."""
    why = f"{reasons.unknown.format(what)}; I am {stand.at} {stand.here.name}; "
    if inside and (closed := closed_store(stand.here)):
        return f"{why}{closed} is closed", "open", {"store": closed}
    return f"{why}a way leads to {stand.beyond}", "go", {"place": stand.beyond}


def _go(style: Style, stand: Stand, place: Place, store: str) -> Step:
    return stands(style, place, store, stand.here), "go", {"place": place.name}


def _bare(style: Style, name: str) -> str:
    return name.removeprefix(style.article)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
