"""A scene: rooms with stores, things in them, and commands, under names of its own; and how it is told."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from agentrefine_lib.tuning.pretraining.words import draw_name, draw_word, load_words

ROOMS = (  # how a scene tells of a room: the room, one store in it, the words between stores, its doors
    ("In the {room} there is {things}.{doors}", "a {store} ({full})", "a {store} ({state})", ", ", " Doors: {ways}."),
    ("{room}: {things}{doors}", "{store} with {full}", "{store}, {state}", "; ", "; next to {ways}"),
    ("The {room}.\n{things}{doors}", "- {store}: {full}", "- {store}: {state}", "\n", "\nFrom here: {ways}"),
    ("You see the {room}. {things}.{doors}", "The {store} has {full}", "The {store} is {state}", ". ",
     " It leads to {ways}."),
    ("<{room}> {things}{doors}", "{store} = {full}", "{store} = {state}", " | ", " | to {ways}"),
    ("{things} can be found in the {room}.{doors}", "{full} at the {store}", "the {store} [{state}]", ", ",
     " Near: {ways}."),
)  # fmt: skip


@dataclass
class Command:
    """One command of a scene: its operation, verb, spelling, and for an invented one what it needs and leads to."""

    operation: str
    verb: str
    template: str
    store: str = ""
    state: str = ""

    def fill(self, **names: str) -> str:
        return self.template.format(v=self.verb, **names)


@dataclass
class Scene:
    """Rooms, stores and things under names of their own; what has been told so far is in ``told`` and ``at``."""

    rng: random.Random
    names: set[str] = field(default_factory=set)
    room_of: dict[str, str] = field(default_factory=dict)  # store → room
    state: dict[str, str] = field(default_factory=dict)  # store → closed, locked, on …; item → its state
    key: dict[str, str] = field(default_factory=dict)  # locked store → the item that opens it
    at: dict[str, str] = field(default_factory=dict)  # item → store
    ways: dict[str, list[str]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)  # rooms that were described
    commands: dict[str, Command] = field(default_factory=dict)

    def name(self, kind: str, twin: str = "") -> str:
        """A name that the scene does not have yet. ``twin``: a name whose last word it shares."""
        while True:
            drawn = draw_name(self.rng, kind)
            if twin and " " in twin:
                drawn = f"{draw_word(self.rng, 'adjectives')} {twin.rpartition(' ')[2]}"
            if drawn not in self.names:
                self.names.add(drawn)
                return drawn

    def known(self) -> list[str]:
        """Items whose place has been told."""
        return [i for i, store in self.at.items() if self.room_of[store] in self.told and not self.shut(store)]

    def shut(self, store: str) -> bool:
        return self.state.get(store, "").startswith(("closed", "locked"))

    def stores(self) -> list[str]:
        return [store for store, room in self.room_of.items() if room in self.told]


def draw_scene(rng: random.Random) -> Scene:
    """One to four rooms, one to four stores in each, things in them, and commands."""
    scene = Scene(rng)
    rooms = [scene.name("rooms") for _ in range(rng.choice((1, 1, 1, 2, 2, 3)))]
    scene.ways = {room: [] for room in rooms}
    for number, room in enumerate(rooms[1:], start=1):
        other = rng.choice(rooms[:number])
        scene.ways[room].append(other)
        scene.ways[other].append(room)
    for room in rooms:
        for _ in range(rng.choice((1, 2, 2, 3))):
            store = scene.name(rng.choice(("stores", "stores", "nouns")))
            scene.room_of[store] = room
            if rng.random() < 0.25:
                scene.state[store] = rng.choice(("closed", "closed", "on", "off"))
    for store in scene.room_of:
        for _ in range(rng.choice((0, 1, 1, 2, 3)) if store not in scene.state or scene.shut(store) else 0):
            twin = rng.choice(list(scene.at)) if scene.at and rng.random() < 0.3 else ""
            scene.at[scene.name("nouns", twin)] = store
    if not scene.at:
        scene.at[scene.name("nouns")] = next(store for store in scene.room_of)
        scene.state.pop(next(iter(scene.at.values())), None)
    for store in [s for s in scene.room_of if scene.state.get(s) == "closed"][:1]:
        scene.key[store] = rng.choice(list(scene.at))
        scene.state[store] = rng.choice(("locked, needs the {0}", "locked; its key is the {0}")).format(
            scene.key[store]
        )
    draw_commands(scene)
    return scene


def draw_commands(scene: Scene) -> None:
    """Spellings for the usual operations, and one or two invented ones with a tool and a result each."""
    rng, used = scene.rng, set[str]()
    kinds = load_words()["operations"]
    plain = [kind for kind in kinds if kind != "make" and rng.random() < 0.6]
    for kind in [*plain, *(f"make {number}" for number in range(rng.randint(1, 2)))]:
        scene.commands[kind] = draw_command(rng, kind, used)
        if not kinds[kind.split()[0]]["verbs"]:
            scene.commands[kind].store = rng.choice([*scene.room_of, *scene.at])
            scene.commands[kind].state = draw_word(rng, "states")


def draw_command(rng: random.Random, kind: str, used: set[str]) -> Command:
    """A command of this kind, with a verb that is not used yet and one of the kind's spellings."""
    entry, verb = load_words()["operations"][kind.split()[0]], ""
    while not verb or verb in used:
        verb = rng.choice(entry["verbs"] or [draw_word(rng, "verbs")])
    used.add(verb)
    return Command(kind, verb, rng.choice(entry["shapes"]))


