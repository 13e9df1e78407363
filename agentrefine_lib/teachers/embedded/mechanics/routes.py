"""A vehicle between stops: roads are told where they begin and cost fuel; cargo has to get to its stops."""

import random
from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise
from typing import Any

from agentrefine_lib.teachers.embedded import mechanic
from agentrefine_lib.teachers.embedded.mechanic import Command, Fact, Refusal, Step
from agentrefine_lib.teachers.embedded.names import Names, load_words

Roads = dict[tuple[str, str], int]  # from, to → length
ABOARD = ""  # where cargo is that the vehicle carries


def find_path(roads: Roads, start: str, goals: Collection[str]) -> list[str]:
    """The stops of the shortest way to one of the goals, the start among them; [] where no way is known."""
    best = {start: (0, [start])}
    for _ in roads:
        for (one, other), length in roads.items():
            if one in best and (other not in best or best[one][0] + length < best[other][0]):
                best[other] = (best[one][0] + length, [*best[one][1], other])
    return min((best[goal] for goal in goals if goal in best), default=(0, list[str]()))[1]


class World(mechanic.World):
    def __init__(self, rng: random.Random, variant: random.Random, names: Names) -> None:
        words = load_words("mechanics/routes")
        fuelled, guided, towns = [variant.random() < 0.6 for _ in range(3)]
        self.unit, self.capacity, count = variant.choice(words["units"]), variant.choice((1, 1, 2)), rng.randint(4, 6)
        self.stops = names.draw("towns", count) if towns else rng.sample(words["stops"], count)
        self.roads, self.here = Roads(), rng.choice(self.stops)
        pairs = [[rng.choice(self.stops[:index]), self.stops[index]] for index in range(1, count)]
        for one, other in [*pairs, *(rng.sample(self.stops, 2) for _ in range(2))]:
            self.roads[one, other] = self.roads[other, one] = rng.randrange(10, 45, 5)
        self.at = {thing: rng.choice(self.stops) for thing in names.draw("things", rng.randint(2, 3))}
        wanted = list(self.at)[: rng.choice((1, 2, 2))]
        self.aims = [("at", t, rng.choice([stop for stop in self.stops if stop != self.at[t]])) for t in wanted]
        self.tank, self.fuel = fuelled * rng.choice((50, 60, 80)), rng.choice((0, 10, 20, 30))
        self.rules = [("limit", rng.choice(words["vehicles"]), f"{self.capacity} thing{'s' * (self.capacity > 1)}")]
        self.rules += [("tank", f"{self.tank} {self.unit}")] if fuelled else []
        self.unused = (*["refuel"] * (not fuelled), *["ask"] * (not guided))

    def names(self, slot: str) -> list[str]:
        return list(self.at) if slot == "thing" else self.stops

    def scene(self) -> list[Fact]:
        told: list[Fact] = [("here", self.here), *self._told(pair for pair in self.roads if pair[0] == self.here)]
        told += [("waits", thing, self.here) for thing, at in self.at.items() if at == self.here]
        told += [("fuel", f"{self.fuel} {self.unit}")] if self.tank else []
        return told + [("aboard", thing) for thing, at in self.at.items() if at == ABOARD]

    def _told(self, pairs: Iterable[tuple[str, str]]) -> list[Fact]:
        return [("road", *pair, f"{self.roads[pair]} {self.unit}") for pair in pairs]

    def faults(self, command: Command) -> Iterator[object]:
        load = [name for name, at in self.at.items() if at == ABOARD]
        match command:
            case ("refuel",):
                yield self.fuel == self.tank and Refusal("no_effect", ("full_tank",))
            case ("ask", stop):
                yield stop == self.here and Refusal("no_effect", ("here", stop))
            case ("drive", stop):
                yield stop == self.here and Refusal("no_effect", ("here", stop))
                yield (self.here, stop) not in self.roads and Refusal("place", ("no_road", self.here, stop))
                short = self.tank and self.fuel < self.roads[self.here, stop]
                yield short and Refusal("precondition", ("short", f"{self.fuel} {self.unit}"))
            case ("unload", thing):
                yield thing not in load and Refusal("precondition", ("not_aboard", thing))
            case ("load", thing):
                yield thing in load and Refusal("no_effect", ("aboard", thing))
                yield self.at[thing] != self.here and Refusal("absent", ("not_at", thing, self.here))
                yield len(load) >= self.capacity and Refusal("precondition", ("full", load[0]))

    def act(self, command: Command) -> list[Fact]:
        match command:
            case ("drive", stop):
                self.fuel -= self.roads[self.here, stop]
                self.here = stop
                return [fact for fact in self.scene() if fact[0] != "aboard"]
            case ("refuel",):
                self.fuel = self.tank
                return [("fuel", f"{self.fuel} {self.unit}")]
            case ("ask", stop):
                return self._told(pairwise(find_path(self.roads, self.here, [stop])))
        operation, thing = command
        self.at[thing] = ABOARD if operation == "load" else self.here
        return [("loaded", thing) if operation == "load" else ("unloaded", thing, self.here)]

    def holds(self, aim: Fact) -> bool:
        return self.at[aim[1]] == aim[2]

    def layout(self) -> dict[str, Any]:
        roads = {" - ".join(pair): length for pair, length in self.roads.items()}
        return {"start": self.here, "roads": roads, "cargo": self.at}

    def expert(self) -> mechanic.Expert:
        return Expert(self.aims, self.capacity, "ask" not in self.unused)


