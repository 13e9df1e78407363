"""Cells and facing: what lies ahead is told by its distance, and the expert keeps a map of where it has been."""

import random
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from agentrefine_lib.teachers.embedded import mechanic
from agentrefine_lib.teachers.embedded.mechanic import Command, Fact, Refusal, Step
from agentrefine_lib.teachers.embedded.names import Names

Cell = tuple[int, int]
Pose = tuple[int, int, int]  # x, y, heading: 0 north, 1 east, 2 south, 3 west
HEADINGS = ((0, 1), (1, 0), (0, -1), (-1, 0))
TURNS = {"left": -1, "right": 1, "step": 0}
POSES = 2_000  # that a search for a path looks at, at most
RANGE = 6  # squares to each side that are seen
GATES = ("gate", "hatch", "barrier", "portcullis", "turnstile", "shutter")
WAYS = (("{} ahead", " and {}"), ("{} straight on", ", {}"), ("{} forward", " + {}"))  # squares ahead, and to a side


def cell_at(pose: Pose, ahead: int, right: int = 0) -> Cell:
    """The cell so many squares ahead of and to the right of a pose."""
    x, y, heading = pose
    forward, side = HEADINGS[heading], HEADINGS[(heading + 1) % 4]
    return x + ahead * forward[0] + right * side[0], y + ahead * forward[1] + right * side[1]


def offset(pose: Pose, cell: Cell) -> tuple[int, int]:
    """How many squares ahead and to the right a cell lies."""
    dx, dy = cell[0] - pose[0], cell[1] - pose[1]
    forward, side = HEADINGS[pose[2]], HEADINGS[(pose[2] + 1) % 4]
    return dx * forward[0] + dy * forward[1], dx * side[0] + dy * side[1]


def moved(pose: Pose, move: str) -> Pose:
    return (*(cell_at(pose, 1) if move == "step" else pose[:2]), (pose[2] + TURNS[move]) % 4)


def find_path(pose: Pose, goal: Cell, free: Callable[[Cell], bool]) -> list[str] | None:
    """The fewest moves after which one faces the goal; None where no free way leads there."""
    queue, path = deque([pose]), {pose: list[str]()}
    while queue and len(path) < POSES:
        at = queue.popleft()
        front = cell_at(at, 1)
        if front == goal:
            return path[at]
        for move in (*["step"] * free(front), "left", "right"):
            if (after := moved(at, move)) not in path:
                path[after] = [*path[at], move]
                queue.append(after)
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
        self.shut, self.held, self.beside = True, "", ("", "")
        cells = [(x, y) for x in range(self.width) for y in range(self.height) if not gated or abs(y - self.wall) > 1]
        rng.shuffle(cells)
        self.pose: Pose = (*cells.pop(), rng.randrange(4))
        things = names.draw("things", rng.randint(3, 5))
        self.at = dict(zip(things, cells, strict=False))
        self.faced = self._in_front()
        self.aims = [{"beside": ("beside", *things[:2]), "open": ("open", self.gate)}.get(kind, (kind, things[0]))]
        unused = {"step": self.strides and not gated, "near": not self.strides, "open": not gated}
        unused |= {"take": kind not in ("have", "beside"), "put": kind != "beside"}
        self.unused = tuple(name for name, is_unused in unused.items() if is_unused)
        self.rules = [("squares",), ("distances",)]

    def names(self, slot: str) -> list[str]:
        return [*self.at, *filter(None, [self.held, self.gate])]

    def _cell(self, thing: str) -> Cell | None:
        return (self.gap, self.wall) if thing == self.gate and thing else self.at.get(thing)

    def _on_floor(self, cell: Cell) -> bool:
        x, y = cell
        return 0 <= x < self.width and 0 <= y < self.height and (y != self.wall or x == self.gap)

    def _free(self, cell: Cell) -> bool:
        return self._on_floor(cell) and not (self.shut and cell[1] == self.wall) and cell not in self.at.values()

    def _in_front(self) -> str:
        cell = cell_at(self.pose, 1)
        return next((thing for thing in self.names("thing") if self._cell(thing) == cell), "")

    def _visible(self) -> list[tuple[str, int, int]]:
        """Things before the Player, nearest first: squares ahead and to the right. Walls hide what is behind them."""
        own, found = self.pose[1] - self.wall, []
        for thing, cell in [*self.at.items(), *[(self.gate, (self.gap, self.wall))] * (self.gate != "")]:
            ahead, side = offset(self.pose, cell)
            same_side = self.wall < 0 or thing == self.gate or (cell[1] - self.wall) * own > 0 or not own
            if ahead >= 0 and (ahead, side) != (0, 0) and abs(side) <= RANGE and same_side:
                found.append((thing, ahead, side))
        return sorted(found, key=lambda seen: (seen[1] + abs(seen[2]), seen[0]))

    def scene(self) -> list[Fact]:
        view, (straight, further) = list[Fact](), self.way
        for thing, ahead, side in self._visible():
            aside = f"{abs(side)} to the {'right' if side > 0 else 'left'}" if side else ""
            view.append(
                ("ahead", thing, straight.format(ahead) + further.format(aside) * (side != 0) if ahead else aside)
            )
            view += [("gate_shut" if self.shut else "gate_open", thing)] * (thing == self.gate)
        wall = next(steps for steps in range(1, 10) if not self._on_floor(cell_at(self.pose, steps)))
        return [*view, ("wall", str(wall)), *[("held", self.held)] * (self.held != "")]

    def faults(self, command: Command) -> Iterator[object]:
        match command:
            case ("step",):
                yield not self._free(cell_at(self.pose, 1)) and Refusal("precondition", ("blocked",))
            case ("put", thing, *others):
                yield thing != self.held and Refusal("precondition", ("not_held", thing))
                fits = self.faced and others in ([], [self.faced])
                yield not fits and Refusal("place", ("not_ahead", *(others or self.aims[0][-1:])))
            case ("near", thing):
                yield thing == self.held and Refusal("no_effect", ("carried", thing))
                yield thing == self.faced and Refusal("no_effect", ("facing", thing))
                in_sight = thing in [seen for seen, *_ in self._visible()]
                yield not in_sight and Refusal("absent", ("not_in_sight", thing))
                yield self._path(thing) is None and Refusal("precondition", ("no_way", thing), seen=False)
            case ("take" | "open" as operation, thing):
                yield thing == self.held and Refusal("no_effect", ("carried", thing))
                opens = operation == "open"
                yield opens and thing != self.gate and Refusal("precondition", ("not_gate", thing))
                yield thing != self.faced and Refusal("place", ("not_ahead", thing))
                yield opens and not self.shut and Refusal("no_effect", ("open_already", thing))
                yield not opens and thing == self.gate and Refusal("precondition", ("fixed", thing))
                yield not opens and self.held and Refusal("precondition", ("full", self.held))

    def act(self, command: Command) -> list[Fact]:
        told: Fact = ("came", *command[1:])
        match command:
            case ("left" | "right" | "step" as move,):
                self.pose = moved(self.pose, move)
                told = ("stepped",) if move == "step" else ("turned", move)
            case ("near", thing):
                for each in self._path(thing) or ():
                    self.pose = moved(self.pose, each)
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

    def _path(self, thing: str) -> list[str] | None:
        cell = self._cell(thing)
        return find_path(self.pose, cell, self._free) if cell else None

    def holds(self, aim: Fact) -> bool:
        met = {
            "faced": (self.faced,),
            "have": (self.held,),
            "beside": self.beside,
            "open": (self.gate,) * (not self.shut),
        }
        return met[aim[0]] == aim[1:]

    def layout(self) -> dict[str, Any]:
        things = {thing: list(cell) for thing, cell in self.at.items()}
        gates = {self.gate: {"at": [self.gap, self.wall], "state": "shut"}} if self.gate else {}
        return {"floor": {"size": [self.width, self.height], "things": things, "gates": gates, "you": list(self.pose)}}

    def expert(self) -> mechanic.Expert:
        return Expert(self.aims[0], self.strides)


