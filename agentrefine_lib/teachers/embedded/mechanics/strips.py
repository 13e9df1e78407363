"""Random STRIPS domains: operators with preconditions and effects, told as rules, and a planner as the expert."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from heapq import heappop, heappush
from itertools import product
from typing import Any, NamedTuple

from agentrefine_lib.teachers.embedded import mechanic
from agentrefine_lib.teachers.embedded.mechanic import Command, Fact, Kind, NoPlanError, Refusal, Rule, Step
from agentrefine_lib.teachers.embedded.names import Names, load_words

STATES = 1_500  # that a search looks at, at most
SLOTS = {  # kind of parameter → types of the families
    "vehicle": "v",
    "room": "p",
    "thing": "x",
    "tool": "t",
    "place": "f",
    "vessel": "u",
    "substance": "q",
    "device": "mns",
    "cable": "c",
    "person": "h",
    "permit": "k",
    "surface": "xb",
}
UNIONS = {"d": "ns", "y": "xb"}  # types of parameters that are more than one type of thing


@lru_cache
def facts_of(text: str) -> tuple[Fact, ...]:
    """ "at 0 1, room 1" → (("at", "0", "1"), ("room", "1"))"""
    return tuple(tuple(fact.split()) for fact in text.split(", ") if fact)


def _with(values: Sequence[str], text: str) -> list[Fact]:
    return [(name, *[values[int(index)] for index in indices]) for name, *indices in facts_of(text)]


class Ground(NamedTuple):
    """An operator with its arguments: what it needs, makes so and ends."""

    needs: frozenset[Fact]
    makes: frozenset[Fact]
    ends: frozenset[Fact]


class World(mechanic.World):
    def __init__(self, rng: random.Random, variant: random.Random, names: Names) -> None:
        families = load_words("mechanics/strips")["families"]
        chosen = variant.sample(sorted(families), variant.choice((1, 1, 2)))
        if chosen == ["piles"]:  # too short alone
            chosen = ["piles", "tools"]
        if "circuit" in chosen:  # so many ways to lay cables that a search for more than that takes long
            chosen = ["circuit"]
        chosen.sort(key=lambda name: name != "piles")  # it needs the most things, and families share theirs
        self.objects: dict[str, list[str]] = {}
        self.state: set[Fact] = set()
        self.grounds: dict[Command, Ground] = {}
        self.aims, self.rules = [], []
        for name in chosen:
            family = families[name]
            for letter, (kind, least, most) in family["types"].items():
                count = most if len(chosen) == 1 else rng.randint(least, most)
                self.objects[letter] = self.objects.get(letter) or names.draw(kind, count)
            if name == "piles":
                self.aims += self._pile(rng)
            else:
                self.state |= set(self._each(rng, family["start"]))
                goals = [fact for fact in self._each(rng, family["goal"]) if fact not in self.state]
                self.aims += goals[: rng.choice((2, 2, 3))]
            for operation, operator in family["operators"].items():
                values = [_with("XYZ", operator[part]) for part in Ground._fields]
                self.rules.append(Rule((operation, *"XYZ"[: len(operator["of"])]), *values))
                self.grounds |= self._ground(operation, operator)
        used = {rule.command[0] for rule in self.rules if isinstance(rule, Rule)}
        self.unused = tuple(sorted({name for family in families.values() for name in family["operators"]} - used))
        self.start = sorted(self.state)
        rng.shuffle(self.start)

    def _each(self, rng: random.Random, text: str) -> Iterator[Fact]:
        """Facts for every object of a type; a type with "?" is any one of it."""
        for name, *types in facts_of(text):
            for objects in product(*([None] if kind.endswith("?") else self.objects[kind] for kind in types)):
                values = [one or rng.choice(self.objects[kind[0]]) for one, kind in zip(objects, types, strict=True)]
                yield (name, *values)

    def _pile(self, rng: random.Random) -> list[Fact]:
        """Things in heaps on the first two spots, and an order in which they have to lie on the last."""
        spots, things = self.objects["b"], self.objects["x"]
        top = {spot: spot for spot in spots}
        for thing in rng.sample(things, len(things)):
            spot = rng.choice(spots[:2])
            self.state.add(("lies_on", thing, top[spot]))
            top[spot] = thing
        self.state |= {("bare", name) for name in top.values()}
        order = rng.sample(things, 2)
        return [("lies_on", order[0], spots[-1]), ("lies_on", order[1], order[0])]

    def _ground(self, operation: str, operator: dict[str, str]) -> dict[Command, Ground]:
        types = [UNIONS.get(letter, letter) for letter in operator["of"]]
        pools = [[name for letter in kinds for name in self.objects.get(letter, ())] for kinds in types]
        return {
            (operation, *values): Ground(*(frozenset(_with(values, operator[part])) for part in Ground._fields))
            for values in product(*pools)
            if len(set(values)) == len(values)
        }

    def names(self, slot: str) -> list[str]:
        return [name for letter in SLOTS[slot] for name in self.objects.get(letter, ())]

    def scene(self) -> list[Fact]:
        return [fact for fact in self.start if fact in self.state] + sorted(self.state - set(self.start))

    def check(self, command: Command) -> Refusal | None:
        ground = self.grounds.get(command)
        if ground is None:
            return Refusal("precondition", ("unfit", command[1]))
        if ground.makes <= self.state:
            return Refusal("no_effect", ("already", *min(ground.makes)))
        missing = sorted(ground.needs - self.state)
        kind: Kind = "place" if missing and missing[0][0] == "at" else "precondition"
        return Refusal(kind, ("not", *missing[0])) if missing else None

    def act(self, command: Command) -> list[Fact]:
        ground, before = self.grounds[command], self.state
        self.state = before - ground.ends | ground.makes
        return sorted(ground.makes - before)

    def commands(self, slots: dict[str, tuple[str, ...]]) -> Iterator[Command]:
        yield from self.grounds

    def holds(self, aim: Fact) -> bool:
        return aim in self.state

    def layout(self) -> dict[str, Any]:
        held = defaultdict[str, list[list[str]]](list)
        for name, *values in self.start:
            held[name].append(values)
        return held

    def expert(self) -> mechanic.Expert:
        return Expert(self.aims, self.grounds)


class Expert(mechanic.Expert):
    """Knows the rules; what is so it was told in the beginning, and what it does itself changes that."""

    def __init__(self, aims: list[Fact], grounds: dict[Command, Ground]) -> None:
        self.aims, self.grounds = frozenset(aims), grounds
        self.state: frozenset[Fact] = frozenset()
        self.plan: list[Command] = []

    def notice(self, facts: Iterable[Fact]) -> None:
        self.state |= frozenset(facts)

    def did(self, command: Command) -> None:
        ground = self.grounds[command]
        self.state = self.state - ground.ends | ground.makes
        self.plan = self.plan[1:] if self.plan[:1] == [command] else []

    def next(self) -> Step:
        self.plan = self.plan or find_plan(self.state, self.aims, self.grounds)
        if not self.plan:
            raise NoPlanError("no few commands reach the goal")
        command, *later = self.plan
        ground = self.grounds[command]
        new, open_aims = ground.makes - self.state, sorted(self.aims - self.state)
        met = sorted(new & self.aims)
        uses = [(after, fact) for after in later for fact in sorted(self.grounds[after].needs & new)]
        then = uses[0][0] if uses else None
        why: Fact = ("aim", *met[0]) if met else ("makes", *(uses[0][1] if uses else min(new)))
        known = sorted(ground.needs & self.state, key=lambda fact: (-len(fact), fact))
        return Step(command, why, known[0] if known else None, ("not", *open_aims[0]), then, (met or open_aims)[0][1])


def find_plan(state: frozenset[Fact], aims: frozenset[Fact], grounds: dict[Command, Ground]) -> list[Command]:
    """Few commands that reach the aims: a search, best first, over sets written as bits; [] if it finds none."""
    bit: dict[Fact, int] = {}

    def bits(facts: Iterable[Fact]) -> int:
        return sum(1 << bit.setdefault(fact, len(bit)) for fact in sorted(facts))

    rows = [(command, bits(g.needs), bits(g.makes), ~bits(g.ends)) for command, g in grounds.items()]
    start, goal = bits(state), bits(aims)
    before: dict[int, tuple[int, Command]] = {start: (start, ())}
    queue = [(0, 0, start)]  # estimate, commands so far, state
    while queue and len(before) < STATES:
        _, taken, at = heappop(queue)
        if at & goal == goal:
            plan = []
            while at != start:
                at, command = before[at]
                plan.append(command)
            return plan[::-1]
        for command, need, add, cut in rows:
            if at & need == need and (after := at & cut | add) not in before:
                before[after] = (at, command)
                heappush(queue, (taken + 1 + 2 * (goal & ~after).bit_count(), taken + 1, after))
    return []