class Expert(mechanic.Expert):
    """Keeps a map of the roads that it has heard of, and takes the shortest way on it."""

    def __init__(self, aims: list[Fact], capacity: int, guided: bool) -> None:
        self.aims, self.capacity, self.guided = {thing: stop for _, thing, stop in aims}, capacity, guided
        self.roads, self.words = Roads(), dict[tuple[str, str], Fact]()  # the roads that were told, and how
        self.at, self.seen, self.here, self.fuel = dict[str, str](), set[str](), "", ""

    def saw(self, fact: Fact) -> None:
        match fact:
            case ("here", stop):
                self.here, self.seen = stop, self.seen | {stop}
            case ("road", one, other, length):
                self.roads[one, other] = self.roads[other, one] = int(length.split()[0])
                self.words[one, other] = fact
            case ("waits" | "unloaded", thing, stop):
                self.at[thing] = stop
            case ("loaded", thing):
                self.at[thing] = ABOARD
            case ("fuel", length):
                self.fuel = length

    def next(self) -> Step:
        held = [thing for thing, at in self.at.items() if at == ABOARD]
        for thing in held:
            if self.aims.get(thing, self.here) == self.here:
                due = ("belongs", thing, self.here) if thing in self.aims else ("unasked", thing)
                return Step(("unload", thing), due, ("aboard", thing), None, None, thing)
        left = [thing for thing, stop in self.aims.items() if self.at.get(thing) != stop]
        for thing in left:
            if self.at.get(thing) == self.here and len(held) < self.capacity:
                return Step(("load", thing), ("belongs", thing, self.aims[thing]), ("waits", thing, self.here))
        goals = {self.aims[t]: t for t in held} or {self.at[t]: t for t in left if t in self.at}
        path = find_path(self.roads, self.here, goals)
        if goals and not path and self.guided:
            return Step(("ask", min(goals)), ("unheard", min(goals)), None, None, None, min(goals), explores=True)
        path = path or find_path(self.roads, self.here, {stop for stop, _ in self.roads} - self.seen)
        drive, thing = ("drive", path[1]), goals.get(path[-1], left[0])
        if self.fuel and int(self.fuel.split()[0]) < self.roads[self.here, path[1]]:
            return Step(("refuel",), ("short", self.fuel), ("fuel", self.fuel), None, drive)
        if path[-1] not in goals:
            lack = ("unheard", min(goals)) if goals else ("unseen", thing)
            return Step(drive, ("new", path[-1]), self.words[self.here, path[1]], lack, explores=True)
        why = ("belongs" if held else "waits", thing, path[-1])
        fact: Fact = ("on_way", path[1], path[-1]) if len(path) > 2 else self.words[self.here, path[1]]
        then = ("drive", path[2]) if len(path) > 2 else ("unload" if held else "load", thing)
        return Step(drive, why, fact, None, then, thing)
