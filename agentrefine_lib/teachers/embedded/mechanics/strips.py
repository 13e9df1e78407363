"""Random STRIPS domains: operators with preconditions and effects, told as rules, and a planner as the expert."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from heapq import heappop, heappush
from itertools import product
from typing import NamedTuple

from pydantic import JsonValue

from agentrefine_lib.teachers.embedded import mechanic
from agentrefine_lib.teachers.embedded.mechanic import Command, Fact, Kind, NoPlanError, Refusal, Rule, Step
from agentrefine_lib.teachers.embedded.names import Names

STATES = 1_500  # that a search looks at, at most


class Operator(NamedTuple):
    """``of``: the types of its parameters; facts name these by number: "at 0 1"."""

    of: str
    need: str
    add: str
    cut: str


class Family(NamedTuple):
    """``types``: letter → kind of names, least and most; ``start`` and ``goal``: facts for each thing, "?" for any."""

    types: dict[str, tuple[str, int, int]]
    operators: dict[str, Operator]
    start: str
    goal: str


FAMILIES = {
    "transport": Family(
        {"v": ("vehicles", 1, 1), "p": ("rooms", 3, 4), "x": ("things", 1, 2)},
        {
            "send": Operator("vpp", "at 0 1", "at 0 2", "at 0 1"),
            "load": Operator("xvp", "at 0 2, at 1 2, room 1", "aboard 0 1", "at 0 2, room 1"),
            "unload": Operator("xvp", "aboard 0 1, at 1 2", "at 0 2, room 1", "aboard 0 1"),
        },
        "at v p?, room v, at x p?",
        "at x p?",
    ),
    "tools": Family(
        {"t": ("tools", 2, 2), "f": ("spots", 1, 1), "x": ("things", 2, 3)},
        {
            "grip": Operator("t", "idle_hands", "grips 0", "idle_hands"),
            "drop": Operator("t", "grips 0", "idle_hands", "grips 0"),
            "mount": Operator("xft", "loose 0, calls_for 0 2, grips 2", "fixed 0 1", "loose 0"),
        },
        "idle_hands, loose x, calls_for x t?",
        "fixed x f?",
    ),
    "vessels": Family(
        {"u": ("vessels", 1, 2), "q": ("liquids", 1, 2), "f": ("cases", 1, 1)},
        {
            "fill": Operator("uq", "void 0, clean 0", "has 0 1", "void 0, clean 0"),
            "pour": Operator("uqf", "has 0 1", "got 2 1, void 0, soiled 0", "has 0 1"),
            "wash": Operator("u", "soiled 0, void 0", "clean 0", "soiled 0"),
        },
        "void u, soiled u",
        "got f? q",
    ),
    "stages": Family(
        {"m": ("devices", 1, 1), "x": ("things", 1, 2)},
        {
            "start": Operator("m", "cold 0", "running 0", "cold 0"),
            "soak": Operator("x", "raw 0", "soaked 0", "raw 0"),
            "dye": Operator("xm", "soaked 0, running 1", "dyed 0", "soaked 0"),
            "press": Operator("xm", "dyed 0, running 1", "pressed 0", "dyed 0"),
        },
        "cold m, raw x",
        "pressed x",
    ),
    "circuit": Family(
        {"n": ("devices", 2, 2), "c": ("cables", 2, 2), "s": ("devices", 1, 1)},
        {
            "boot": Operator("s", "source 0, dead 0", "live 0", "dead 0"),
            "link": Operator("cdd", "spare 0", "joins 0 1 2", "spare 0"),
            "unlink": Operator("cdd", "joins 0 1 2", "spare 0", "joins 0 1 2"),
            "feed": Operator("ddc", "live 1, joins 2 1 0, dead 0", "live 0", "dead 0"),
        },
        "source s, dead s, dead n, spare c",
        "live n",
    ),
    "permits": Family(
        {"h": ("people", 1, 2), "k": ("keys", 2, 2), "p": ("rooms", 1, 2)},
        {
            "apply": Operator("hk", "outside 0", "allowed 0 1", ""),
            "admit": Operator("hpk", "outside 0, asks_for 1 2, allowed 0 2", "inside 0 1", "outside 0"),
            "dismiss": Operator("hp", "inside 0 1", "outside 0", "inside 0 1"),
        },
        "outside h, asks_for p k?",
        "inside h p?",
    ),
    "piles": Family(
        {"x": ("things", 2, 3), "b": ("spots", 3, 3)},
        {"shift": Operator("xyy", "lies_on 0 1, bare 0, bare 2", "lies_on 0 2, bare 1", "lies_on 0 1, bare 2")},
        "",
        "",
    ),
}
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


@lru_cache
def _numbered(text: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((name, tuple(map(int, indices))) for name, *indices in facts_of(text))


def _with(values: Sequence[str], text: str) -> list[Fact]:
    """Facts with arguments for the numbers."""
    return [(name, *[values[index] for index in indices]) for name, indices in _numbered(text)]


class Ground(NamedTuple):
    """An operator with its arguments: what it needs, adds and cuts."""

    need: frozenset[Fact]
    add: frozenset[Fact]
    cut: frozenset[Fact]


class World(mechanic.World):
    def __init__(self, rng: random.Random, variant: random.Random, names: Names) -> None:
        chosen = variant.sample(sorted(FAMILIES), variant.choice((1, 1, 2)))
        if chosen == ["piles"]:  # too short alone
            chosen = ["piles", "tools"]
        if "circuit" in chosen:  # so many ways to lay cables that a search for more than that takes long
            chosen = ["circuit"]
        chosen.sort(key=lambda name: name != "piles")  # it needs the most things, and families share theirs
        self.objects: dict[str, list[str]] = {}
        self.state: set[Fact] = set()
        self.grounds: dict[Command, Ground] = {}
        self.aims, self.rules, unused = [], [], {name for family in FAMILIES.values() for name in family.operators}
        for name in chosen:
            family = FAMILIES[name]
            for letter, (kind, least, most) in family.types.items():
                count = most if len(chosen) == 1 else rng.randint(least, most)
                self.objects[letter] = self.objects.get(letter) or names.draw(kind, count)
            self.aims += self._pile(rng) if name == "piles" else self._begin(rng, family)
            unused -= set(family.operators)
            for operation, operator in family.operators.items():
                self.rules.append(self._rule(operation, operator))
                self.grounds |= self._ground(operation, operator)
        self.unused = tuple(sorted(unused))
        self.start = sorted(self.state)
        rng.shuffle(self.start)

    def _begin(self, rng: random.Random, family: Family) -> list[Fact]:
        self.state |= set(self._each(rng, family.start))
        goals = [fact for fact in self._each(rng, family.goal) if fact not in self.state]
        return goals[: rng.choice((2, 2, 3))]

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

    def _rule(self, operation: str, operator: Operator) -> Rule:
        names = ["XYZ"[index] for index in range(len(operator.of))]
        need, add, cut = (_with(names, text) for text in (operator.need, operator.add, operator.cut))
        return Rule((operation, *names), need, add, cut)

    def _ground(self, operation: str, operator: Operator) -> dict[Command, Ground]:
        grounds = {}
        types = [UNIONS.get(letter, letter) for letter in operator.of]
        pools = [[name for letter in kinds for name in self.objects.get(letter, ())] for kinds in types]
        for values in product(*pools):
            if len(set(values)) == len(values):
                need, add, cut = (frozenset(_with(values, text)) for text in operator[1:])
                grounds[operation, *values] = Ground(need, add, cut)
        return grounds

    def names(self, slot: str) -> list[str]:
        return [name for letter in SLOTS[slot] for name in self.objects.get(letter, ())]

    def scene(self) -> list[Fact]:
        return [fact for fact in self.start if fact in self.state] + sorted(self.state - set(self.start))

    def check(self, command: Command) -> Refusal | None:
        ground = self.grounds.get(command)
        if ground is None:
            return Refusal("precondition", ("unfit", command[1]))
        if ground.add <= self.state:
            return Refusal("no_effect", ("already", *min(ground.add)))
        missing = sorted(ground.need - self.state)
        kind: Kind = "place" if missing and missing[0][0] == "at" else "precondition"
        return Refusal(kind, ("not", *missing[0])) if missing else None

    def act(self, command: Command) -> list[Fact]:
        ground = self.grounds[command]
        new = sorted(ground.add - self.state)
        self.state = self.state - ground.cut | ground.add
        return list[Fact](new)

    def commands(self, slots: dict[str, tuple[str, ...]]) -> Iterator[Command]:
        yield from self.grounds

    def holds(self, aim: Fact) -> bool:
        return aim in self.state

    def layout(self) -> dict[str, JsonValue]:
        held: dict[str, JsonValue] = {}
        for name, *values in self.start:
            known = held.setdefault(name, [])
            assert isinstance(known, list)
            known.append(list[JsonValue](values))
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
        self.state = self.state - ground.cut | ground.add
        self.plan = self.plan[1:] if self.plan[:1] == [command] else []

    def next(self) -> Step:
        self.plan = self.plan or find_plan(self.state, self.aims, self.grounds)
        if not self.plan:
            raise NoPlanError("no few commands reach the goal")
        command, *later = self.plan
        ground = self.grounds[command]
        new, open_aims = ground.add - self.state, sorted(self.aims - self.state)
        met = sorted(new & self.aims)
        uses = [(after, fact) for after in later for fact in sorted(self.grounds[after].need & new)]
        then = uses[0][0] if uses else None
        why: Fact = ("aim", *met[0]) if met else ("makes", *(uses[0][1] if uses else min(new)))
        known = sorted(ground.need & self.state, key=lambda fact: (-len(fact), fact))
        return Step(command, why, known[0] if known else None, ("not", *open_aims[0]), then, (met or open_aims)[0][1])


def find_plan(state: frozenset[Fact], aims: frozenset[Fact], grounds: dict[Command, Ground]) -> list[Command]:
    """Few commands that reach the aims: a search, best first, over sets written as bits; [] if it finds none."""
    bit: dict[Fact, int] = {}

    def bits(facts: Iterable[Fact]) -> int:
        return sum(1 << bit.setdefault(fact, len(bit)) for fact in sorted(facts))

    rows = [(command, bits(g.need), bits(g.add), ~bits(g.cut)) for command, g in grounds.items()]
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
