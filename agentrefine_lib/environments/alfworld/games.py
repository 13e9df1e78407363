"""Games of our own for the six task types, on the floor plans and the vocabulary of the alfworld wheel.

A floor plan gives the kinds of things in a room and where the agent can stand; the vocabulary says what may lie where
and what can be heated, cooled or cleaned. Which thing lies where is drawn here, so these are not ALFRED's own games.
Every game can be solved: what its goal names is there, and does not lie at its goal yet.
"""

import functools
import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from agentrefine_lib.environments.alfworld.bundle import GOALS, LAYOUTS, constants

TASK_TYPES = (
    "pick_and_place_simple",
    "look_at_obj_in_light",
    "pick_clean_then_place_in_recep",
    "pick_heat_then_place_in_recep",
    "pick_cool_then_place_in_recep",
    "pick_two_obj_and_place",
)
TRAINING_SEEDS = 1000  # seeds from here on play in alfworld's 96 training rooms, those below in its 24 test rooms
LAMP = "DeskLamp"
LAMP_PLACES = ("Desk", "Dresser", "Shelf", "SideTable")
ABILITIES = {"clean": "Cleanable", "heat": "Heatable", "cool": "Coolable"}
APPLIANCES = {"clean": "SinkBasin", "heat": "Microwave", "cool": "Fridge"}
SEVERAL = {"StoveBurner": 4}  # how many of a kind that a floor plan names but does not place; one of the others

HOLDS: dict[str, set[str]] = {  # kind of receptacle → kinds of things it can hold
    kind: things
    for kind, things in constants.VAL_RECEPTACLE_OBJECTS.items()
    if kind not in constants.MOVABLE_RECEPTACLES
}


class Game(NamedTuple):
    """A PDDL problem of alfworld's domain, and its goal as the player reads it."""

    problem: str
    sentence: str


class Room(NamedTuple):
    """A floor plan: kinds of things in it, and its receptacles (id, kind, location)."""

    things: list[str]
    receptacles: list[tuple[str, str, str]]

    def places(self, thing: str, without: str | None = None) -> list[str]:
        """Kinds of receptacles here that can hold a kind of thing, sorted."""
        kinds = {kind for _, kind, _ in self.receptacles} - {without}
        return sorted(kind for kind in kinds if thing in HOLDS[kind] or (thing == LAMP and kind in LAMP_PLACES))


def generate(task_type: str, seed: int) -> Game:
    """The game of a task type and a seed: always the same one. Raises KeyError for an unknown task type."""
    rng = random.Random(f"alfworld/{task_type}/{seed}")
    rooms = constants.TRAIN_SCENE_NUMBERS if seed >= TRAINING_SEEDS else constants.TEST_SCENE_NUMBERS
    allowed = sorted(set(rooms) & {n for kind in constants.GOALS_VALID[task_type] for n in constants.SCENE_TYPE[kind]})
    for number in rng.sample(allowed, len(allowed)):
        room = _room(number)
        if targets := list(_targets(task_type, room)):
            break
    thing, place = rng.choice(targets)
    found = _scatter(room, thing, place, 2 if task_type.startswith("pick_two") else 1, rng)
    names = {"obj": thing, "recep": place, "toggle": LAMP}
    goal = GOALS[task_type]["pddl"].format(**names).replace("#", "-")
    sentence = rng.choice(GOALS[task_type]["templates"]).format(**{slot: name.lower() for slot, name in names.items()})
    return Game(_problem(room, found, goal), f"{sentence}.")


def _targets(task_type: str, room: Room) -> Iterator[tuple[str, str]]:
    """What a task of this type can ask for in a room: kind of thing, and kind of receptacle ("" for the lamp's)."""
    treatment = next((word for word in ABILITIES if f"_{word}_" in task_type), None)
    if task_type == "look_at_obj_in_light":
        lit = room.places(LAMP) if LAMP in room.things else []
        yield from ((thing, "") for thing in room.things if lit and thing != LAMP)
        return
    if treatment and APPLIANCES[treatment] not in {kind for _, kind, _ in room.receptacles}:
        return
    for thing in room.things:
        if thing == LAMP or (treatment and thing not in constants.VAL_ACTION_OBJECTS[ABILITIES[treatment]]):
            continue
        for place in room.places(thing, without=APPLIANCES.get(treatment or "")):
            if room.places(thing, without=place):
                yield thing, place


