"""Cells and facing: what lies ahead is told by its distance, and the expert keeps a map of where it has been."""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Callable, Iterable

from pydantic import JsonValue

from agentrefine_lib.teachers.embedded import mechanic
from agentrefine_lib.teachers.embedded.mechanic import Command, Fact, Refusal, Step
from agentrefine_lib.teachers.embedded.names import Names

Cell = tuple[int, int]
Pose = tuple[int, int, int]  # x, y, heading: 0 north, 1 east, 2 south, 3 west
HEADINGS = ((0, 1), (1, 0), (0, -1), (-1, 0))
TURNS = {"left": -1, "right": 1, "step": 0}
RANGE = 6  # squares to each side that are seen
GATES = ("gate", "hatch", "barrier", "portcullis", "turnstile", "shutter")
WAYS = (("{} ahead", " and {}"), ("{} straight on", ", {}"), ("{} forward", " + {}"))  # squares ahead, and to a side


def ahead_of(pose: Pose) -> Cell:
    return pose[0] + HEADINGS[pose[2]][0], pose[1] + HEADINGS[pose[2]][1]


def find_path(pose: Pose, goal: Cell, free: Callable[[Cell], bool], limit: int = 2000) -> list[str] | None:
    """The fewest moves after which one faces the goal; None where no free way leads there."""
    queue, before = deque([pose]), {pose: (pose, "")}
    while queue and len(before) < limit:
        at = queue.popleft()
        x, y, heading = at
        front = (x + HEADINGS[heading][0], y + HEADINGS[heading][1])
        if front == goal:
            moves = []
            while at != pose:
                at, move = before[at]
                moves.append(move)
            return moves[::-1]
        nexts = [((x, y, (heading - 1) % 4), "left"), ((x, y, (heading + 1) % 4), "right")]
        if free(front):
            nexts.insert(0, ((*front, heading), "step"))
        for pose_after, move in nexts:
            if pose_after not in before:
                before[pose_after] = (at, move)
                queue.append(pose_after)
    return None


