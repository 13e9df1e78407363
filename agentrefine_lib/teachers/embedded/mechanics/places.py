"""Things in places: some of them shut, one perhaps locked, few hands, and perhaps something to be done to a thing."""

import random
from collections.abc import Iterator
from typing import Any

from agentrefine_lib.teachers.embedded import mechanic
from agentrefine_lib.teachers.embedded.mechanic import Command, Fact, Refusal, Step
from agentrefine_lib.teachers.embedded.names import Names

HANDS = ""  # where a thing is that the Player holds


class World(mechanic.World):
    def __init__(self, rng: random.Random, variant: random.Random, names: Names) -> None:
        has_lock, has_work = variant.random() < 0.35, variant.random() < 0.35
        self.capacity = variant.choice((1, 1, 2, 3))
        shut = names.draw("cases", rng.randint(1, 3))
        self.spots = names.draw("spots", rng.randint(2, 4)) + shut
        rng.shuffle(self.spots)
        self.closed = set(shut)
        things = names.draw("things", rng.randint(3, 5))
        self.at = {thing: rng.choice(self.spots) for thing in things}
        wanted = things[: rng.choice((1, 2, 2))]
        goal = rng.choice(self.spots)
        self.aims = [("at", thing, goal) for thing in wanted]
        for thing in wanted:
            self.at[thing] = rng.choice([spot for spot in self.spots if spot != goal])
        self.lock, self.key, self.work, self.station = "", "", "", ""
        if has_lock:
            self.key = names.one("keys", "traits")
            self.lock = next((self.at[t] for t in wanted if self.at[t] in shut), shut[0])
            self.at[self.key] = rng.choice([spot for spot in self.spots if spot != self.lock])
        if has_work:
            _, self.station, self.work = names.work()
            self.aims.insert(0, ("treated", wanted[0], self.work))
        self.unused = (*["unlock"] * (not has_lock), *["treat"] * (not has_work))
        self.here, self.treated = "", set[str]()
        self.rules = [("looking",), ("limit", f"{self.capacity} thing{'s' * (self.capacity > 1)}")]

    def names(self, slot: str) -> list[str]:
        return list(self.at) if slot == "thing" else [*self.spots, *filter(None, [self.station])]

    def opening(self) -> list[Fact]:
        station: list[Fact] = [("station", self.station, self.work)] if self.station else []
        return [("place", spot) for spot in self.spots] + station + self._hands()

    def scene(self) -> list[Fact]:
        return [("here", self.here), *self._contents(), *self._hands()] if self.here else self.opening()

    def _hands(self) -> list[Fact]:
        return [("held", thing) for thing in self._held()] or [("no_hand",)]

    def _held(self) -> list[str]:
        return [thing for thing, at in self.at.items() if at == HANDS]

    def _contents(self) -> list[Fact]:
        if self.here in self.closed:
            return [("locked", self.here, self.key) if self.here == self.lock else ("closed", self.here)]
        inside: list[Fact] = [("lies", thing, self.here) for thing, at in self.at.items() if at == self.here]
        return inside or [("bare", self.here)]

    def faults(self, command: Command) -> Iterator[object]:
        match command:
            case ("go", spot):
                yield spot == self.here and Refusal("no_effect", ("here_already", spot))
            case ("open", spot):
                yield spot != self.here and Refusal("place", ("not_here", spot))
                yield spot not in self.closed and Refusal("no_effect", ("not_closed", spot))
                yield spot == self.lock and Refusal("precondition", ("locked", spot, self.key))
            case ("unlock", spot, key):
                yield spot != self.here and Refusal("place", ("not_here", spot))
                yield spot != self.lock and Refusal("no_effect", ("not_locked", spot))
                yield self.at[key] != HANDS and Refusal("precondition", ("not_held", key))
                yield key != self.key and Refusal("precondition", ("unfit", spot, key))
            case ("treat", thing, *spots):
                yield self.at[thing] != HANDS and Refusal("precondition", ("not_held", thing))
                yield spots not in ([], [self.station]) and Refusal("precondition", ("no_station", *spots))
                yield self.here != self.station and Refusal("place", ("not_here", self.station))
                yield thing in self.treated and Refusal("no_effect", ("done_already", thing, self.work))
            case ("take" | "put" as operation, thing, *spots):
                held, takes = self._held(), operation == "take"
                yield takes and thing in held and Refusal("no_effect", ("held_already", thing))
                yield not takes and thing not in held and Refusal("precondition", ("not_held", thing))
                elsewhere = not self.here or spots not in ([], [self.here])
                yield elsewhere and Refusal("place", ("not_here", *spots) if spots else ("at_no_place",))
                yield self.here in self.closed and Refusal("precondition", ("closed", self.here))
                yield takes and self.at[thing] != self.here and Refusal("absent", ("not_at", thing, self.here))
                yield takes and len(held) >= self.capacity and Refusal("precondition", ("full", held[0]))

    def act(self, command: Command) -> list[Fact]:
        match command:
            case ("go", spot):
                self.here = spot
                return [("here", spot), *self._contents()]
            case ("open", spot):
                self.closed.discard(spot)
                return [("opened", spot), *self._contents()]
            case ("unlock", spot, _):
                self.lock = ""
                return [("unlocked", spot)]
            case ("take", thing, *_):
                self.at[thing] = HANDS
                return [("took", thing)]
            case ("put", thing, *_):
                self.at[thing] = self.here
                return [("put", thing, self.here)]
        self.treated.add(command[1])
        return [("treated", command[1], self.work)]

    def holds(self, aim: Fact) -> bool:
        return aim[1] in self.treated if aim[0] == "treated" else self.at[aim[1]] == aim[2]

    def layout(self) -> dict[str, Any]:
        state = dict.fromkeys(self.names("place"), "open") | dict.fromkeys(self.closed, "closed")
        state |= {self.lock: "locked"} if self.lock else {}
        inside = {spot: [thing for thing, at in self.at.items() if at == spot] for spot in state}
        return {spot: {"state": state[spot], "things": things} for spot, things in inside.items()}

    def expert(self) -> mechanic.Expert:
        return Expert(self.aims, self.capacity)


