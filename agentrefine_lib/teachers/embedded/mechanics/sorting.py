"""Things in an order: a row to be sorted by swapping, or lanes that are taken from in front and added to behind."""

import random
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from agentrefine_lib.teachers.embedded import mechanic
from agentrefine_lib.teachers.embedded.mechanic import Command, Fact, Refusal, Step
from agentrefine_lib.teachers.embedded.names import Names, load_words


class World(mechanic.World):
    def __init__(self, rng: random.Random, variant: random.Random, names: Names) -> None:
        words = load_words("mechanics/sorting")
        hidden, row = [variant.random() < 0.6 for _ in range(2)]
        things = names.draw("things", rng.randint(4, 5) if row else rng.randint(3, 5))
        if row:
            self.lanes = {names.one("spots"): things}
            marks = rng.sample(words["numbers" if variant.random() < 0.6 else "letters"], len(things))
            self.aims = [("sorted", *self.lanes)]
        else:
            lane, count = variant.choice(words["lanes"]), variant.choice((2, 2, 3))
            places = [f"{lane} {number + 1}" for number in range(count)] if lane else names.draw("spots", count)
            cuts = sorted(rng.choices(range(len(things) + 1), k=count - 1))
            pieces = pairwise([0, *cuts, len(things)])
            self.lanes = {place: things[start:end] for place, (start, end) in zip(places, pieces, strict=True)}
            drawn = rng.sample(variant.choice(words["marks"]), count)
            marks = [*rng.sample(drawn, 2), *rng.choices(drawn, k=len(things) - 2)]
            rng.shuffle(marks)
            self.aims = [("grouped", *pair) for pair in zip(drawn, places, strict=True) if pair[0] in marks]
        self.mark = dict(zip(things, marks, strict=True))
        self.held, self.known = "", set[str]() if hidden else set(things)
        self.rules = [*[("close_look",)] * hidden, ("neighbours" if row else "queue",)]
        self.unused = (*(["pop", "push"] if row else ["swap"]), *["inspect"] * (not hidden))

    def names(self, slot: str) -> list[str]:
        return list(self.lanes if slot == "place" else self.mark)

    def scene(self) -> list[Fact]:
        rows = [fact for lane in self.lanes for fact in self._row(lane)]
        marks: list[Fact] = [("marked", *item) for item in self.mark.items() if item[0] in self.known]
        return [*rows, *marks, *([("held", self.held)] if self.held else [])]

    def _row(self, lane: str) -> list[Fact]:
        return [("stands", thing, lane) for thing in self.lanes[lane]] or [("void", lane)]

    def faults(self, command: Command) -> Iterator[object]:
        match command:
            case ("inspect", thing):
                yield thing in self.known and Refusal("no_effect", ("inspected", thing))
            case ("swap", one, other):
                row = self.lanes[self.aims[0][1]]
                yield one == other and Refusal("no_effect", ("same", one))
                yield abs(row.index(one) - row.index(other)) > 1 and Refusal("place", ("apart", one, other))
            case ("push", _):
                yield not self.held and Refusal("precondition", ("empty_hands",))
            case ("pop", lane):
                yield self.held and Refusal("precondition", ("held", self.held))
                yield not self.lanes[lane] and Refusal("absent", ("void", lane))

    def act(self, command: Command) -> list[Fact]:
        match command:
            case ("inspect", thing):
                self.known.add(thing)
                return [("marked", thing, self.mark[thing])]
            case ("swap", one, other):
                lane, turned = self.aims[0][1], {one: other, other: one}
                self.lanes[lane] = [turned.get(thing, thing) for thing in self.lanes[lane]]
                return [("swapped", one, other), *self._row(lane)]
            case ("pop", lane):
                self.held = self.lanes[lane].pop(0)
                return [("popped", self.held, lane), *self._row(lane)]
        told, lane, self.held = self.held, command[1], ""
        self.lanes[lane].append(told)
        return [("pushed", told, lane), *self._row(lane)]

    def holds(self, aim: Fact) -> bool:
        if aim[0] == "grouped":
            return all(thing in self.lanes[aim[2]] for thing, mark in self.mark.items() if mark == aim[1])
        return all(self.mark[one] < self.mark[other] for one, other in pairwise(self.lanes[aim[1]]))

    def layout(self) -> dict[str, Any]:
        return {lane: {thing: self.mark[thing] for thing in things} for lane, things in self.lanes.items()}

    def expert(self) -> mechanic.Expert:
        return Expert(self.aims)


class Expert(mechanic.Expert):
    """Sees the order of everything; where marks are hidden it looks at one thing after the other."""

    def __init__(self, aims: list[Fact]) -> None:
        self.row, self.held = aims[0][1] if aims[0][0] == "sorted" else "", ""
        self.homes = {} if self.row else {mark: lane for _, mark, lane in aims}
        self.lanes, self.mark = dict[str, list[str]](), dict[str, str]()

    def notice(self, facts: Iterable[Fact]) -> None:
        facts = list(facts)
        self.lanes |= {fact[-1]: [] for fact in facts if fact[0] in ("stands", "void")}
        super().notice(facts)

    def saw(self, fact: Fact) -> None:
        match fact:
            case ("stands", thing, lane):
                self.lanes[lane].append(thing)
            case ("marked", thing, mark):
                self.mark[thing] = mark
            case ("popped", thing, _):
                self.held = thing
            case ("pushed", *_):
                self.held = ""

    def next(self) -> Step:
        if self.row:
            return self._swap()
        if self.held:
            return self._inspect(self.held) or self._push(self.held, self.mark[self.held])
        wrong = [(i, lane) for lane, row in self.lanes.items() for i, t in enumerate(row) if self._home(t) != lane]
        index, lane = min(wrong)
        first, thing = self.lanes[lane][0], self.lanes[lane][index]
        if step := self._inspect(thing) or self._inspect(first):
            return step
        why: Fact = ("before", first, thing) if index else ("first", thing, lane)
        fact: Fact = ("marked", thing, self.mark[thing])
        return Step(("pop", lane), why, fact, ("misplaced", thing, lane), ("push", self._home(first)))

    def _home(self, thing: str) -> str:
        return self.homes.get(self.mark.get(thing, ""), "")

    def _inspect(self, thing: str) -> Step | None:
        step = Step(("inspect", thing), ("unknown", thing), ("close_look",), explores=True)
        return step if thing not in self.mark else None

    def _push(self, thing: str, mark: str) -> Step:
        home, fact = self.homes[mark], ("marked", thing, mark)
        return Step(("push", home), ("belongs", mark, home), fact, ("homeless", thing))

    def _swap(self) -> Step:
        """The first two neighbours that stand the wrong way round, or whose marks are unknown."""
        mark = self.mark
        pairs = pairwise(self.lanes[self.row])
        one, other = next(pair for pair in pairs if not mark.keys() >= set(pair) or mark[pair[0]] > mark[pair[1]])
        if step := self._inspect(one) or self._inspect(other):
            return step
        why, fact = ("comes_first", mark[other], mark[one]), ("stands_first", mark[one], mark[other])
        return Step(("swap", one, other), why, fact, ("unsorted", self.row))