class World(mechanic.World):
    def __init__(self, rng: random.Random, variant: random.Random, names: Names) -> None:
        self.strides = variant.random() < 0.6  # one walks up to things, not square by square
        self.way = variant.choice(WAYS)
        gated = variant.random() < 0.5
        kinds = ("faced", "have", "beside", "open") if gated else ("faced", "have", "beside")
        kind = variant.choice(kinds[1:3] if self.strides and gated else kinds[2:3] if self.strides else kinds)
        size = 4 if not self.strides else rng.randint(5, 7)
        self.width, self.height = size, size + gated
        self.gate = f"{rng.choice(names.words('traits'))} {variant.choice(GATES)}" if gated else ""
        self.wall, self.gap = (size // 2, rng.randrange(size)) if gated else (-1, -1)
        self.shut, self.held = True, ""
        cells = [(x, y) for x in range(self.width) for y in range(self.height) if not gated or abs(y - self.wall) > 1]
        rng.shuffle(cells)
        self.pose: Pose = (*cells.pop(), rng.randrange(4))
        things = names.draw("things", rng.randint(3, 5))
        self.at = dict(zip(things, cells, strict=False))
        self.faced = self._in_front()
        self.aims = [{"beside": ("beside", *things[:2]), "open": ("open", self.gate)}.get(kind, (kind, things[0]))]
        self.unused = (
            *(("step",) if self.strides and not gated else ()),
            *(() if self.strides else ("near",)),
            *(() if kind in ("have", "beside") else ("take",)),
            *(() if kind == "beside" else ("put",)),
            *(() if gated else ("open",)),
        )
        self.rules = [("squares",), ("distances",)]
        self.beside = ("", "")

    def names(self, slot: str) -> list[str]:
        return [*self.at, *filter(None, [self.held, self.gate])]

    def _cell(self, thing: str) -> Cell | None:
        return (self.gap, self.wall) if thing == self.gate and thing else self.at.get(thing)

    def _free(self, cell: Cell) -> bool:
        x, y = cell
        inside = 0 <= x < self.width and 0 <= y < self.height
        through = y != self.wall or (x == self.gap and not self.shut)
        return inside and through and cell not in self.at.values()

    def _in_front(self) -> str:
        cell = ahead_of(self.pose)
        return next((thing for thing in self.names("thing") if self._cell(thing) == cell), "")

    def _visible(self) -> list[tuple[str, int, int]]:
        """Things before the Player, nearest first: squares ahead and to the right. Walls hide what is behind them."""
        x, y, heading = self.pose
        forward, right = HEADINGS[heading], HEADINGS[(heading + 1) % 4]
        found = []
        for thing in [*self.at, *filter(None, [self.gate])]:
            cell = self._cell(thing)
            assert cell is not None
            dx, dy = cell[0] - x, cell[1] - y
            ahead, side = dx * forward[0] + dy * forward[1], dx * right[0] + dy * right[1]
            same_side = self.wall < 0 or thing == self.gate or (cell[1] - self.wall) * (y - self.wall) > 0
            if ahead >= 0 and (ahead, side) != (0, 0) and abs(side) <= RANGE and (same_side or y == self.wall):
                found.append((thing, ahead, side))
        return sorted(found, key=lambda seen: (seen[1] + abs(seen[2]), seen[0]))

    def _wall_ahead(self) -> int:
        cell, steps = ahead_of(self.pose), 1
        while (
            0 <= cell[0] < self.width and 0 <= cell[1] < self.height and (cell[1] != self.wall or cell[0] == self.gap)
        ):
            cell, steps = ahead_of((*cell, self.pose[2])), steps + 1
        return steps

    def _distance(self, ahead: int, aside: str) -> str:
        straight, further = self.way
        return straight.format(ahead) + (further.format(aside) if aside else "") if ahead else aside

    def scene(self) -> list[Fact]:
        view: list[Fact] = []
        for thing, ahead, side in self._visible():
            aside = f"{abs(side)} to the {'right' if side > 0 else 'left'}" if side else ""
            view.append(("ahead", thing, self._distance(ahead, aside)))
            if thing == self.gate:
                view.append(("gate_shut" if self.shut else "gate_open", thing))
        held: list[Fact] = [("held", self.held)] if self.held else []
        return [*view, ("wall", str(self._wall_ahead())), *held]

    def check(self, command: Command) -> Refusal | None:
        match command:
            case ("left",) | ("right",):
                return None
            case ("step",):
                return None if self._free(ahead_of(self.pose)) else Refusal("precondition", ("blocked",))
            case ("put", thing, *others):
                if thing != self.held:
                    return Refusal("precondition", ("not_held", thing))
                by = others[0] if others else self.aims[0][-1]
                return (
                    None
                    if self.faced and self.faced == (others or [self.faced])[0]
                    else Refusal("place", ("not_ahead", by))
                )
        operation, thing = command
        if thing == self.held:
            return Refusal("no_effect", ("carried", thing))
        if operation == "near" and thing == self.faced:
            return Refusal("no_effect", ("facing", thing))
        if operation == "near" and thing not in [seen for seen, *_ in self._visible()]:
            return Refusal("absent", ("not_in_sight", thing))
        if operation == "near":
            return Refusal("precondition", ("no_way", thing), seen=False) if self._path(thing) is None else None
        if operation == "open" and thing != self.gate:
            return Refusal("precondition", ("not_gate", thing))
        if thing != self.faced:
            return Refusal("place", ("not_ahead", thing))
        if operation == "open":
            return None if self.shut else Refusal("no_effect", ("open_already", thing))
        if thing == self.gate:
            return Refusal("precondition", ("fixed", thing))
        return Refusal("precondition", ("full", self.held)) if self.held else None

    def act(self, command: Command) -> list[Fact]:
        told: Fact = ("came", *command[1:])
        match command:
            case ("left" | "right" | "step" as move,):
                self._move(move)
                told = ("stepped",) if move == "step" else ("turned", move)
            case ("near", thing):
                for each in self._path(thing) or ():
                    self._move(each)
            case ("take", thing):
                del self.at[thing]
                self.held, told = thing, ("took", thing)
            case ("put", thing, *_):
                self.beside, self.held = (thing, self.faced), ""
                x, y, _ = self.pose  # it lies on a square beside the Player's own
                around = [(x + dx, y + dy) for dx, dy in HEADINGS]
                self.at[thing] = next((cell for cell in around if self._free(cell)), (x, y))
                told = ("put", *self.beside)
            case ("open", thing):
                self.shut, told = False, ("opened", thing)
        self.faced = self._in_front()
        return [told, *self.scene()]

    def _move(self, move: str) -> None:
        place = ahead_of(self.pose) if move == "step" else self.pose[:2]
        self.pose = (*place, (self.pose[2] + TURNS[move]) % 4)

    def _path(self, thing: str) -> list[str] | None:
        cell = self._cell(thing)
        return find_path(self.pose, cell, self._free) if cell else None

    def holds(self, aim: Fact) -> bool:
        kind, thing = aim[:2]
        if kind == "open":
            return not self.shut
        return {"faced": self.faced == thing, "have": self.held == thing, "beside": self.beside == aim[1:]}[kind]

    def layout(self) -> dict[str, JsonValue]:
        things: dict[str, JsonValue] = {thing: list[JsonValue](cell) for thing, cell in self.at.items()}
        gate: dict[str, JsonValue] = {self.gate: {"at": [self.gap, self.wall], "state": "shut"}} if self.gate else {}
        return {"floor": {"size": [self.width, self.height], "things": things, "gates": gate, "you": list(self.pose)}}

    def expert(self) -> mechanic.Expert:
        return Expert(self.aims[0], self.strides)


class Expert(mechanic.Expert):
    """Looks around by turning. Where it goes square by square it keeps a map: the start is (0, 0), facing north."""

    def __init__(self, aim: Fact, strides: bool) -> None:
        self.aim, self.strides = aim, strides
        self.pose: Pose = (0, 0, 0)
        self.at: dict[str, Cell] = {}
        self.walls: set[Cell] = set()
        self.gate, self.shut = "", True
        self.view: dict[str, tuple[int, int]] = {}  # what is ahead now: squares ahead and to the right
        self.words: dict[str, str] = {}  # the same as it was told
        self.wall_ahead = 9
        self.held, self.turns, self.passing = "", 0, 0
        self.leaving = False  # it has looked around, and goes through the gate

    def notice(self, facts: Iterable[Fact]) -> None:
        self.view, self.wall_ahead = {}, 9
        super().notice(facts)

    def saw(self, fact: Fact) -> None:
        match fact:
            case ("turned", way):
                self.pose = (*self.pose[:2], (self.pose[2] + TURNS[way]) % 4)
                self.turns += 1
            case ("stepped",):
                self.pose = (*ahead_of(self.pose), self.pose[2])
                self.turns, self.passing = 0, max(self.passing - 1, 0)
                self.leaving = self.leaving and self.passing > 0
            case ("came", _):
                self.turns = self.passing = 0
            case ("took", thing):
                self.held, self.turns = thing, 0
                self.at.pop(thing, None)
            case ("put", *_):
                self.held = ""
            case ("opened", _):
                self.shut, self.passing, self.turns = False, 2, 0
            case ("gate_shut" | "gate_open" as state, gate):
                self.gate, self.shut = gate, state == "gate_shut"
            case ("wall", steps):
                self.wall_ahead = int(steps)
                self.walls.add(self._cell(self.wall_ahead, 0))
            case ("ahead", thing, where):
                aside, ahead = re.search(r"(\d+) to the (left|right)", where), re.match(r"(\d+) (?!to the)", where)
                side = int(aside[1]) * TURNS[aside[2]] if aside else 0
                self.words[thing], self.view[thing] = where, (int(ahead[1]) if ahead else 0, side)
                self.at[thing] = self._cell(*self.view[thing])

    def _cell(self, ahead: int, side: int) -> Cell:
        x, y, heading = self.pose
        forward, right = HEADINGS[heading], HEADINGS[(heading + 1) % 4]
        return x + ahead * forward[0] + side * right[0], y + ahead * forward[1] + side * right[1]

    def _free(self, cell: Cell) -> bool:
        blocked = any(cell == at for thing, at in self.at.items() if thing != self.gate or self.shut)
        return not blocked and cell not in self.walls

    def next(self) -> Step:
        kind, thing = self.aim[:2]
        if kind == "open":
            return self._reach(thing, ("must_open", thing), ("open", thing))
        if kind == "faced":
            return self._reach(thing, ("wanted", thing), None)
        if self.held != thing:
            return self._reach(thing, ("wanted", thing), ("take", thing))
        return self._reach(self.aim[2], ("belongs", thing, self.aim[2]), ("put", thing, self.aim[2]))

    def _reach(self, thing: str, why: Fact, then: Command | None) -> Step:
        """Face a thing and do what is to be done there; look for it first, if it was not seen."""
        if self.view.get(thing) == (1, 0) and then:
            return Step(then, why, ("right_ahead", thing), None, None, thing)
        fact: Fact | None = ("ahead", thing, self.words[thing]) if thing in self.view else None
        if self.strides and thing in self.view:
            return Step(("near", thing), why, fact, ("not_ahead", thing), then, thing)
        path = None if self.strides or thing not in self.at else find_path(self.pose, self.at[thing], self._free)
        if path:
            move = path[0]
            reason: Fact = ("closer", thing) if move == "step" else ("on_side", thing, move)
            return Step((move,), reason, fact, ("not_ahead", thing), then if len(path) == 1 else None, thing)
        if self.passing and self._clear():
            return Step(("step",), ("beyond", thing, self.gate), None, ("elsewhere", thing), None, thing, explores=True)
        self.leaving = self.leaving or (self.turns >= 3 and self.gate != "")
        if self.leaving and thing != self.gate:
            return self._pass(thing)
        return Step(("right",), ("may_be", thing, "right"), None, ("elsewhere", thing), None, thing, explores=True)

    def _pass(self, thing: str) -> Step:
        """Get to the other side of the gate."""
        if self.view.get(self.gate) != (1, 0):
            return self._reach(self.gate, ("beyond", thing, self.gate), ("open", self.gate) if self.shut else None)
        if self.shut:
            why: Fact = ("beyond", thing, self.gate)
            return Step(("open", self.gate), why, ("right_ahead", self.gate), ("elsewhere", thing), ("step",), thing)
        self.passing = 2
        return Step(("step",), ("must_open", self.gate), ("gate_open", self.gate), None, None, thing, explores=True)

    def _clear(self) -> bool:
        """Nothing is on the next square; an open gate does not count."""
        things = (thing for thing, where in self.view.items() if where == (1, 0))
        return self.wall_ahead > 1 and all(thing == self.gate and not self.shut for thing in things)
