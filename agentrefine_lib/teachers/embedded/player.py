"""The embedded Player: an expert that knows only what it has seen, explores, and says why it does what it does."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from agentrefine_lib.teachers.embedded.world import HANDS, Condition, Holder, World


class Move(NamedTuple):
    """What the Player means to do next, and why."""

    thought: str
    operation: str
    arguments: dict[str, str]


class Player:
    """Yields the moves that reach the goal. After each move the caller plays it in the world and calls ``notice``."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world = world
        self.rng = rng
        self.places_seen: set[str] = set()
        self.holders_seen: set[str] = set()
        self.items_seen: dict[str, str] = {}
        self.notice()

    def notice(self) -> None:
        """Take in what can be seen from here."""
        world = self.world
        self.places_seen.add(world.here)
        self.holders_seen |= {h.name for h in world.holders.values() if world.open_to_view(h)}
        self.items_seen |= world.visible_items() | dict.fromkeys(world.held(), HANDS)
        self.items_seen |= dict.fromkeys(world.held(), HANDS)

    def moves(self) -> Iterator[Move]:
        """The whole plan, made step by step; conditions that already hold are left alone."""
        for condition in self.world.goal:
            if not self.world.holds(condition):
                yield from self._achieve(condition)

    def _achieve(self, condition: Condition) -> Iterator[Move]:
        if condition.value == "on":
            yield from self._find(condition.subject)
            yield from self._walk_to(self.world.holders[condition.subject])
            yield self._move("switch", "The {holder} is here, I only have to start it.", holder=condition.subject)
        elif condition.relation == "in":
            yield from self._store(condition.subject, condition.value)
        else:
            operation = next(op for op, t in self.world.treatments.items() if t["after"] == condition.value)
            yield from self._treat(operation, condition.subject)

    def _treat(self, operation: str, item: str) -> Iterator[Move]:
        treatment = self.world.treatments[operation]
        why = f"It is still {treatment['before']}; this makes the {{item}} {treatment['after']}."
        if "station" in treatment:
            station = next(n for n in treatment["station"] if n in self.world.holders)
            yield from self._find(station)
            yield from self._get(item)
            yield from self._bring(item, self.world.holders[station])
            yield self._move(operation, why, item=item, holder=station)
        else:
            tool = next(n for n in treatment["tool"] if n in self.world.items)
            yield from self._get(tool)
            yield from self._get(item, keep=tool)
            yield self._move(operation, why, item=item, tool=tool)

    def _store(self, item: str, target: str) -> Iterator[Move]:
        yield from self._make_accessible(target)
        yield from self._get(item)
        holder = self.world.holders[target]
        if self.world.carry:
            yield from self._walk_to(holder)
            yield self._move("put", "This is the {holder} where the {item} belongs.", item=item, holder=target)
        else:
            yield self._move(
                "transfer", "The {item} belongs into the {holder}, so I move it there.", item=item, holder=target
            )

    def _make_accessible(self, name: str) -> Iterator[Move]:
        """Find a holder and open it, and whatever it stands in."""
        yield from self._find(name)
        holder = self.world.holders[name]
        if holder.inside is not None:
            yield from self._make_accessible(holder.inside)
        if not holder.open:
            yield from self._open(holder)

    def _open(self, holder: Holder) -> Iterator[Move]:
        if holder.key is not None:
            key = holder.key
            yield from self._get(key)
            yield from self._bring(key, holder)
            yield self._move(
                "unlock", "The {holder} is locked and the {item} should fit.", holder=holder.name, item=key
            )
        yield from self._walk_to(holder)
        yield self._move(
            "open", self._say("I need the {holder} open.", "Let me see what is in the {holder}."), holder=holder.name
        )

    def _get(self, item: str, keep: str = "") -> Iterator[Move]:
        """Have the item in hand; in worlds without hands, stand where it can be seen."""
        if self.world.items[item].at == HANDS:
            return
        yield from self._find(item)
        at = self.world.holders[self.items_seen[item]]
        yield from self._make_accessible(at.name)
        if self.world.carry:
            yield from self._free_hand(keep)
        yield from self._walk_to(at)
        if self.world.carry:
            thought = self._say(
                "I see the {item} in the {holder} and need it.", "There is the {item}, I take it with me."
            )
            yield self._move("take", thought, item=item, holder=at.name)

    def _bring(self, item: str, holder: Holder) -> Iterator[Move]:
        """Stand at a holder's place with the item in reach."""
        if not self.world.carry and self.world.holders[self.world.items[item].at].place != holder.place:
            surface = self._surface_at(holder.place)
            yield self._move("transfer", f"The {{item}} is needed near the {holder.name}.", item=item, holder=surface)
        yield from self._walk_to(holder)

    def _free_hand(self, keep: str) -> Iterator[Move]:
        held = self.world.held()
        if len(held) >= self.world.carry:
            spare = next(name for name in held if name != keep)
            surface = self._surface_at(self.world.here)
            yield self._move("put", "My hands are full and I do not need the {item} now.", item=spare, holder=surface)

    def _surface_at(self, place: str) -> str:
        return next(h.name for h in self.world.holders.values() if h.place == place and h.kind == "surface")

    def _find(self, name: str) -> Iterator[Move]:
        """Explore until the item or holder has been seen: closed containers here first, then the nearest new place."""
        while name not in self.items_seen and name not in self.holders_seen:
            unopened = [h for h in self.world.holders.values() if self.world.open_to_view(h) and not h.open]
            easy = [h for h in unopened if h.key is None]
            if easy:
                thought = self._say(
                    f"I have not found the {name} yet; it may be in the {{holder}}.", "I look into the {holder}."
                )
                yield self._move("open", thought, holder=easy[0].name)
            elif len(self.places_seen) < len(self.world.places):
                yield from self._travel(self._nearest_unseen(), f"the {name}")
            elif (left := self._closed_elsewhere()) and left.key is None:
                yield from self._walk_to(left)
            else:
                locked = next(h for h in self.world.holders.values() if h.key is not None)
                yield from self._open(locked)

    def _closed_elsewhere(self) -> Holder | None:
        closed = (
            h for h in self.world.holders.values() if h.name in self.holders_seen and not h.open and h.key is None
        )
        return next(closed, None)

    def _walk_to(self, holder: Holder) -> Iterator[Move]:
        yield from self._travel(holder.place, f"the {holder.name}")

    def _travel(self, place: str, purpose: str) -> Iterator[Move]:
        while self.world.here != place:
            step = self._path(place)[0]
            if place in self.places_seen:
                thought = self._say(f"{purpose.capitalize()} is at {place}.", f"I go back to {place} for {purpose}.")
            else:
                thought = self._say(
                    f"I have to search for {purpose}, {place} is still unseen.",
                    f"{purpose.capitalize()} may be at {place}.",
                )
            yield self._move("go", thought, place=step)

    def _nearest_unseen(self) -> str:
        return min((p for p in self.world.places if p not in self.places_seen), key=lambda p: len(self._path(p)))

    def _path(self, target: str) -> list[str]:
        """Places to walk through from here to the target, breadth first."""
        queue, came = deque([self.world.here]), {self.world.here: ""}
        while target not in came:
            at = queue.popleft()
            for place in self.world.ways[at]:
                if place not in came:
                    came[place] = at
                    queue.append(place)
        path = [target]
        while came[path[0]] != self.world.here:
            path.insert(0, came[path[0]])
        return path

    def _say(self, *thoughts: str) -> str:
        return self.rng.choice(thoughts)

    def _move(self, operation: str, thought: str, **arguments: str) -> Move:
        return Move(thought.format(**arguments), operation, arguments)
