"""STRIPS: ground actions and the states they lead to. A state is the frozenset of the facts that are true in it."""

from collections.abc import Iterator
from typing import NamedTuple

from agentrefine_lib.environments.pddl.language import Fact, Problem, Schema

MAX_ACTIONS = 20_000  # ground actions of one problem, 1,200 in AgentBoard's largest; more would make every step slow

State = frozenset[Fact]


class Action(NamedTuple):
    """A schema with its arguments filled in. ``conditions`` may be negated facts; an added fact is never deleted."""

    name: str
    arguments: tuple[str, ...]
    conditions: tuple[Fact, ...]
    adds: State
    deletes: State

    def result(self, state: State) -> State:
        """The state after this action; its conditions are not looked at."""
        return (state - self.deletes) | self.adds


def holds(fact: Fact, state: State) -> bool:
    """Whether a fact, a negated one or an equality is true in a state."""
    if fact[0] == "not":
        return not holds(fact[1:], state)
    return fact[1] == fact[2] if fact[0] == "=" else fact in state


def bind(schema: Schema, arguments: tuple[str, ...]) -> Action:
    """The schema's action for these arguments, one for each parameter, whatever their types."""
    values = dict(zip(schema.parameters, arguments, strict=True))
    effects = [_fill(effect, values) for effect in schema.effects]
    adds = frozenset(effect for effect in effects if effect[0] != "not")
    deletes = frozenset(effect[1:] for effect in effects if effect[0] == "not")
    conditions = tuple(_fill(condition, values) for condition in schema.conditions)
    return Action(schema.name, arguments, conditions, adds, deletes - adds)


def reachable_actions(problem: Problem) -> list[Action]:
    """Every ground action that could ever be done and change something, sorted: those left out by ignoring deletes.

    Raises ValueError when there are more than MAX_ACTIONS.
    """
    schemas = problem.domain.schemas.values()
    changing = {_predicate(effect) for schema in schemas for effect in schema.effects}
    waiting = []
    for schema in schemas:
        for action in _instances(schema, problem, changing):
            if not action.adds.issubset(action.conditions) or action.deletes:
                waiting.append(action)
            if len(waiting) > MAX_ACTIONS:
                raise ValueError(f"more than {MAX_ACTIONS} ground actions; expected a smaller problem")
    found: list[Action] = []
    known, before = set(problem.init), -1
    while before < len(found):
        before = len(found)
        later: list[Action] = []
        for action in waiting:
            possible = all(condition[0] in ("not", "=") or condition in known for condition in action.conditions)
            (found if possible else later).append(action)
        known.update(*(action.adds for action in found[before:]))
        waiting = later
    return sorted(found)


def _instances(schema: Schema, problem: Problem, changing: set[str]) -> Iterator[Action]:
    """Actions whose arguments have the right types and whose conditions that never change are true."""
    names = list(schema.parameters)
    candidates = [[name for name in problem.objects if problem.fits(name, kind)] for kind in schema.parameters.values()]
    fixed: list[list[Fact]] = [[] for _ in range(len(names) + 1)]  # by the number of parameters that they need
    for condition in schema.conditions:
        if _predicate(condition) not in changing:
            needed = [names.index(term) + 1 for term in condition if term in schema.parameters]
            fixed[max(needed, default=0)].append(condition)

    def extend(arguments: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        values = dict(zip(names, arguments, strict=False))
        if all(holds(_fill(condition, values), problem.init) for condition in fixed[len(arguments)]):
            if len(arguments) == len(names):
                yield arguments
                return
            for candidate in candidates[len(arguments)]:
                yield from extend((*arguments, candidate))

    return (bind(schema, arguments) for arguments in extend(()))


def _predicate(fact: Fact) -> str:
    return fact[1] if fact[0] == "not" else fact[0]


def _fill(fact: Fact, values: dict[str, str]) -> Fact:
    return tuple(values.get(term, term) for term in fact)


def is_useful(action: Action, state: State) -> bool:
    """Whether an action is possible in a state and changes it."""
    return all(holds(condition, state) for condition in action.conditions) and action.result(state) != state


def unmet(action: Action, state: State) -> list[Fact]:
    """The conditions of an action that are not true in a state."""
    return [condition for condition in action.conditions if not holds(condition, state)]
