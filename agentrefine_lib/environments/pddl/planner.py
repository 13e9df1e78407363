"""Short plans in pure Python: weighted A* with the FF heuristic (Hoffmann & Nebel 2001) over states as bit masks.

A problem is tried as a whole and goal by goal in several orders, and the shortest of the plans counts: barman with two
cocktails is out of reach as a whole, and gripper has short plans only as a whole. Ties go by the order of the actions.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice, permutations
from typing import NamedTuple

from agentrefine_lib.environments.pddl.language import Fact
from agentrefine_lib.environments.pddl.strips import Action, State, holds

WEIGHTS = (1.5, 2.0)  # of the heuristic: a smaller one gives shorter plans and more often none within the limits
EFFORTS = (500_000, 5_000_000)  # states looked into × actions, per search; the second only when the first was too small
ORDERS = 6  # of the goals, tried one goal after the other


class Operator(NamedTuple):
    """An action over bit masks."""

    number: int
    conditions: int
    adds: int
    deletes: int


class Planner:
    """Plans for one problem from any of its states."""

    def __init__(self, actions: Sequence[Action], goal: Sequence[Fact]) -> None:
        self.actions = actions
        used = {fact for action in actions for fact in action.conditions}
        negated = {fact for fact in used.union(goal) if fact[0] == "not"}
        changing = {fact for action in actions for fact in action.adds | action.deletes}
        self._bits = {fact: 1 << at for at, fact in enumerate(sorted(changing.union(negated, goal)))}
        self._operators = []
        for number, action in enumerate(actions):
            adds = self._mask([*action.adds, *(("not", *fact) for fact in action.deletes)])
            deletes = self._mask([*action.deletes, *(("not", *fact) for fact in action.adds)])
            self._operators.append(Operator(number, self._mask(action.conditions), adds, deletes))
        self._goals = [self._bits[fact] for fact in goal]
        self._goal = sum(self._goals)

    def plan(self, state: State) -> list[Action]:
        """The shortest plan found from a state to the goal; empty when there is none within the limits."""
        start = self._mask(fact for fact in self._bits if holds(fact, state))
        orders = dict.fromkeys([(self._goal,), *islice(permutations(self._goals), ORDERS)])
        for effort in EFFORTS:
            limit = effort // max(1, len(self._operators))
            tries = (self._one_by_one(start, order, weight, limit) for weight in WEIGHTS for order in orders)
            plans = [self._trimmed(start, plan) for plan in tries if plan is not None]
            if plans:
                shortest = min(plans, key=len)
                return [self.actions[number] for number in shortest]
        return []

    def _mask(self, facts: Iterable[Fact]) -> int:
        """The bits of those facts that can change; the others are true wherever they are asked for."""
        return sum({self._bits[fact] for fact in facts if fact in self._bits})

    def _one_by_one(self, state: int, goals: Iterable[int], weight: float, limit: int) -> list[int] | None:
        """Reach one goal after the other, each without giving up those before it in the end."""
        plan: list[int] = []
        wanted = 0
        for goal in goals:
            wanted |= goal
            part = self._search(state, wanted, weight, limit)
            if part is None:
                return None
            for number in part:
                state = state & ~self._operators[number].deletes | self._operators[number].adds
            plan += part
        return plan

    def _trimmed(self, start: int, plan: list[int]) -> list[int]:
        """The plan without the actions that it does not need."""
        for at in range(len(plan)):
            shorter = plan[:at] + plan[at + 1 :]
            if self._works(start, shorter):
                return self._trimmed(start, shorter)
        return plan

    def _works(self, state: int, plan: list[int]) -> bool:
        for number in plan:
            _, conditions, adds, deletes = self._operators[number]
            if conditions & ~state:
                return False
            state = state & ~deletes | adds
        return not self._goal & ~state

    def _search(self, start: int, goal: int, weight: float, limit: int) -> list[int] | None:
        """Weighted A*. A state waits with its parent's estimate, less one if its action begins the relaxed plan."""
        order = count()
        cost, came = {start: 0}, {start: (start, -1)}
        queue = [(0.0, next(order), 0, start)]
        while queue and limit:
            _, _, spent, state = heapq.heappop(queue)
            if spent > cost[state]:
                continue
            if state & goal == goal:
                return list(_path(came, start, state))[::-1]
            limit -= 1
            possible, relaxed = self._relaxed_plan(state, goal)
            if relaxed is None:
                continue
            for operator in possible:
                reached = state & ~operator.deletes | operator.adds
                if spent + 1 < cost.get(reached, spent + 2):
                    cost[reached], came[reached] = spent + 1, (state, operator.number)
                    estimate = len(relaxed) - (operator.number in relaxed)
                    heapq.heappush(queue, (spent + 1 + weight * estimate, next(order), spent + 1, reached))
        return None

    def _relaxed_plan(self, state: int, goal: int) -> tuple[list[Operator], set[int] | None]:
        """The operators that are possible, and the numbers of a plan that ignores deletes (None if there is none)."""
        reached, waiting = state, self._operators
        achiever: dict[int, Operator] = {}
        possible: list[Operator] | None = None
        while goal & ~reached or possible is None:
            fresh, now, later = 0, [], []
            for operator in waiting:
                _, conditions, adds, _ = operator
                if conditions & ~reached:
                    later.append(operator)
                    continue
                now.append(operator)
                gained = adds & ~(reached | fresh)
                fresh |= gained
                while gained:
                    achiever[gained & -gained] = operator
                    gained &= gained - 1
            possible = now if possible is None else possible
            if not fresh and goal & ~reached:
                return possible, None
            reached, waiting = reached | fresh, later
        return possible, _extract(achiever, goal & ~state, state)


def _extract(achiever: dict[int, Operator], needed: int, state: int) -> set[int]:
    """Numbers of the operators that achieve what is needed, and what these need in turn."""
    chosen: set[int] = set()
    done = state
    while needed:
        bit = needed & -needed
        done |= bit
        operator = achiever[bit]
        chosen.add(operator.number)
        needed = (needed | operator.conditions) & ~done
    return chosen


def _path(came: dict[int, tuple[int, int]], start: int, state: int) -> Iterator[int]:
    while state != start:
        state, number = came[state]
        yield number
