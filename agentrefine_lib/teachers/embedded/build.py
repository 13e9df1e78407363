"""Building a world: places, holders, items, one goal that can be reached, and a grammar drawn for it."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from agentrefine_lib.schema import Script
from agentrefine_lib.teachers.embedded.grammar import Form, action_spec, draw_form
from agentrefine_lib.teachers.embedded.world import Condition, Holder, Item, World, connect

KEYS = ("brass key", "iron key", "silver key", "rusty key", "copper key")
GOAL_TEXTS = (
    "Make sure that {}.",
    "Your task: {}.",
    "See to it that {}.",
    "In the end, {}.",
    "Arrange things so that {}.",
)


class Game(NamedTuple):
    """A world, how its commands are spelled, and the script that a Player reads."""

    world: World
    forms: dict[str, Form]  # operation → spelling
    script: Script


def build_game(rng: random.Random, domain: dict[str, Any]) -> Game:
    """Draw a world of a domain. The goal is always reachable: at most one lock, its key outside it."""
    world = _furnish(rng, domain)
    _populate(rng, domain, world)
    world.goal = _choose_goal(rng, world)
    forms = _draw_grammar(rng, domain, world)
    return Game(world, forms, _write_script(rng, world, forms))


def _furnish(rng: random.Random, domain: dict[str, Any]) -> World:
    """Places with at least one surface each, containers (some closed, at most one in another), stations, a device."""
    places = rng.sample(domain["places"], rng.randint(3, 5))
    treatments = dict(enumerate(rng.sample(domain["treatments"], rng.randint(1, min(2, len(domain["treatments"]))))))
    holders = [
        Holder(name, place, "surface") for name, place in zip(_some(rng, domain["surfaces"]), places, strict=False)
    ]
    for name in rng.sample(domain["containers"], rng.randint(2, 4)):
        holders.append(Holder(name, rng.choice(places), "container", open=rng.random() < 0.3))
    outer, inner = rng.sample([h for h in holders if h.kind == "container"], 2)
    if rng.random() < 0.3:
        inner.inside, inner.place = outer.name, outer.place
    for treatment in treatments.values():
        if "station" in treatment:
            holders.append(Holder(rng.choice(treatment["station"]), rng.choice(places), "station"))
    holders.append(Holder(rng.choice(domain["devices"]), rng.choice(places), "device"))
    rng.shuffle(holders)
    operations = {f"{'treat' if 'station' in t else 'apply'}:{i}": t for i, t in treatments.items()}
    ways = connect(rng, domain["map"], places)
    return World(places, ways, {h.name: h for h in holders}, {}, operations, [], domain["carry"], rng.choice(places))


def _populate(rng: random.Random, domain: dict[str, Any], world: World) -> None:
    """Items with states, the tools that treatments need, and in half of the worlds a lock with its key elsewhere."""
    stores = [h.name for h in world.holders.values() if h.kind in ("surface", "container")]
    before = {t["before"] for t in world.treatments.values()}
    separator = "-" if any("." in noun for noun in domain["items"]) else " "
    names = {
        f"{rng.choice(domain['traits'])}{separator}{noun}" for noun in _some(rng, domain["items"])[: rng.randint(5, 8)]
    }
    for name in sorted(names):
        world.items[name] = Item(name, rng.choice(stores), set(before))
    for treatment in world.treatments.values():
        if "tool" in treatment:
            tool = rng.choice(treatment["tool"])
            world.items[tool] = Item(tool, rng.choice(stores))
    lockable = [h for h in world.holders.values() if h.kind == "container" and not h.open and h.inside is None]
    if lockable and rng.random() < 0.5:
        locked, key = rng.choice(lockable), rng.choice(KEYS)
        outside = [n for n in stores if n != locked.name and world.holders[n].inside != locked.name]
        locked.key = key
        world.items[key] = Item(key, rng.choice(outside))


def _choose_goal(rng: random.Random, world: World) -> list[Condition]:
    """One to three conditions, none of which holds at the start."""
    stores = [h for h in world.holders.values() if h.kind in ("surface", "container")]
    movable = [i for i in world.items.values() if i.states]
    first, second = rng.sample(movable, 2)
    treatment = rng.choice(list(world.treatments.values()))
    target = rng.choice([h for h in stores if h.name not in (first.at, second.at)] or stores)
    treated, stored = Condition(first.name, "is", treatment["after"]), Condition(first.name, "in", target.name)
    device = next(h.name for h in world.holders.values() if h.kind == "device")
    goal = rng.choice(
        [
            [stored],
            [treated, stored],
            [treated],
            [stored, Condition(second.name, "in", target.name)],
            [treated, Condition(device, "is", "on")],
            [stored, Condition(device, "is", "on")],
        ]
    )
    return [condition for condition in goal if not world.holds(condition)] or [Condition(device, "is", "on")]


def _draw_grammar(rng: random.Random, domain: dict[str, Any], world: World) -> dict[str, Form]:
    """A spelling for every operation that this world knows."""
    handling = ["take", "put"] if world.carry else ["transfer"]
    kinds = {h.kind for h in world.holders.values()}
    operations = [
        "go",
        "look",
        *handling,
        *(["open", "unlock"] if "container" in kinds else []),
        "switch",
        *world.treatments,
    ]
    taken: set[str] = set()
    words = domain["words"]
    forms = [
        draw_form(rng, op, tuple(world.treatments.get(op, {}).get("verbs", ())), words, taken) for op in operations
    ]
    rng.shuffle(forms)
    return {form.operation: form for form in forms}


def _write_script(rng: random.Random, world: World, forms: dict[str, Form]) -> Script:
    items, holders = list(world.items), list(world.holders)
    values = {"place": world.places, "item": items, "tool": items, "holder": holders}
    conditions = [str(condition) for condition in world.goal]
    return Script(
        environment=world.as_environment(),
        goal=rng.choice(GOAL_TEXTS).format(" and ".join(conditions)),
        completion_conditions=conditions,
        available_actions={form.signature: action_spec(form, values) for form in forms.values()},
    )


def _some(rng: random.Random, names: list[str]) -> list[str]:
    """The names in random order."""
    return rng.sample(names, len(names))
