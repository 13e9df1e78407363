"""The simulated world behind an embedded script, and the dungeon master's rules: what each command does, or why not."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import JsonValue

# error kind → the paper's flag that the dungeon master raises
FLAG_OF = {
    "wrong_format": "parameter_error",
    "unknown_parameter": "parameter_error",
    "absent_object": "place_error",
    "wrong_place": "place_error",
    "violated_precondition": "logic_error",
    "repetition": "logic_error",
}
HANDS = "your hands"


class Refusal(Exception):  # noqa: N818  (an answer of the dungeon master, not a failure of the program)
    """The dungeon master does not let a command happen: the kind of error and the feedback for the Player."""

    def __init__(self, kind: str, feedback: str) -> None:
        super().__init__(feedback)
        self.kind = kind
        self.feedback = feedback


@dataclass(slots=True)
class Holder:
    """A fixed thing: a surface or container that holds items, a station that treats them, or a device to switch on."""

    name: str
    place: str
    kind: str  # surface | container | station | device
    inside: str | None = None  # the container it stands in
    open: bool = True
    key: str | None = None  # the item that unlocks it, while it is locked
    on: bool = False


@dataclass(slots=True)
class Item:
    """A movable thing: where it is (a holder's name or the Player's hands) and the state of each treatment."""

    name: str
    at: str
    states: set[str] = field(default_factory=set)


class Condition(NamedTuple):
    """One completion condition: an item ``in`` a holder, an item that ``is`` in a state, a device that ``is`` on."""

    subject: str
    relation: str
    value: str

    def __str__(self) -> str:
        return f"the {self.subject} is {'in the ' if self.relation == 'in' else ''}{self.value}"


@dataclass(slots=True)
class World:
    """The state of play. ``check`` raises Refusal and changes nothing; ``apply`` changes the state and tells of it."""

    places: list[str]
    ways: dict[str, list[str]]  # place → places one can go to from there
    holders: dict[str, Holder]
    items: dict[str, Item]
    treatments: dict[str, dict[str, Any]]  # operation → domain entry
    goal: list[Condition]
    carry: int
    here: str

    # What can be seen

    def open_to_view(self, holder: Holder) -> bool:
        """True when the holder is here and nothing closed is around it."""
        return holder.place == self.here and (holder.inside is None or self.holders[holder.inside].open)

    def contents(self, holder: Holder) -> list[str]:
        """Names of what is in or on an open holder: items, then holders inside it."""
        inside = [h.name for h in self.holders.values() if h.inside == holder.name]
        return [i.name for i in self.items.values() if i.at == holder.name] + inside

    def visible_items(self) -> dict[str, str]:
        """Item → holder, for all that can be seen from here."""
        seen = {h.name for h in self.holders.values() if h.open and self.open_to_view(h)}
        return {i.name: i.at for i in self.items.values() if i.at in seen}

    def held(self) -> list[str]:
        return [i.name for i in self.items.values() if i.at == HANDS]

    def describe(self) -> str:
        """What the Player sees here, in one line."""
        parts = [self._phrase(h) for h in self.holders.values() if h.place == self.here and h.inside is None]
        hands = f" You hold {listing(self.held())}." if self.held() else ""
        return f"You are at {self.here}. You see {listing(parts)}.{hands} Ways: {listing(self.ways[self.here])}."

    def _phrase(self, holder: Holder) -> str:
        if holder.kind == "device":
            return f"{holder.name} ({'on' if holder.on else 'off'})"
        if holder.kind == "station":
            return holder.name
        if not holder.open:
            return f"{holder.name} ({'locked' if holder.key else 'closed'})"
        return f"{holder.name} ({listing(self.contents(holder))})"

    def done(self) -> bool:
        """True when every completion condition holds."""
        return all(self.holds(condition) for condition in self.goal)

    def holds(self, condition: Condition) -> bool:
        if condition.relation == "in":
            return self.items[condition.subject].at == condition.value
        if condition.value == "on":
            return self.holders[condition.subject].on
        return condition.value in self.items[condition.subject].states

    def as_environment(self) -> dict[str, JsonValue]:
        """The script's ``Environment``: places → holders → items → properties, as at the start."""

        def holder_entry(holder: Holder) -> JsonValue:
            if holder.kind == "device":
                return {"state": "on" if holder.on else "off"}
            if holder.kind == "station":
                return {"use": "station"}
            entry: dict[str, JsonValue] = {"state": "open" if holder.open else "locked" if holder.key else "closed"}
            if holder.key:
                entry["key"] = holder.key
            for name in self.contents(holder):
                known = self.items.get(name)
                entry[name] = {"state": ", ".join(sorted(known.states))} if known else holder_entry(self.holders[name])
            return entry

        return {
            place: {h.name: holder_entry(h) for h in self.holders.values() if h.place == place and h.inside is None}
            for place in self.places
        }

    # What can be done

    def check(self, operation: str, arguments: dict[str, str]) -> None:
        """Raise Refusal if the command cannot happen now."""
        getattr(self, f"_check_{operation.partition(':')[0]}")(operation, **arguments)

    def apply(self, operation: str, arguments: dict[str, str]) -> str:
        """Carry out a command that ``check`` let pass, and return the observation."""
        effect: str = getattr(self, f"_do_{operation.partition(':')[0]}")(operation, **arguments)
        return effect

    def _need_holder(self, name: str, *, opened: bool = True) -> Holder:
        holder = self.holders[name]
        if holder.place != self.here:
            raise Refusal("wrong_place", f"There is no {name} at {self.here}.")
        if not self.open_to_view(holder):
            raise Refusal("absent_object", f"You cannot see any {name} here.")
        if opened and not holder.open:
            raise Refusal("violated_precondition", f"The {name} is {'locked' if holder.key else 'closed'}.")
        return holder

    def _need_item_at(self, item: str, holder: str) -> None:
        if self.items[item].at != holder:
            raise Refusal("absent_object", f"There is no {item} in the {holder}.")

    def _need_held(self, item: str) -> None:
        if self.items[item].at != HANDS:
            raise Refusal("violated_precondition", f"You do not hold the {item}.")

    def _need_store(self, holder: Holder) -> None:
        if holder.kind not in ("surface", "container"):
            raise Refusal("violated_precondition", f"The {holder.name} cannot hold things.")

    def _check_go(self, _: str, place: str) -> None:
        if place == self.here:
            raise Refusal("repetition", f"You are already at {place}.")
        if place not in self.ways[self.here]:
            raise Refusal(
                "wrong_place", f"There is no way from {self.here} to {place}. Ways: {', '.join(self.ways[self.here])}."
            )

    def _do_go(self, _: str, place: str) -> str:
        self.here = place
        return self.describe()

    def _check_look(self, _: str) -> None:
        pass

    def _do_look(self, _: str) -> str:
        return self.describe()

    def _check_open(self, _: str, holder: str) -> None:
        it = self._need_holder(holder, opened=False)
        if it.kind != "container":
            raise Refusal("violated_precondition", f"The {holder} cannot be opened.")
        if it.key:
            raise Refusal("violated_precondition", f"The {holder} is locked. It needs the {it.key}.")
        if it.open:
            raise Refusal("repetition", f"The {holder} is already open.")

    def _do_open(self, _: str, holder: str) -> str:
        self.holders[holder].open = True
        return f"The {holder} is open now. Inside: {listing(self.contents(self.holders[holder]))}."

    def _check_unlock(self, _: str, holder: str, item: str) -> None:
        it = self._need_holder(holder, opened=False)
        if not it.key:
            raise Refusal("repetition", f"The {holder} is not locked.")
        self._need_reach(item)
        if it.key != item:
            raise Refusal("violated_precondition", f"The {item} does not fit the {holder}.")

    def _do_unlock(self, _: str, holder: str, item: str) -> str:
        self.holders[holder].key = None
        self.items[item].at = holder  # the key stays in the lock, so that the hand is free
        return f"The {item} turns and stays in the lock. The {holder} is unlocked but still closed."

    def _check_take(self, _: str, item: str, holder: str) -> None:
        if self.items[item].at == HANDS:
            raise Refusal("repetition", f"You already hold the {item}.")
        self._need_holder(holder)
        self._need_item_at(item, holder)
        if len(self.held()) >= self.carry:
            raise Refusal("violated_precondition", f"Your hands are full. You hold {listing(self.held())}.")

    def _do_take(self, _: str, item: str, holder: str) -> str:
        self.items[item].at = HANDS
        return f"You have the {item} now, from the {holder}."

    def _check_put(self, _: str, item: str, holder: str) -> None:
        self._need_store(self._need_holder(holder))
        self._need_held(item)

    def _do_put(self, _: str, item: str, holder: str) -> str:
        self.items[item].at = holder
        return f"The {item} is in the {holder} now."

    def _check_transfer(self, _: str, item: str, holder: str) -> None:
        if self.items[item].at == holder:
            raise Refusal("repetition", f"The {item} is already in the {holder}.")
        if item not in self.visible_items():
            raise Refusal("absent_object", f"There is no {item} at {self.here}.")
        target = self.holders[holder]
        self._need_store(target)
        if not target.open:
            raise Refusal("violated_precondition", f"The {holder} is {'locked' if target.key else 'closed'}.")

    def _do_transfer(self, _: str, item: str, holder: str) -> str:
        self.items[item].at = holder
        return f"The {item} is in the {holder} now."

    def _check_switch(self, _: str, holder: str) -> None:
        it = self._need_holder(holder)
        if it.kind != "device":
            raise Refusal("violated_precondition", f"The {holder} has no switch.")
        if it.on:
            raise Refusal("repetition", f"The {holder} is already on.")

    def _do_switch(self, _: str, holder: str) -> str:
        self.holders[holder].on = True
        return f"The {holder} is on now."

    def _check_treat(self, operation: str, item: str, holder: str) -> None:
        self._need_holder(holder)
        if holder not in self.treatments[operation]["station"]:
            raise Refusal("violated_precondition", f"The {holder} is not made for that.")
        self._need_reach(item)
        self._need_before(operation, item)

    def _do_treat(self, operation: str, item: str, holder: str) -> str:
        return self._change_state(operation, item)

    def _check_apply(self, operation: str, item: str, tool: str) -> None:
        if tool not in self.treatments[operation]["tool"]:
            raise Refusal("violated_precondition", f"The {tool} is not made for that.")
        self._need_reach(tool)
        self._need_reach(item)
        self._need_before(operation, item)

    def _do_apply(self, operation: str, item: str, tool: str) -> str:
        return self._change_state(operation, item)

    def _need_reach(self, item: str) -> None:
        """Held; or, in worlds without hands, in sight."""
        if self.carry:
            self._need_held(item)
        elif item not in self.visible_items():
            raise Refusal("absent_object", f"There is no {item} at {self.here}.")

    def _need_before(self, operation: str, item: str) -> None:
        treatment, states = self.treatments[operation], self.items[item].states
        if treatment["after"] in states:
            raise Refusal("repetition", f"The {item} is already {treatment['after']}.")
        if treatment["before"] not in states:
            raise Refusal("violated_precondition", f"The {item} is not {treatment['before']}.")

    def _change_state(self, operation: str, item: str) -> str:
        treatment = self.treatments[operation]
        self.items[item].states -= {treatment["before"]}
        self.items[item].states |= {treatment["after"]}
        return f"The {item} is {treatment['after']} now."


def listing(names: list[str]) -> str:
    """``"a mug, a key"`` without articles; ``"nothing"`` for none."""
    return ", ".join(names) or "nothing"


def connect(rng: random.Random, shape: str, places: list[str]) -> dict[str, list[str]]:
    """Which places lead where, for the four kinds of map."""
    n = len(places)
    if shape == "open":
        pairs = {(a, b) for a in range(n) for b in range(n) if a != b}
    elif shape == "hub":
        pairs = {(0, b) for b in range(1, n)}
    else:
        pairs = {(a, a + 1) for a in range(n - 1)}
        if shape == "ring" and n > 2:
            pairs.add((n - 1, 0))
    ways = {a: sorted({y for x, y in pairs if x == a} | {x for x, y in pairs if y == a}) for a in range(n)}
    return {places[a]: [places[b] for b in ways[a]] for a in range(n)}
