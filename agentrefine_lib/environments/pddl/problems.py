"""Seeded problems of our four domains: the same seed gives the same problem, and difficulty grows with ``seed % 5``.

Each can be solved within 30 actions by construction; the numbers in the comments are those of a simple-minded plan.
"""

import random
from functools import cache
from itertools import pairwise
from pathlib import Path

from agentrefine_lib.environments.pddl.language import Domain, Fact, Problem, read_domain

VERSION = 1  # raise it when a seed gives another problem than before
GRADES = 5

Draft = tuple[dict[str, str], set[Fact], set[Fact]]  # objects with their types, first state, goal


def generate(name: str, seed: int) -> Problem:
    """The problem of a seed in one of DOMAINS."""
    objects, init, goal = DOMAINS[name](random.Random(f"pddl/{name}/{seed}"), seed % GRADES)
    domain = _domain(name)
    return Problem(domain, domain.constants | objects, frozenset(init), tuple(sorted(goal)))


@cache
def _domain(name: str) -> Domain:
    return read_domain(Path(__file__).parent / "domains" / f"{name}.pddl")


def _gripper(rng: random.Random, grade: int) -> Draft:
    """3 to 7 balls in 2 or 3 rooms, each to be brought to another room (at most 4 actions a ball)."""
    rooms = ["rooma", "roomb", "roomc"][: rng.choice((2, 3))]
    balls = [f"ball{number}" for number in range(1, grade + 4)]
    init: set[Fact] = {("at-robby", rng.choice(rooms)), ("free", "left"), ("free", "right")}
    goal: set[Fact] = set()
    for ball in balls:
        start, end = rng.sample(rooms, 2)
        init.add(("at", ball, start))
        goal.add(("at", ball, end))
    hands = dict.fromkeys(("left", "right"), "gripper")
    return dict.fromkeys(rooms, "room") | dict.fromkeys(balls, "ball") | hands, init, goal


def _blocksworld(rng: random.Random, grade: int) -> Draft:
    """3 to 7 blocks to be built into other towers (all to the table and up again: at most 4 actions a block)."""
    blocks = [f"b{number}" for number in range(1, grade + 4)]
    init: set[Fact] = {("arm-empty",)}
    goal: set[Fact] = set()
    for tower in _towers(rng, blocks):
        init |= {("on-table", tower[0]), ("clear", tower[-1])}
        init.update(("on", block, base) for base, block in pairwise(tower))
    while not goal or goal & init:
        towers = _towers(rng, blocks)
        goal = {("on", block, base) for tower in towers for base, block in pairwise(tower)}
    return dict.fromkeys(blocks, "object"), init, goal


def _towers(rng: random.Random, blocks: list[str]) -> list[list[str]]:
    """The blocks in random towers, each from its bottom to its top."""
    towers: list[list[str]] = []
    for block in rng.sample(blocks, len(blocks)):
        if towers and rng.random() < 0.7:
            rng.choice(towers).append(block)
        else:
            towers.append([block])
    return towers


def _barman(rng: random.Random, grade: int) -> Draft:
    """Up to 2 cocktails and 2 plain drinks (at most 12 actions for a cocktail, 3 for the cleaning, 3 for a drink)."""
    cocktails, drinks = ((0, 2), (1, 0), (1, 1), (1, 2), (2, 0))[grade]
    shots = [f"shot{number}" for number in range(1, 5)]
    ingredients = [f"ingredient{number}" for number in range(1, 4)]
    mixes = [f"cocktail{number}" for number in range(1, 5)]
    dispensers = [f"dispenser{number}" for number in range(1, 4)]
    kinds = {"hand": ["left", "right"], "level": ["l0", "l1", "l2"], "shaker": ["shaker1"], "shot": shots}
    kinds |= {"ingredient": ingredients, "cocktail": mixes, "dispenser": dispensers}
    init: set[Fact] = {("next", "l0", "l1"), ("next", "l1", "l2"), ("handempty", "left"), ("handempty", "right")}
    init |= {("shaker-level", "shaker1", "l0"), ("shaker-empty-level", "shaker1", "l0")}
    for container in ("shaker1", *shots):
        init |= {("ontable", container), ("clean", container), ("empty", container)}
    init.update(("dispenses", *pair) for pair in zip(dispensers, ingredients, strict=True))
    for mix in mixes:
        first, second = rng.sample(ingredients, 2)
        init |= {("cocktail-part1", mix, first), ("cocktail-part2", mix, second)}
    served = rng.sample(mixes, cocktails) + rng.sample(ingredients, drinks)
    goal: set[Fact] = {("contains", *pair) for pair in zip(rng.sample(shots, len(served)), served, strict=True)}
    return {name: kind for kind, names in kinds.items() for name in names}, init, goal


def _tyreworld(rng: random.Random, grade: int) -> Draft:
    """1 or 2 wheels to change: 8 actions for each, 5 more for one that has to be ready to drive; 5 for boot and tools.

    What has to be tight or closed in the end is loose or open at first, so that nothing of the goal is given.
    """
    works = (("on",), ("ready",), ("on", "off"), ("ready", "off"), ("ready", "ready"))[grade]
    numbers = range(1, len(works) + 1 + rng.randint(0, 1))
    objects = {"boot": "container"}
    close = rng.random() < 0.5
    init: set[Fact] = {("unlocked", "boot"), ("isopen" if close else "closed", "boot")}
    init |= {("in", tool, "boot") for tool in ("wrench", "jack", "pump")}
    for n in numbers:
        objects |= {f"r{n}": "wheel", f"w{n}": "wheel", f"hub{n}": "hub", f"nuts{n}": "nut"}
        init |= {("in", f"r{n}", "boot"), ("intact", f"r{n}"), ("not-inflated", f"r{n}"), ("on", f"w{n}", f"hub{n}")}
        init |= {("fastened", f"hub{n}"), ("on-ground", f"hub{n}")}
    goal: set[Fact] = {("closed", "boot")} if close else set()
    chosen = dict(zip(rng.sample(numbers, len(works)), works, strict=True))
    init |= {("loose" if chosen.get(n) == "ready" else "tight", f"nuts{n}", f"hub{n}") for n in numbers}
    for n, work in chosen.items():
        goal.add(("in", f"w{n}", "boot"))
        if work != "off":
            goal.add(("on", f"r{n}", f"hub{n}"))
        if work == "ready":
            goal |= {("inflated", f"r{n}"), ("tight", f"nuts{n}", f"hub{n}")}
    return objects, init, goal


DOMAINS = {"gripper": _gripper, "blocksworld": _blocksworld, "barman": _barman, "tyreworld": _tyreworld}