class Expert(mechanic.Expert):
    def __init__(self, aims: list[Fact], capacity: int) -> None:
        self.aims, self.capacity, self.station, self.here = aims, capacity, "", ""
        self.spots, self.at = list[str](), dict[str, str]()
        self.shut: dict[str, str] = {}  # closed place → the key it needs, or ""
        self.known, self.treated = set[str](), set[str]()  # places whose things were seen; things

    def saw(self, fact: Fact) -> None:
        match fact:
            case ("place", spot):
                self.spots += [spot] if spot not in self.spots else []
            case ("station", spot, _):
                self.station = spot
            case ("here", spot):
                self.here = spot
            case ("lies", thing, spot):
                self.at[thing] = spot
                self.known.add(spot)
            case ("bare", spot):
                self.known.add(spot)
            case ("closed" | "unlocked", spot):
                self.shut[spot] = ""
            case ("locked", spot, key):
                self.shut[spot] = key
            case ("opened", spot):
                del self.shut[spot]
            case ("took", thing):
                self.at[thing] = HANDS
            case ("put", thing, spot):
                self.at[thing] = spot
            case ("treated", thing, _):
                self.treated.add(thing)

    def next(self) -> Step:
        """Treat first, then bring; what has to be found is looked for place by place."""
        for kind, thing, value in self.aims:
            if kind == "treated" and thing not in self.treated:
                return self._fetch(thing) or self._walk(("treat", thing, self.station), ("must_be", thing, value))
            if kind == "at" and self.at.get(thing) != value:
                return self._fetch(thing) or self._walk(("put", thing, value), ("belongs", thing, value))
        raise ValueError("the goal is reached: there is no next step")

    def _walk(self, last: Command, why: Fact) -> Step:
        """Go to a place and open it, so that the last command is possible."""
        _, thing, spot = last
        if (key := self.shut.get(spot)) and (step := self._fetch(key)):
            return step
        fact: Fact = ("was_seen", thing, spot) if last[0] == "take" else ("held", thing)
        if self.here != spot:
            return Step(("go", spot), why, fact, ("not_here", spot), last, thing)
        return self._open(spot, thing, why, last) if spot in self.shut else Step(last, why, fact, None, None, thing)

    def _fetch(self, thing: str) -> Step | None:
        """The next step on the way to a thing, or None when it is in the hands."""
        at = self.at.get(thing)
        if at == HANDS:
            return None
        if at is None:
            return self._search(thing)
        held = [name for name, where in self.at.items() if where == HANDS]
        if len(held) >= self.capacity and self.here == at:
            return Step(("put", held[0], at), ("free_hand", thing), ("held", held[0]), None, ("take", thing, at), thing)
        return self._walk(("take", thing, at), ("wanted", thing))

    def _open(self, spot: str, thing: str, why: Fact, then: Command | None) -> Step:
        key = self.shut[spot]
        if not key:
            return Step(("open", spot), why, ("closed", spot), None, then, thing, explores=then is None)
        fits: Fact = ("fits", key, spot)
        return self._fetch(key) or Step(("unlock", spot, key), fits, ("held", key), None, ("open", spot), spot)

    def _search(self, thing: str) -> Step:
        """One more look: in what is shut here, at a new place, or in what is locked."""
        if self.here in self.shut and not self.shut[self.here]:
            return self._open(self.here, thing, ("may_hide", thing), None)
        lack: Fact = ("not_there", thing, self.here) if self.here in self.known else ("unseen", thing)
        new = [spot for spot in self.spots if spot not in self.known and not self.shut.get(spot)]
        if new:
            return Step(("go", new[0]), ("may_be", thing, new[0]), None, lack, None, thing, explores=True)
        locked = next(spot for spot in self.shut if spot not in self.known)
        key = self.shut[locked]
        if key and (step := self._fetch(key)):
            return step
        if self.here != locked:
            why: Fact = ("fits", key, locked) if key else ("may_be", thing, locked)
            return Step(("go", locked), why, ("locked", locked, key) if key else ("closed", locked), None, None, thing)
        return self._open(locked, thing, ("may_hide", thing), None)
