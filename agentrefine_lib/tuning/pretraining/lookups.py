"""Chats that tell place by place what is where, and ask where a thing is: the answer is a chain of what was told.

What is practised: to find the statement that begins with a name and to say it on to the end of the chain, to say that
there is none, and to say whether two places are the same. Nothing is done here and there are no commands. In half of
the chats the sentence patterns are those of the embedded teacher's plain worlds; the words are those of words.yaml.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from agentrefine_lib.tuning.pretraining.drills import Chat
from agentrefine_lib.tuning.pretraining.words import draw_word

PLAIN = ("lies on", "stands", "You are {at} {0}. You see that {1}; a way leads to {2}.")
LIES = ("lies on", "lies in", "hangs on", "leans on", "was left in", "rests on", "sits on", "waits in")
STANDS = ("stands", "is found", "belongs", "can be seen", "has its place")
TOLD = (
    "You are {at} {0}. You see that {1}; a way leads to {2}.",
    "This is {0}: {1}; a way leads to {2}.",
    "Now you are {at} {0}, where {1}; a way leads to {2}.",
    "You come to {0}. Here {1}; a way leads to {2}.",
)


class Style(NamedTuple):
    """The sentences of one chat."""

    lies: str
    stands: str
    told: str
    at: str
    article: str
    asked: str
    plain: bool  # those of the embedded teacher's plain worlds


class Place(NamedTuple):
    """What one place holds: stores with what is told of each, things with their store, and states with their store."""

    name: str
    stores: dict[str, str]  # → "closed", "off" or nothing
    things: dict[str, str]
    makes: dict[str, str]  # a state → the store that things need for it


def write_lookups(rng: random.Random, longest: int) -> Chat:
    """Two or three places, told one after the other and at times again, with questions after each."""
    style = draw_style(rng)
    names = Names(rng, style.article)
    places = [draw_place(rng, names) for _ in range(rng.choice((1, 2, 2, 3)))]
    known: list[Place] = []
    chat: Chat = []
    asked = rng.randint(1 + longest // 2, longest)
    while len(chat) < 2 * asked:
        here, beyond, news = tell_next(rng, style, names, places, known, 0.7)
        for left in reversed(range(rng.randint(1, 4))):
            question, answer = _ask(rng, style, names, known, here)
            if answer.endswith("nowhere yet"):
                shut = closed_store(here)
                answer += (
                    f"; I am {style.at} {here.name}; {f'{shut} is closed' if shut else f'a way leads to {beyond}'}"
                )
            chat.append({"role": "user", "content": news + style.asked.format(question)})
            chat.append({"role": "assistant", "content": answer})
            news = open_store(rng, style, names, here) if left and rng.random() < 0.3 else ""
    return chat


class Names:
    """Names that are not used twice in a chat."""

    def __init__(self, rng: random.Random, article: str) -> None:
        self.rng, self.article, self.used = rng, article, set[str]()

    def draw(self, kind: str) -> str:
        while True:
            words = [draw_word(self.rng, kind)]
            if self.rng.random() < 0.6:
                words.insert(0, draw_word(self.rng, "adjectives"))
            name = self.article + ("-" if not self.article else " ").join(words)
            if name not in self.used:
                self.used.add(name)
                return name


def draw_style(rng: random.Random) -> Style:
    at = rng.choice(("in", "in", "at"))
    article = "the " if rng.random() < 0.85 else ""
    asked = rng.choice(("Where is {0}?", "{0}?", "Look for {0}.", "What of {0}?"))
    if rng.random() < 0.5:
        return Style(*PLAIN, at, article, asked, plain=True)
    return Style(rng.choice(LIES), rng.choice(STANDS), rng.choice(TOLD), at, article, asked, plain=False)


def draw_place(rng: random.Random, names: Names) -> Place:
    stores = {names.draw("stores"): rng.choice(("", "", "", "closed", "off")) for _ in range(rng.randint(2, 5))}
    open_ones = [store for store, state in stores.items() if not state]
    things = {names.draw("nouns"): rng.choice(open_ones) for _ in range(rng.randint(0, 3)) if open_ones}
    state = draw_word(rng, "states")
    makes = {state: rng.choice(open_ones)} if open_ones and state not in names.used and rng.random() < 0.6 else {}
    names.used |= makes.keys()
    return Place(names.draw("rooms"), stores, things, makes)


def tell_next(
    rng: random.Random, style: Style, names: Names, places: list[Place], known: list[Place], ahead: float
) -> tuple[Place, str, str]:
    """The place that is told next, from now on among the known, where a way leads to from it, and how it is told.

    ``ahead``: how often that is a new place while there are some.
    """
    new = [place for place in places if place not in known]
    here = new[0] if new and (not known or rng.random() < ahead) else rng.choice(places)
    known += [here] if here not in known else []
    beyond = rng.choice([place.name for place in places if place is not here] or [names.draw("rooms")])
    return here, beyond, style.told.format(here.name, "; ".join(_tell(style, here)), beyond, at=style.at) + "\n\n"


def _tell(style: Style, place: Place) -> list[str]:
    """The statements of a place: each store, what is told of it, what it makes, and what is on it."""
    told = []
    for store, state in place.stores.items():
        told.append(f"{store} {style.stands} {style.at} {place.name}")
        told += [f"{store} is {state}"] if state else []
        told += [f"{made} things need {by}" for made, by in place.makes.items() if by == store]
        told += [f"{thing} {style.lies} {on}" for thing, on in place.things.items() if on == store]
    return told


def _ask(rng: random.Random, style: Style, names: Names, known: list[Place], here: Place) -> tuple[str, str]:
    """A question and its answer: for a thing, a store, what makes things be in a state, or what was never told of."""
    place = rng.choice(known)
    kind = rng.choice(("thing", "thing", "thing", "store", "state", "nothing", "no state"))
    if kind == "no state" and (state := draw_word(rng, "states")) not in names.used:
        return f"{state} things", f"{state} things need what was nowhere yet"
    if not {"thing": place.things, "store": place.stores, "state": place.makes}.get(kind):
        lacking = names.draw("nouns")
        return lacking, f"{lacking} was nowhere yet"
    if kind == "thing":
        thing = rng.choice(list(place.things))
        return thing, f"{thing} {style.lies} {place.things[thing]}; {stands(style, place, place.things[thing], here)}"
    if kind == "state":
        made, store = rng.choice(list(place.makes.items()))
        return f"{made} things", f"{made} things need {store}; {stands(style, place, store, here)}"
    store, state = rng.choice(list(place.stores.items()))
    return store, stands(style, place, store, here) + (f"; {store} is {state}" if state and place is here else "")


def stands(style: Style, place: Place, store: str, here: Place) -> str:
    """Where a store stands, and whether that is here."""
    same = "too" if place is here else "not there"
    return f"{store} {style.stands} {style.at} {place.name}; I am {style.at} {here.name}, {same}"


def open_store(rng: random.Random, style: Style, names: Names, place: Place) -> str:
    """A store that is open from now on, and the thing that is seen in it, if any."""
    store = next((store for store, state in place.stores.items() if state == "closed"), "")
    if not store:
        return ""
    place.stores[store] = ""
    inside = rng.choice(("nothing", names.draw("nouns")))
    if inside != "nothing":
        place.things[inside] = store
        inside += f" {style.lies} {store}"
    return f"{store} is open now: {inside}.\n\n"


def closed_store(place: Place) -> str:
    return next((store for store, state in place.stores.items() if state == "closed"), "")
