"""Building a world: places, holders, items, one goal that can be reached, and a grammar drawn for it."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from agentrefine_lib.schema import Script
from agentrefine_lib.teachers.embedded.grammar import Form, action_spec, draw_form
from agentrefine_lib.teachers.embedded.player import Player, count_moves
from agentrefine_lib.teachers.embedded.voice import Voice, listing, load_wording
from agentrefine_lib.teachers.embedded.world import STORES, Condition, Holder, Item, World, connect

KEYS = ("brass key", "iron key", "silver key", "rusty key", "copper key", "small key")
NOTES = ("memo", "torn page", "sticky note", "greeting card", "shopping list", "folded letter")
CODES = (
    "amber", "falcon", "winter", "sigma", "lagoon", "mosaic", "velvet", "harbour", "pepper", "quartz", "tango",
    "willow", "zephyr", "comet", "ginger", "saturn",
)  # fmt: skip
REDRAWS = 40  # worlds drawn until one has the length that it should have


class Size(NamedTuple):
    """How large a world may be: numbers of things to draw from, and how likely some of them are."""

    moves: range  # that a game may need
    places: tuple[int, ...]
    containers: tuple[int, ...]
    items: tuple[int, ...]  # kinds of them
    cases: float  # a container in a container
    twins: float  # two items that differ by a trait only
    locks: tuple[str, ...]
    combined: bool  # goals of several conditions; treatments with tools, or one after another


FULL = Size(
    moves=range(4, 13),  # enough for mistakes between them, few enough for a small context
    places=(2, 2, 3, 3, 4, 5),
    containers=(1, 2, 2, 3),
    items=(2, 3, 4),
    cases=0.45,
    twins=0.85,
    locks=("", "key", "key", "code", "code"),
    combined=True,
)
PLAIN = Size(moves=range(2, 6), places=(2,), containers=(1,), items=(2,), cases=0, twins=0, locks=("",), combined=False)


class Game(NamedTuple):
    """A world, how its commands are spelled and its sentences worded, and the script that a Player reads."""

    world: World
    forms: dict[str, Form]  # operation → spelling
    voice: Voice
    script: Script
    moves: int  # that a Player needs who makes no mistake


def build_game(rng: random.Random, speech: random.Random, domain: dict[str, Any], plain: bool = False) -> Game:
    """Draw a world of a domain with ``rng``, its grammar and wordings with ``speech``. ``plain``: a small world."""
    size = PLAIN if plain else FULL
    for _ in range(REDRAWS):
        world = _draw_world(rng, domain, size)
        moves = count_moves(Player(world), size.moves.stop)
        if moves in size.moves:
            break
    forms = _draw_grammar(speech, domain)
    voice = Voice(speech, domain, plain)
    return Game(world, forms, voice, _write_script(rng, world, forms, voice), moves)


def _draw_world(rng: random.Random, domain: dict[str, Any], size: Size) -> World:
    """The goal is always reachable: at most one lock, and what opens it is outside."""
    treatments = _draw_treatments(rng, domain, size)
    places = rng.sample(domain["places"], rng.choice(size.places))
    holders = _draw_holders(rng, domain, places, treatments, size)
    ways = connect(rng, domain["map"], places)
    world = World(places, ways, holders, {}, treatments, [], [], domain["carry"], rng.choice(places))
    twins = _populate(rng, domain, world, size)
    lock = _lock(rng, domain, world, size)
    world.goal = _choose_goal(rng, world, twins, lock, size)
    return world


def _draw_treatments(rng: random.Random, domain: dict[str, Any], size: Size) -> dict[str, dict[str, Any]]:
    """One or two treatments, each with those that have to come before it; in a small world one that needs nothing."""
    every = domain["treatments"]
    if not size.combined:
        later = {t["after"] for t in every}
        one = rng.choice([i for i, t in enumerate(every) if "station" in t and t["before"] not in later])
        return {operation_of(one, every[one]): every[one]}
    chosen: set[int] = set()
    for drawn in rng.sample(range(len(every)), rng.randint(1, 2)):
        index: int | None = drawn
        while index is not None:
            chosen.add(index)
            index = next((i for i, t in enumerate(every) if t["after"] == every[index]["before"]), None)
    return {operation_of(i, every[i]): every[i] for i in sorted(chosen)}


def operation_of(index: int, treatment: dict[str, Any]) -> str:
    return f"{'treat' if 'station' in treatment else 'apply'}:{index}"


def _draw_holders(
    rng: random.Random, domain: dict[str, Any], places: list[str], treatments: dict[str, dict[str, Any]], size: Size
) -> dict[str, Holder]:
    """A surface in each place, containers (some closed, perhaps a case in one), the stations, a device."""
    surfaces = rng.sample(domain["surfaces"], len(places))
    holders = [Holder(name, place, "surface") for name, place in zip(surfaces, places, strict=True)]
    for name in rng.sample(domain["containers"], rng.choice(size.containers)):
        holders.append(Holder(name, rng.choice(places), "container", open=rng.random() < 0.3))
    if rng.random() < size.cases:
        outer = rng.choice(holders[len(places) :])
        name, opened = rng.choice(domain["cases"]), rng.random() < 0.3
        holders.append(Holder(name, outer.place, "container", inside=outer.name, open=opened))
    stations = [rng.choice(t["station"]) for t in treatments.values() if "station" in t]
    holders += [Holder(name, rng.choice(places), "station") for name in stations]
    holders.append(Holder(rng.choice(domain["devices"]), rng.choice(places), "device"))
    rng.shuffle(holders)
    return {holder.name: holder for holder in holders}


def _populate(rng: random.Random, domain: dict[str, Any], world: World, size: Size) -> list[str]:
    """Items with their states and the tools. Returns the names of two that differ by a trait only, if there are."""
    stores = [h.name for h in world.holders.values() if h.kind in STORES]
    treatments = world.treatments.values()
    untreated = {t["before"] for t in treatments} - {t["after"] for t in treatments}
    separator = "-" if any("." in noun for noun in domain["items"]) else " "
    nouns = rng.sample(domain["items"], rng.choice(size.items))
    twins = rng.random() < size.twins
    if twins:
        nouns.insert(0, nouns[0])
    names = [
        f"{trait}{separator}{noun}" for trait, noun in zip(rng.sample(domain["traits"], len(nouns)), nouns, strict=True)
    ]
    things = [Item(name, rng.choice(stores), set(untreated)) for name in names]
    things += [Item(rng.choice(t["tool"]), rng.choice(stores)) for t in treatments if "tool" in t]
    rng.shuffle(things)
    world.items = {thing.name: thing for thing in things}
    return names[:2] if twins else []


def _lock(rng: random.Random, domain: dict[str, Any], world: World, size: Size) -> Holder | None:
    """In most worlds one container is locked, and a key or a note with the code is outside it."""
    free = [h for h in world.holders.values() if h.kind == "container" and not h.open and h.inside is None]
    kind = rng.choice(size.locks)
    if not free or not kind:
        return None
    locked = rng.choice(free)
    outside = [h.name for h in world.holders.values() if h.kind in STORES and locked.name not in (h.name, h.inside)]
    if kind == "key":
        names = rng.sample(domain.get("keys", KEYS), rng.randint(1, 2))
        locked.key = names[0]
        items = [Item(name, rng.choice(outside)) for name in names]  # a second one fits nothing
    else:
        world.codes = rng.sample(CODES, rng.randint(4, 6))
        locked.code = rng.choice(world.codes)
        items = _write_notes(rng, domain, locked, outside)
    world.items |= {item.name: item for item in items}
    return locked


def _write_notes(rng: random.Random, domain: dict[str, Any], locked: Holder, outside: list[str]) -> list[Item]:
    """A note that tells the code, and perhaps one that does not help."""
    texts = load_wording()["note_texts"]
    text = rng.choice(texts["code"]).format(holder=locked.name, code=locked.code)
    names = rng.sample(domain.get("notes", NOTES), rng.choice((1, 1, 2)))
    notes = [Item(name, rng.choice(outside), text=rng.choice(texts["idle"])) for name in names]
    notes[0].text, notes[0].code = text, locked.code
    rng.shuffle(notes)
    return notes


def _choose_goal(
    rng: random.Random, world: World, twins: list[str], lock: Holder | None, size: Size
) -> list[Condition]:
    """One to four conditions, none of which holds at the start; in a small world one."""
    movable = [i for i in world.items.values() if i.states]
    first = world.items[rng.choice(twins)] if twins else rng.choice(movable)
    second = rng.choice([i for i in movable if i is not first])
    target = _choose_target(rng, world, first, second, lock)
    last, other = _last_states(rng, world)
    device = next(h for h in world.holders.values() if h.kind == "device")
    stored, too = (_stored(item, target) for item in (first, second))
    treated, also = Condition(first.name, "is", last), Condition(second.name, "is", other)
    on = Condition(device.name, "is", "on")
    if not size.combined:
        return rng.choice([[stored], [stored], [treated], [treated], [on]])
    return rng.choice(
        [
            [stored],
            [treated],
            [treated, stored],
            [treated, stored],
            [stored, too],
            [treated, also],
            [stored, on],
            [on, treated],
            [treated, stored, also],
            [treated, stored, on],
            [treated, stored, also, too],
            [stored, too, on],
        ]
    )


def _choose_target(rng: random.Random, world: World, first: Item, second: Item, lock: Holder | None) -> Holder:
    """Where things have to go; a lock in the world mostly stands in the way, of the target or of the thing."""
    stores = [h for h in world.holders.values() if h.kind in STORES]
    if lock is not None:
        use = rng.choice(("target", "source", "none"))
        if use == "source":
            first.at = lock.name
        if use == "target" and lock.name not in (first.at, second.at):
            return lock
    return rng.choice([h for h in stores if h.name not in (first.at, second.at)])


def _stored(item: Item, target: Holder) -> Condition:
    return Condition(item.name, "in" if target.kind == "container" else "on", target.name)


def _last_states(rng: random.Random, world: World) -> tuple[str, str]:
    """Two states that treatments lead to, the one that needs most steps first in most cases."""
    after = [t["after"] for t in world.treatments.values()]
    later = [t["after"] for t in world.treatments.values() if t["before"] in after]
    return rng.choice(later if later and rng.random() < 0.7 else after), rng.choice(after)


def _draw_grammar(rng: random.Random, domain: dict[str, Any]) -> dict[str, Form]:
    """A spelling for every operation that worlds of this domain may need."""
    treatments = {operation_of(i, t): tuple(t["verbs"]) for i, t in enumerate(domain["treatments"])}
    handling = ("take", "put") if domain["carry"] else ("transfer",)
    operations = (*treatments, "go", "look", *handling, "open", "unlock", "enter", "read", "switch")
    words = {"code": "code"} | domain["words"]
    taken: set[str] = set()
    forms = [draw_form(rng, op, treatments.get(op, ()), words, taken) for op in operations]
    rng.shuffle(forms)
    return {form.operation: form for form in forms}


def _write_script(rng: random.Random, world: World, forms: dict[str, Form], voice: Voice) -> Script:
    """The script: only those commands that this world has a use for."""
    items, holders = list(world.items), list(world.holders)
    values = {"place": world.places, "item": items, "tool": items, "holder": holders, "code": world.codes}
    useless = {op for op in forms if ":" in op and op not in world.treatments}
    if not world.codes:
        useless |= {"enter", "read"}
    conditions = [voice.condition(world, condition) for condition in world.goal]
    return Script(
        environment=world.as_environment(),
        goal=rng.choice(voice.wording["goals"]).format(listing(conditions)),
        completion_conditions=conditions,
        available_actions={f.signature: action_spec(f, values) for op, f in forms.items() if op not in useless},
    )
