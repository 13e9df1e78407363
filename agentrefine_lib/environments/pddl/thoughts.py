"""The expert's thoughts: which part of the goal an action is for, by way of which later action of the plan."""

from __future__ import annotations

from collections.abc import Sequence

from agentrefine_lib.environments.pddl.language import Fact
from agentrefine_lib.environments.pddl.strips import Action, State
from agentrefine_lib.environments.pddl.text import Wording, wordings


def think(plan: Sequence[Action], state: State, goal: Sequence[Fact], wording: Wording, number: int) -> str:
    """The thought before the first action of a plan that has no needless action; ``number`` picks its wording."""
    fact, then = _purpose(plan, state, goal)
    kind = "closing" if not then else "leading" if set(fact).intersection(plan[0].arguments) else "clearing"
    choice: list[str] = wordings()["thoughts"][kind]
    return choice[number % len(choice)].format(
        fact=wording.clause(fact),
        deed=wording.command(plan[0]),
        next=wording.command(plan[then]),
        goal=wording.clause(_aim(plan, state, goal)),
    )


def _purpose(plan: Sequence[Action], state: State, goal: Sequence[Fact]) -> tuple[Fact, int]:
    """What the first action makes true for the goal, or for the first later action that needs it: (fact, its index).

    The index is 0 for the goal. One of the two exists, since the plan fails without the action.
    """
    action = plan[0]
    gained = (action.adds - state) | {("not", *fact) for fact in action.deletes & state}
    if reached := gained.intersection(goal):
        return min(reached), 0
    then = next(index for index, later in enumerate(plan) if index and gained.intersection(later.conditions))
    return min(gained.intersection(plan[then].conditions)), then


def _aim(plan: Sequence[Action], state: State, goal: Sequence[Fact]) -> Fact:
    """The fact of the goal that the first action leads to in the end."""
    fact, then = _purpose(plan, state, goal)
    while then:
        for action in plan[:then]:
            state = action.result(state)
        plan = plan[then:]
        fact, then = _purpose(plan, state, goal)
    return fact
