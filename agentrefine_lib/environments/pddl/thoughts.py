"""The expert's thoughts: which part of the goal an action is for, by way of which later action of the plan."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from agentrefine_lib.environments.pddl.language import Fact
from agentrefine_lib.environments.pddl.strips import Action, State
from agentrefine_lib.environments.pddl.text import Wording
from agentrefine_lib.environments.words import load_words


class Purpose(NamedTuple):
    """A fact that an action makes true, and the index of the action that needs it, or its own where the goal does.

    ``distance`` counts the actions from there to one that makes a part of the goal true.
    """

    distance: int
    user: int
    fact: Fact


def think(plan: Sequence[Action], state: State, goal: Sequence[Fact], wording: Wording, number: int) -> str:
    """The thought before the first action of a plan that has no needless action; ``number`` picks its wording."""
    purposes = _purposes(plan, state, goal)
    purpose = aim = purposes[0]
    while aim.distance:
        aim = purposes[aim.user]
    named = set(purpose.fact).intersection(plan[0].arguments)
    kind = "closing" if purpose is aim else "leading" if named else "clearing"
    choice: list[str] = load_words(__file__)["thoughts"][kind]
    return choice[number % len(choice)].format(
        fact=wording.clause(purpose.fact),
        deed=wording.command(plan[0]),
        next=wording.command(plan[purpose.user]),
        goal=wording.clause(aim.fact),
    )


def _purposes(plan: Sequence[Action], state: State, goal: Sequence[Fact]) -> dict[int, Purpose]:
    """The most direct purpose of each action. There is one, since the plan fails without the action."""
    states = list(accumulate(plan, lambda before, action: action.result(before), initial=state))
    purposes: dict[int, Purpose] = {}
    for at in reversed(range(len(plan))):
        gained = (plan[at].adds - states[at]) | {("not", *fact) for fact in plan[at].deletes & states[at]}
        purposes[at] = min(_uses(gained, at, plan, goal, purposes))
    return purposes


def _uses(
    gained: State, at: int, plan: Sequence[Action], goal: Sequence[Fact], purposes: dict[int, Purpose]
) -> Iterator[Purpose]:
    """What the facts that an action has made true are good for, up to where they are undone."""
    for fact in gained:
        for user in range(at + 1, len(plan)):
            if fact in plan[user].conditions:
                yield Purpose(purposes[user].distance + 1, user, fact)
            if fact in plan[user].deletes or (fact[0] == "not" and fact[1:] in plan[user].adds):
                break
        else:
            if fact in goal:
                yield Purpose(0, at, fact)
