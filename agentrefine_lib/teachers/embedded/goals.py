"""Goal forms: the same conditions as an order, a condition, a question, a list or a story."""

import random
from collections.abc import Sequence
from typing import Any

from agentrefine_lib.teachers.embedded.mechanic import Fact
from agentrefine_lib.teachers.embedded.names import Noun, load_words, with_pronouns
from agentrefine_lib.teachers.embedded.rendering import sentence


def draw_form(rng: random.Random) -> str:
    """One of the forms of goals.yaml."""
    forms = load_words("goals")["forms"]
    return rng.choices(list(forms), list(forms.values()))[0]


def _ways(words: dict[str, Any], aim: Fact) -> dict[str, list[str]]:
    """How to put a condition of the goal: as the YAML file says, or as the fact that it is."""
    if aim[0] in words["aims"]:
        said: dict[str, list[str]] = words["aims"][aim[0]]
        return said
    so: list[str] = words["facts"][aim[0]]
    return {"do": [f"{way} {clause}" for way in ("make sure that", "see to it that") for clause in so], "so": so}


def condition(words: dict[str, Any], aim: Fact) -> str:
    """A condition of the goal as a clause, always in the same words."""
    so: str = _ways(words, aim)["so"][0]
    return so.format(*map(Noun, aim[1:]))


def put_goal(rng: random.Random, form: str, words: dict[str, Any], aims: Sequence[Fact]) -> str:
    """The goal in one sentence or two. ``words``: the mechanic's."""
    ways = load_words("goals")

    def draw(kind: str, aim: Fact) -> str:
        saying: str = rng.choice(_ways(words, aim)[kind])
        return saying.format(*map(Noun, aim[1:]))

    if form == "question" and len(aims) == 1 and "ask" in _ways(words, aims[0]):
        return draw("ask", aims[0])
    if form == "condition":
        return str(rng.choice(ways["condition"]).format(c=" and ".join(draw("so", aim) for aim in aims)))
    orders = [draw("do", aim) for aim in aims]
    if form == "list" and len(aims) > 1:
        return " ".join(f"({number}) {sentence(order)}" for number, order in enumerate(orders, start=1))
    joined = rng.choice(ways["steps"]).join(orders) if form == "steps" else " and ".join(orders)
    joined = with_pronouns(joined, dict.fromkeys(name for aim in aims for name in aim[1:]))
    if form in ("list", "steps"):
        return sentence(joined)
    said = rng.choice(ways[form])
    return str(said.format(i=joined, I=joined[:1].upper() + joined[1:], p=rng.choice(load_words("names")["people"])))