class Expert(mechanic.Expert):
    """Looks around by turning. Where it goes square by square it keeps a map: the start is (0, 0), facing north."""

    def __init__(self, aim: Fact, strides: bool) -> None:
        self.aim, self.strides, self.pose = aim, strides, (0, 0, 0)
        self.at, self.walls = dict[str, Cell](), set[Cell]()
        self.gate, self.shut, self.held = "", True, ""
        self.view: dict[str, tuple[int, int]] = {}  # what is ahead now: squares ahead and to the right
        self.words: dict[str, str] = {}  # the same as it was told
        self.wall_ahead, self.turns, self.passing = 9, 0, 0
        self.leaving = False  # it has looked around, and goes through the gate

    def notice(self, facts: Iterable[Fact]) -> None:
        self.view, self.wall_ahead = {}, 9
        super().notice(facts)

    def saw(self, fact: Fact) -> None:
        match fact:
            case ("turned", way):
                self.pose, self.turns = moved(self.pose, way), self.turns + 1
            case ("stepped",):
                self.pose, self.turns, self.passing = moved(self.pose, "step"), 0, max(self.passing - 1, 0)
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
                self.walls.add(cell_at(self.pose, self.wall_ahead))
            case ("ahead", thing, where):
                aside, ahead = re.search(r"(\d+) to the (left|right)", where), re.match(r"(\d+) (?!to the)", where)
                side = int(aside[1]) * TURNS[aside[2]] if aside else 0
                self.words[thing], self.view[thing] = where, (int(ahead[1]) if ahead else 0, side)
                self.at[thing] = cell_at(self.pose, *self.view[thing])

    def _free(self, cell: Cell) -> bool:
        blocked = any(cell == at for thing, at in self.at.items() if thing != self.gate or self.shut)
        return not blocked and cell not in self.walls

    def next(self) -> Step:
        kind, thing, *to = self.aim
        if kind == "open":
            return self._reach(thing, ("must_open", thing), ("open", thing))
        if kind == "faced" or self.held != thing:
            return self._reach(thing, ("wanted", thing), ("take", thing) if kind != "faced" else None)
        return self._reach(to[0], ("belongs", thing, *to), ("put", thing, *to))

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
        beyond, elsewhere, ahead = ("beyond", thing, self.gate), ("elsewhere", thing), self.view.get(self.gate)
        if self.passing and self._clear():
            return Step(("step",), beyond, None, elsewhere, None, thing, explores=True)
        self.leaving = self.leaving or (self.turns >= 3 and self.gate != "")
        if not self.leaving or thing == self.gate:
            return Step(("right",), ("may_be", thing, "right"), None, elsewhere, None, thing, explores=True)
        if ahead != (1, 0):  # to the other side of the gate
            return self._reach(self.gate, beyond, ("open", self.gate) if self.shut else None)
        if self.shut:
            return Step(("open", self.gate), beyond, ("right_ahead", self.gate), elsewhere, ("step",), thing)
        self.passing = 2
        return Step(("step",), ("must_open", self.gate), ("gate_open", self.gate), None, None, thing, explores=True)

    def _clear(self) -> bool:
        """Nothing is on the next square; an open gate does not count."""
        things = (thing for thing, where in self.view.items() if where == (1, 0))
        return self.wall_ahead > 1 and all(thing == self.gate and not self.shut for thing in things)