def _scatter(room: Room, target: str, goal: str, least: int, rng: random.Random) -> list[tuple[str, str, str]]:
    """Put one to three of each kind somewhere (the target never at its goal): (id, kind, id of the receptacle)."""
    found = []
    for thing in room.things:
        places = room.places(thing, without=goal if thing == target else None)
        most = 1 if thing == LAMP else constants.MAX_NUM_OF_OBJ_INSTANCES
        for number in range(rng.randint(least if thing == target else 1, most) if places else 0):
            place = rng.choice(places)  # the kind first: a room has many more drawers than tables
            receptacle = rng.choice([name for name, kind, _ in room.receptacles if kind == place])
            found.append((f"{thing}_bar_{number}", thing, receptacle))
    return found


@functools.cache
def _room(number: int) -> Room:
    things = json.loads((LAYOUTS / f"FloorPlan{number}-objects.json").read_text(encoding="utf-8"))
    points = json.loads((LAYOUTS / f"FloorPlan{number}-openable.json").read_text(encoding="utf-8"))
    placed = [(_kind(name), json.dumps(points[name])) for name in sorted(points)]
    missing = sorted(set(things) & set(HOLDS) - {kind for kind, _ in placed})
    placed += [(kind, f"{kind} {i}") for kind in missing for i in range(SEVERAL.get(kind, 1))]
    spots = {spot: f"loc_bar_{i}" for i, spot in enumerate(dict.fromkeys(spot for _, spot in placed))}
    count: Counter[str] = Counter()
    receptacles = []
    for kind, spot in placed:
        suffix = f"_bar_{kind}" if kind.endswith("Basin") else ""  # what the names of basins are made from
        receptacles.append((f"{kind.removesuffix('Basin')}_bar_{count[kind]:02d}{suffix}", kind, spots[spot]))
        count[kind] += 1
    holdable = set().union(*HOLDS.values()) | {LAMP}
    return Room(sorted(set(things) & holdable), receptacles)


def _kind(name: str) -> str:
    """ "Sink|-00.70|+00.93|-00.65|SinkBasin" → "SinkBasin" """
    return name.rpartition("|")[2] if name.endswith("Basin") else name.partition("|")[0]


def _problem(room: Room, found: list[tuple[str, str, str]], goal: str) -> str:
    """The game in PDDL."""
    kinds = sorted({kind for _, kind, _ in room.receptacles} | set(APPLIANCES.values()))
    things = sorted({thing for _, thing, _ in found} | {"Knife", "ButterKnife"})  # these and the appliances: the domain
    where = {receptacle: location for receptacle, _, location in room.receptacles}
    objects = ["agent1 - agent", "loc_bar_start - location"]
    objects += [f"{location} - location" for location in dict.fromkeys(where.values())]
    objects += [f"{kind}Type - rtype" for kind in kinds] + [f"{thing}Type - otype" for thing in things]
    objects += [f"{name} - receptacle" for name in where] + [f"{name} - object" for name, _, _ in found]
    facts = ["atLocation agent1 loc_bar_start"]
    facts += [f"canContain {kind}Type {thing}Type" for kind in kinds for thing in things if thing in HOLDS[kind]]
    for name, kind, location in room.receptacles:
        facts += [f"receptacleType {name} {kind}Type", f"receptacleAtLocation {name} {location}"]
        facts += [f"openable {name}"] if kind in constants.OPENABLE_CLASS_SET else []
    for name, thing, receptacle in found:
        facts += [f"objectType {name} {thing}Type", f"inReceptacle {name} {receptacle}"]
        facts += [f"objectAtLocation {name} {where[receptacle]}"]
        facts += [f"pickupable {name}"] if thing != LAMP else []
        facts += [f"isReceptacleObject {name}"] if thing in constants.MOVABLE_RECEPTACLES_SET else []
        able = (word for word, such in constants.VAL_ACTION_OBJECTS.items() if thing in such)
        facts += [f"{word} {name}".lower() for word in able]
    lines = ["(define (problem generated)", "(:domain alfred)", "(:objects", *objects, ")"]
    return "\n".join([*lines, "(:init", *(f"({fact})" for fact in facts), ")", goal])
