"""The simulated world behind an embedded script: what is where, what can be seen, and what still has to be done."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pydantic import JsonValue

HANDS = "your hands"
LOCK = "a lock"  # where a key stays once it was used
STORES = ("surface", "container")  # the kinds of holder that items can be in


@dataclass(slots=True)
class Holder:
    """A fixed thing: a surface or container that holds items, a station that treats them, or a device to switch on."""

    name: str
    place: str
    kind: str  # surface | container | station | device
    inside: str | None = None  # the container it stands in
    open: bool = True
    key: str = ""  # the item that unlocks it, while it is locked
    code: str = ""  # the word that unlocks it, while it is locked
    on: bool = False

    @property
    def locked(self) -> bool:
        return bool(self.key or self.code)


@dataclass(slots=True)
class Item:
    """A movable thing: where it is (a holder's name or the Player's hands), its states, and what is written on it."""

    name: str
    at: str
    states: set[str] = field(default_factory=set)
    text: str = ""
    code: str = ""  # the word that the text tells, if any
    was_read: bool = False


class Condition(NamedTuple):
    """One completion condition: an item ``in`` or ``on`` a holder, an item that ``is`` in a state, a device ``on``."""

    subject: str
    relation: str  # in | on | is
    value: str


@dataclass(slots=True)
class World:
    """The state of play. The rules that change it are in ``rules``."""

    places: list[str]
    ways: dict[str, list[str]]  # place → places one can go to from there
    holders: dict[str, Holder]
    items: dict[str, Item]
    treatments: dict[str, dict[str, Any]]  # operation → the domain's entry
    goal: list[Condition]
    codes: list[str]  # words that could be a code; one of them is, if anything here has a code lock
    carry: int
    here: str

    def copy(self) -> World:
        """The same world, to be played without changing this one."""
        holders = {
            h.name: Holder(h.name, h.place, h.kind, h.inside, h.open, h.key, h.code, h.on)
            for h in self.holders.values()
        }
        items = {i.name: Item(i.name, i.at, set(i.states), i.text, i.code, i.was_read) for i in self.items.values()}
        return replace(self, holders=holders, items=items)

    def open_to_view(self, holder: Holder) -> bool:
        """True when the holder is here and nothing closed is around it."""
        return holder.place == self.here and self.reachable(holder)

    def reachable(self, holder: Holder) -> bool:
        """True when nothing closed is around it, wherever it is."""
        return holder.inside is None or self.holders[holder.inside].open

    def contents(self, holder: Holder) -> tuple[list[Item], list[Holder]]:
        """What is in or on a holder: items, and holders that stand inside it."""
        items = [item for item in self.items.values() if item.at == holder.name]
        return items, [h for h in self.holders.values() if h.inside == holder.name]

    def visible_items(self) -> dict[str, str]:
        """Item → holder, for all that can be seen from here."""
        seen = {h.name for h in self.holders.values() if h.open and self.open_to_view(h)}
        return {i.name: i.at for i in self.items.values() if i.at in seen}

    def in_sight(self, item: str) -> bool:
        """True when the item is held, or open to view here."""
        at = self.items[item].at
        return at == HANDS or (at != LOCK and self.holders[at].open and self.open_to_view(self.holders[at]))

    def held(self) -> list[str]:
        return [i.name for i in self.items.values() if i.at == HANDS]

    def done(self) -> bool:
        """True when every completion condition holds."""
        return all(self.holds(condition) for condition in self.goal)

    def holds(self, condition: Condition) -> bool:
        if condition.relation != "is":
            return self.items[condition.subject].at == condition.value
        if condition.subject in self.holders:
            return self.holders[condition.subject].on
        return condition.value in self.items[condition.subject].states

    def as_environment(self) -> dict[str, JsonValue]:
        """The script's ``Environment``: places → holders → items → properties, as at the start."""
        return {
            place: {
                h.name: self._holder_entry(h) for h in self.holders.values() if h.place == place and h.inside is None
            }
            for place in self.places
        }

    def _holder_entry(self, holder: Holder) -> JsonValue:
        if holder.kind not in STORES:
            return {"state": "on" if holder.on else "off"} if holder.kind == "device" else {"use": "station"}
        entry: dict[str, JsonValue] = {"state": "open" if holder.open else "locked" if holder.locked else "closed"}
        if holder.locked:
            entry["lock"] = f"code {holder.code}" if holder.code else holder.key
        items, inner = self.contents(holder)
        for item in items:
            entry[item.name] = {"text": item.text} if item.text else {"state": ", ".join(sorted(item.states))}
        return entry | {h.name: self._holder_entry(h) for h in inner}


def connect(rng: random.Random, shape: str, places: list[str]) -> dict[str, list[str]]:
    """Which places lead where, for the five shapes of map."""
    n = len(places)
    pairs = {
        "open": [(a, b) for a in range(n) for b in range(a)],
        "hub": [(0, b) for b in range(1, n)],
        "line": [(a, a + 1) for a in range(n - 1)],
        "ring": [(a, (a + 1) % n) for a in range(n if n > 2 else 1)],
        "tree": [(rng.randrange(b), b) for b in range(1, n)],
    }[shape]
    ways: dict[str, list[str]] = {place: [] for place in places}
    for a, b in pairs:
        ways[places[a]].append(places[b])
        ways[places[b]].append(places[a])
    return ways
