"""What a game asks for, read from its PDDL goal, and AgentBoard's sub-goals of it."""

import re
from typing import NamedTuple

TREATMENTS = {"isclean": "clean", "ishot": "heat", "iscool": "cool"}  # predicate → the command that makes it true


class Goal(NamedTuple):
    """Kinds in lower case, as in the names of things: ``amount`` things put in one ``place``, or one held at a lamp."""

    thing: str
    amount: int
    place: str  # or none
    lamp: str  # or none
    treatment: str  # "clean", "heat", "cool" or none


def read_goal(problem: str) -> Goal:
    """The goal of a PDDL problem made from alfworld's goal library. Raises ValueError for one of another kind."""
    text = problem.lower().rpartition("(:goal")[2]
    things = dict(re.findall(r"\(objecttype \?(\w+) (\w+)type\)", text))
    place = re.search(r"\(receptacletype \?\w+ (\w+)type\)", text)
    lamp = things.pop("ot", "")
    predicates = set(re.findall(r"\((is\w+|inreceptacleobject)\b", text))
    known = len(set(things.values())) == 1 and bool(place) != bool(lamp)
    if not known or predicates - TREATMENTS.keys() - {"istoggled"}:
        said = " ".join(text.split())[:200]
        raise ValueError(f"a goal that is none of the six task types, without sliced things: found {said!r}")
    treatment = next((word for predicate, word in TREATMENTS.items() if predicate in predicates), "")
    return Goal(next(iter(things.values())), len(things), place[1] if place else "", lamp, treatment)


def subgoals(goal: Goal) -> list[re.Pattern[str]]:
    """What an observation has to contain for each sub-goal: AgentBoard's rule, in the words of grammar 0.4."""
    patterns = [rf" you see.* a {goal.thing} \d", rf"You pick up the {goal.thing} \d"]
    if goal.lamp:
        patterns.append(rf" you see.* a {goal.lamp} \d")
    elif goal.treatment:
        patterns.append(rf"You {goal.treatment} the {goal.thing} \d+ using the ")
    elif goal.amount == 2:
        patterns.append(rf"You move the {goal.thing} \d+ to the {goal.place} \d")
    return [re.compile(pattern) for pattern in patterns]
