"""A scripted expert: plans with the whole grid in sight, but acts only through the text commands.

A mission becomes errands (fetch this key, move that ball, open this door) on a copy of the engine; each errand is the
shortest sequence of text commands that ends in the wanted one, found by A* over the agent's poses.
"""

import copy
import heapq
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

from minigrid.core.constants import DIR_TO_VEC
from minigrid.envs.babyai.core.verifier import GoToInstr, OpenInstr, PickupInstr

from agentrefine_lib.environments.babyai import actions
from agentrefine_lib.environments.babyai.mission import clauses, orders
from agentrefine_lib.environments.babyai.thoughts import Errand, think
from agentrefine_lib.environments.babyai.view import FRONT, View, absolute, look

STEP_CAP = 150  # text steps of a plan beyond which the expert gives up; the benchmark allows 30
NESTING_CAP = 12  # errands within errands; more means a key locked up behind its own door
STRIDE = 9  # cells that one text command can cover, about: keeps A* close to the shortest sequence
CLOSED, MOVABLE, LOCKED = 2.0, 12.0, 30.0  # what a cell on the way costs, against 1 for a free one
STEPS = [(int(dx), int(dy)) for dx, dy in DIR_TO_VEC]

Cell = tuple[int, int]
Pose = tuple[Cell, int]
Options = dict[str, tuple[int, ...]]
Finish = Callable[[View, Options], str | None]  # the command that completes an errand, if it is possible from here


class PlannedStep(NamedTuple):
    """One text step of a plan, with the fingerprint of the state that it was planned for."""

    state: tuple[Any, ...]
    thought: str
    action: str


class NoPlanError(Exception):
    """The expert knows no way: the target is walled in, or the plan grew beyond a cap."""


def fingerprint(engine: Any) -> tuple[Any, ...]:
    """The state of an episode as far as planning depends on it."""
    held = engine.carrying and (engine.carrying.color, engine.carrying.type)
    done = tuple(done for _, done in clauses(engine.instrs))
    return engine.grid.encode().tobytes(), tuple(engine.agent_pos), engine.agent_dir, held, done


def solve(engine: Any) -> list[PlannedStep]:
    """The shortest of the plans for each order in which the mission may be done; empty if none is found."""
    plans = []
    for number in range(len(orders(engine.instrs))):
        planner = Planner(copy.deepcopy(engine))
        try:
            plans.append(planner.run(orders(planner.engine.instrs)[number]))
        except NoPlanError:
            continue
    return min(plans, key=len, default=[])