def tell_commands(scene: Scene) -> str:
    """The list of commands with parameter names drawn for the scene, and what the invented ones lead to."""
    rng, words = scene.rng, {}
    for own, usual in (
        ("item", ("item", "thing", "object")),
        ("store", ("store", "spot", "fixture")),
        ("place", ("place", "room")),
    ):
        words[own] = "{" + (rng.choice(usual) if rng.random() < 0.5 else draw_word(rng, "nouns")) + "}"
    lines = [f"- {command.fill(**words)}" for command in scene.commands.values()]
    rng.shuffle(lines)
    listed = rng.choice(("Commands:\n", "You can say:\n", "The commands are\n", "Known commands:\n")) + "\n".join(lines)
    for command in scene.commands.values():
        if command.state:
            listed += f"\nTo make things {command.state}, {command.verb} them with the {command.store}."
    return listed


def tell_room(scene: Scene, layout: tuple[str, ...], room: str) -> str:
    """What there is in a room; from now on it is known."""
    whole, full, other, join, doors = layout
    scene.told.append(room)
    things = []
    for store in (s for s, r in scene.room_of.items() if r == room):
        items = [item for item, at in scene.at.items() if at == store]
        state = scene.state.get(store, "")
        shown = (full if not state or state == "open" else other).format(store=store, full=listing(items), state=state)
        things.append(shown)
    ways = doors.format(ways=listing(scene.ways[room])) if scene.ways[room] else ""
    return whole.format(room=room, things=join.join(things), doors=ways)


def listing(names: list[str]) -> str:
    return (
        " and ".join(
            [", ".join(f"a {n}" for n in names[:-1]), f"a {names[-1]}"] if len(names) > 1 else [f"a {n}" for n in names]
        )
        or "nothing"
    )


def move_something(scene: Scene) -> str:
    """A known thing or store changes, and the chat says so."""
    rng, items, stores = (
        scene.rng,
        scene.known(),
        [s for s in scene.stores() if not scene.shut(s) and s not in scene.state],
    )
    if shut := [s for s in scene.stores() if scene.shut(s)]:
        store = rng.choice(shut)
        scene.state.pop(store)
        scene.key.pop(store, None)
        inside = listing([item for item, at in scene.at.items() if at == store])
        return rng.choice(
            ("The {0} is open now: {1}.", "Somebody opens the {0}. Inside: {1}.", "You find {1} in the {0}.")
        ).format(store, inside)
    if items and stores and rng.random() < 0.6:
        item, store = rng.choice(items), rng.choice(stores)
        scene.at[item] = store
        return rng.choice(
            ("The {0} is in the {1} now.", "Somebody puts the {0} into the {1}.", "{0} moved to {1}.")
        ).format(item, store)
    if items:
        item = rng.choice(items)
        scene.state[item] = draw_word(rng, "states")
        return rng.choice(("The {0} is {1}.", "Now the {0} is {1}.", "{0}: {1}")).format(item, scene.state[item])
    return ""