class Planner:
    """Carries out errands on its own copy of the engine and writes down each text step."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.steps: list[PlannedStep] = []
        self._over = False
        self._wanted: list[list[Any]] = []  # targets of the errands under way: nothing may be put in front of them

    def run(self, mission: list[Any]) -> list[PlannedStep]:
        """Do the clauses one after the other. Raises NoPlanError unless the engine ends the episode with success."""
        for clause in mission:
            if isinstance(clause, GoToInstr):
                self._do("go to", clause.desc.obj_set, Errand("goal", _noun(clause.desc)))
            elif isinstance(clause, PickupInstr):
                self._pick_up(clause.desc)
            elif isinstance(clause, OpenInstr):
                self._open(clause.desc, last=clause is mission[-1])
            else:
                self._put_next(clause)
        if not self._over:
            raise NoPlanError("all errands are done, but the engine sees no success")
        return self.steps

    def _pick_up(self, desc: Any) -> None:
        if any(self.engine.carrying is target for target in desc.obj_set):
            self._lay_down(Errand("hands", _noun(desc)))  # the engine counts the act, not the having
        self._do("pickup", desc.obj_set, Errand("goal", _noun(desc)))

    def _open(self, desc: Any, last: bool) -> None:
        shut = [door for door in desc.obj_set if not door.is_open]
        if not shut:  # the engine counts the act of opening
            self._do("toggle", desc.obj_set, Errand("shut", _noun(desc)))
            shut = [door for door in desc.obj_set if not door.is_open]
        self._do("toggle and go through" if last else "toggle", shut, Errand("goal", _noun(desc)))

    def _put_next(self, clause: Any) -> None:
        move, fixed = clause.desc_move, clause.desc_fixed
        while not self._over and not any(self.engine.carrying is target for target in move.obj_set):
            self._do("pickup", move.obj_set, Errand("goal", _noun(move)))
            self._approach(fixed.obj_set, Errand("goal", _noun(fixed)))  # may have to empty the hands on the way
        cells = self._cells(fixed.obj_set).values()
        beside = {(x + dx, y + dy) for x, y in cells for dx, dy in STEPS}
        self._route(lambda _, possible: self._drop(possible, beside.__contains__), None, Errand("beside", _noun(fixed)))

    def _do(self, verb: str, targets: list[Any], errand: Errand) -> None:
        """Make way to the nearest target, then play the shortest sequence of commands that ends in ``verb``."""
        if len(self._wanted) > NESTING_CAP:
            raise NoPlanError(f"errands nested deeper than {NESTING_CAP}")
        self._wanted.append(targets)
        target = self._approach(targets, errand)
        while not self._over and verb == "pickup" and self.engine.carrying:
            self._lay_down(Errand("hands", errand.noun))
            target = self._approach(targets, errand)
        while not self._over and verb.startswith("toggle") and target.is_locked and not self._has_key(target):
            self._fetch_key(target)
            target = self._approach([target], errand)
        if not self._over:
            cell = self._cells([target])[id(target)]
            self._route(lambda view, possible: self._named(verb, cell, view, possible), cell, errand)
        self._wanted.pop()

    def _approach(self, targets: list[Any], errand: Errand) -> Any:
        """Clear the cheapest way to a target of shut doors and things, one after the other. Returns that target."""
        while not self._over:
            obstacle, target = self._way(targets)
            if obstacle is None:
                return target
            noun = f"{obstacle.color} {obstacle.type}"
            if obstacle.type != "door":
                self._do("pickup", [obstacle], Errand("blocker", noun))
                self._lay_down(Errand("aside", noun))
            elif obstacle.is_locked and not self._has_key(obstacle):
                self._fetch_key(obstacle)
            else:
                self._do("toggle and go through", [obstacle], Errand("door", errand.noun))
        return targets[0]

    def _fetch_key(self, door: Any) -> None:
        keys = [thing for thing in self.engine.grid.grid if thing and (thing.type, thing.color) == ("key", door.color)]
        self._do("pickup", keys, Errand("key", f"{door.color} key"))

    def _lay_down(self, errand: Errand) -> None:
        """Put down what is carried at the nearest place where it makes nothing wanted harder to reach."""
        if not self._over:
            self._route(lambda _, possible: self._drop(possible, self._harmless), None, errand)

    def _drop(self, possible: Options, good: Callable[[Cell], bool]) -> str | None:
        return "drop" if "drop" in possible and good(absolute(self.engine, FRONT)) else None

    def _harmless(self, cell: Cell) -> bool:
        before = [self._cost(targets) for targets in self._wanted]
        self.engine.grid.set(*cell, self.engine.carrying)
        after = [self._cost(targets) for targets in self._wanted]
        self.engine.grid.set(*cell, None)
        return all(late <= early for early, late in zip(before, after, strict=True))

    def _has_key(self, door: Any) -> bool:
        held = self.engine.carrying
        return held is not None and (held.type, held.color) == ("key", door.color)

    def _named(self, verb: str, cell: Cell, view: View, possible: Options) -> str | None:
        """The command that does ``verb`` to the thing on a grid cell, if it is possible from here."""
        for thing in view.things:
            if absolute(self.engine, thing.cell) == cell:
                command = verb if verb == "toggle" else f"{verb} {thing.label}"
                return command if command in possible and (verb != "toggle" or thing.cell == FRONT) else None
        return None

    def _cells(self, things: list[Any]) -> dict[int, Cell]:
        """Where things lie on the grid, by identity; a carried thing lies nowhere."""
        wanted = {id(thing) for thing in things}
        width = self.engine.grid.width
        cells = enumerate(self.engine.grid.grid)
        return {id(thing): (index % width, index // width) for index, thing in cells if id(thing) in wanted}

    def _cost(self, targets: list[Any]) -> float:
        return next((cost for cost, _, _ in self._ways(targets)), float("inf"))

    def _way(self, targets: list[Any]) -> tuple[Any, Any]:
        """(the first obstacle on the cheapest way or None, the target it leads to). Raises NoPlanError if none."""
        for _, cells, target in self._ways(targets):
            things = [self.engine.grid.get(*cell) for cell in cells]
            return next((thing for thing in things if thing and not thing.can_overlap()), None), target
        raise NoPlanError("no way to the target")

    def _ways(self, targets: list[Any]) -> Iterator[tuple[float, list[Cell], Any]]:
        """Dijkstra over grid cells: (cost, cells before the target, target), the cheapest first."""
        lying = self._cells(targets)
        goals = {lying[id(target)]: target for target in targets if id(target) in lying}
        queue: list[tuple[float, Cell, list[Cell]]] = [(0.0, self._pose()[0], [])]
        seen: set[Cell] = set()
        while queue:
            cost, cell, path = heapq.heappop(queue)
            if cell in seen:
                continue
            seen.add(cell)
            if cell in goals:
                yield cost, path[:-1], goals[cell]
                continue
            for dx, dy in STEPS:
                near = (cell[0] + dx, cell[1] + dy)
                price = 0.0 if near in goals else self._price(self.engine.grid.get(*near))
                if near not in seen and price < float("inf"):
                    heapq.heappush(queue, (cost + price, near, [*path, near]))

    def _price(self, thing: Any) -> float:
        """What it costs to enter a cell."""
        if thing is None or thing.can_overlap():
            return 1.0
        if thing.type == "door":
            return LOCKED if thing.is_locked and not self._has_key(thing) else CLOSED
        return MOVABLE if thing.can_pickup() else float("inf")

    def _pose(self) -> Pose:
        x, y = self.engine.agent_pos
        return (int(x), int(y)), int(self.engine.agent_dir)

    def _route(self, finish: Finish, aim: Cell | None, errand: Errand) -> None:
        """Play the shortest sequence of commands that ends in the one that ``finish`` names."""
        home = self._pose()
        found = self._search(finish, aim)
        self.engine.agent_pos, self.engine.agent_dir = home
        if found is None:
            raise NoPlanError(f"no text commands lead to {errand}")
        *before, last = found
        for command in before:
            self._play(command, errand, completes=False)
        self._play(last, errand, completes=True)

    def _search(self, finish: Finish, aim: Cell | None) -> list[str] | None:
        """A* over the agent's poses, one text command an edge. Moves the agent about; the caller puts it back."""
        order = count()
        queue: list[tuple[float, int, int, Pose | None, list[str]]] = [(0.0, next(order), 0, self._pose(), [])]
        seen = set()
        while queue:
            _, _, cost, pose, path = heapq.heappop(queue)
            if pose is None:
                return path
            if pose in seen:
                continue
            seen.add(pose)
            self.engine.agent_pos, self.engine.agent_dir = pose
            view = look(self.engine)
            possible = actions.options(view)
            last = finish(view, possible)
            if last and self._walk(pose, possible[last]):
                heapq.heappush(queue, (cost + 1, next(order), cost + 1, None, [*path, last]))
            for command, plan in possible.items():
                reached = self._walk(pose, plan) if plan and max(plan) <= actions.FORWARD else None
                if reached and reached not in seen:
                    left = 0.0 if aim is None else (abs(aim[0] - reached[0][0]) + abs(aim[1] - reached[0][1])) / STRIDE
                    heapq.heappush(queue, (cost + 1 + left, next(order), cost + 1, reached, [*path, command]))
        return None

    def _walk(self, pose: Pose, plan: tuple[int, ...]) -> Pose | None:
        """The pose after a plan's moves on the true grid, up to its first act; None if something unseen blocks it."""
        (x, y), heading = pose
        for action in plan:
            if action > actions.FORWARD:
                break
            if action == actions.FORWARD:
                x, y = x + STEPS[heading][0], y + STEPS[heading][1]
                thing = self.engine.grid.get(x, y)
                if thing is not None and not thing.can_overlap():
                    return None
            else:
                heading = (heading + (1 if action == actions.RIGHT else -1)) % 4
        return (x, y), heading

    def _play(self, command: str, errand: Errand, completes: bool) -> None:
        """Make one text step on the copy and write it down."""
        if self._over:
            return
        if len(self.steps) >= STEP_CAP:
            raise NoPlanError(f"more than {STEP_CAP} text steps")
        view = look(self.engine)
        thought = think(view, command, errand, completes, len(self.steps))
        self.steps.append(PlannedStep(fingerprint(self.engine), thought, command))
        self._over, reward = actions.play(self.engine, actions.options(view)[command])
        if self._over and reward <= 0:
            raise NoPlanError("the plan breaks a rule of the mission")


def _noun(desc: Any) -> str:
    """What a clause of the mission asks for, e.g. "red ball" or "door"."""
    return " ".join(part for part in (desc.color, desc.type or "object") if part)
