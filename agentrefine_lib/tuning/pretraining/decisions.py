"""Chats that ask, about a scene, what to do next: one step each, from where one is said to stand towards one aim.

Nothing is carried out and nothing follows from an answer: the next question stands somewhere else and wants something
else. What is practised is to find a name in what was told, to see what is missing, and to say it as a command.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from agentrefine_lib.tuning.pretraining.drills import Chat
from agentrefine_lib.tuning.pretraining.questions import ask
from agentrefine_lib.tuning.pretraining.scene import ROOMS, Scene, draw_commands, draw_scene, tell_commands, tell_room

NEEDED = {"go", "take", "put", "open"}
LABELS = (("Reason", "Answer"), ("Why", "Do"), ("Note", "Result"), ("Because", "Say"), ("Idea", "Command"))
STEPS = (  # the answer to a question: first why, then the command
    "First {0}: then {1}:.",
    "Write {0}: ... and below it {1}: ...",
    "Answer in two lines, {0}: and {1}:.",
)
ASKED = ("What next?", "What comes first?", "How do you go on?", "And now?", "Which command?")
STANDING = ("You are in the {0}.", "You stand in the {0}.", "Now you are in the {0}.", "From the {0}:")
HOLDING = ("You hold the {0}.", "You carry the {0}.", "The {0} is in your hands.", "With the {0} in hand.")
EMPTY = ("", "", "You hold nothing.", "Your hands are empty.")
AIMS = {
    "have": ("Get the {item}.", "You need the {item}.", "Bring the {item}."),
    "put": ("The {item} should be in the {store}.", "Put the {item} into the {store}.",
            "Wanted: the {item} is in the {store}."),
    "make": ("The {item} has to be {state}.", "Make the {item} {state}.", "Wanted: the {item} is {state}."),
}  # fmt: skip
WHY = {
    "take": ("The {item} is in the {store}.", "I see the {item} in the {store}.",
             "There is the {item}, in the {store}."),
    "put": ("The {item} goes into the {store}.", "Here is the {store} for the {item}.",
            "The {store} is here, so in with the {item}."),
    "make": ("The {store} makes it {state}.", "With the {store} the {item} gets {state}."),
    "open": ("The {store} is closed.", "First the {store} has to be open."),
    "search": ("The {store} is closed, the {what} may be in it.", "Perhaps the {store} holds the {what}."),
    "back": ("The {what} is in the {far}.", "I know the {what} from the {far}.", "To the {far}, where the {what} is."),
    "new": ("I have not been in the {far}, the {what} may be there.", "No {what} so far; on to the {far}."),
    "through": (" The way is through the {place}.", " First comes the {place}."),
}  # fmt: skip


class Decision(NamedTuple):
    """What is said about the situation, why one step comes next, and the command for it."""

    situation: str
    why: str
    command: str


class Stand(NamedTuple):
    """Where one is and what one holds, in a scene."""

    scene: Scene
    here: str
    held: str


def write_decisions(rng: random.Random, longest: int) -> Chat:
    """A scene told room by room; most questions ask for the next step, the others for what was told."""
    scene = _draw(rng)
    layout, labels = rng.choice(ROOMS), rng.choice(LABELS)
    rooms = list(scene.ways)
    parts = [rng.choice(STEPS).format(*labels), tell_commands(scene), tell_room(scene, layout, rooms.pop(0))]
    news, chat = "\n\n".join(parts), Chat()
    for _ in range(rng.randint(1 + longest // 2, longest)):
        if rooms and rng.random() < 0.35:
            news += ("\n" if news else "") + tell_room(scene, layout, rooms.pop(0))
        decision = decide(scene) if rng.random() < 0.7 else None
        if decision is None:
            asked = ask(scene)
            decision = Decision(asked.question, asked.fact, asked.answer)
        chat.append({"role": "user", "content": f"{news}\n\n{decision.situation}".strip()})
        lines = f"{labels[0]}: {decision.why}\n{labels[1]}: {decision.command}"
        chat.append({"role": "assistant", "content": lines})
        news = ""
    return chat


def _draw(rng: random.Random) -> Scene:
    """A scene of several rooms whose commands are enough to bring something somewhere."""
    while True:
        scene = draw_scene(rng)
        if len(scene.ways) > 1 or rng.random() < 0.2:
            break
    while not set(scene.commands) >= NEEDED:
        scene.commands.clear()
        draw_commands(scene)
    return scene


def decide(scene: Scene) -> Decision | None:
    """A place to stand at, an aim, and the step that comes next; None where the draw leaves nothing to do."""
    rng = scene.rng
    kind = rng.choice(("have", "put", "put", "make"))
    making = rng.choice([command for command in scene.commands.values() if command.state])
    item = rng.choice(list(scene.at))
    target = {"have": "", "put": rng.choice(list(scene.room_of)), "make": making.store}[kind]
    if target == item or scene.state.get(target, "").startswith("locked"):
        return None
    stand = Stand(scene, rng.choice(scene.told), item if kind != "have" and rng.random() < 0.5 else "")
    step = step_towards(stand, item, target, kind, making.state)
    if step is None:
        return None
    why, operation, names = step
    command = making if operation == "make" else scene.commands[operation]
    aim = rng.choice(AIMS[kind]).format(item=item, store=target, state=making.state)
    standing = rng.choice(STANDING).format(stand.here)
    holding = rng.choice(HOLDING if stand.held else EMPTY).format(stand.held)
    said = [standing, holding, aim] if rng.random() < 0.5 else [aim, standing, holding]
    situation = " ".join(part for part in (*said, rng.choice(ASKED)) if part)
    return Decision(situation, why, command.fill(**{"item": "", "store": "", "place": ""} | names))


Step = tuple[str, str, dict[str, str]]  # why, operation, names


def step_towards(stand: Stand, item: str, target: str, kind: str, state: str) -> Step | None:
    """The item first, then where it has to go, then what has to be done there; None if nothing is left to do."""
    scene = stand.scene
    if kind == "put" and scene.at[item] == target:
        return None  # it is there, or was told to be there and is said to be in hand
    if not stand.held:
        step = _reach(stand, item)
        if step is None or step[1]:
            return step
        store = scene.at[item]
        return _say(scene, "take", item=item, store=store), "take", {"item": item, "store": store}
    step = _reach(stand, target)
    if step is None or step[1]:
        return step
    names = {"item": item, "store": target}
    return _say(scene, kind, **names, state=state), kind, names


def _reach(stand: Stand, what: str) -> Step | None:
    """The step towards a thing or store; one without an operation if it is within reach, None if nobody can."""
    scene, here = stand.scene, stand.here
    store = scene.at.get(what, what)
    seen = scene.room_of[store] in scene.told and (what == store or not scene.shut(store))
    if not seen:
        return _search(stand, what)
    room = scene.room_of[store]
    if room != here:
        return _walk(stand, lambda place: place == room, "back", what)
    if store == what and scene.shut(store):
        return _say(scene, "open", store=store), "open", {"store": store}
    return "", "", {}


def _search(stand: Stand, what: str) -> Step | None:
    """What is closed here first, then the nearest room that was not told, then what is closed elsewhere."""
    scene = stand.scene
    shut = [s for s in scene.stores() if scene.state.get(s) == "closed"]
    if what in scene.at:
        for store in (s for s in shut if scene.room_of[s] == stand.here):
            return _say(scene, "search", store=store, what=what), "open", {"store": store}
    new = _walk(stand, lambda place: place not in scene.told, "new", what)
    if new is None and what in scene.at and shut:
        room = scene.room_of[shut[0]]
        new = _walk(stand, lambda place: place == room, "new", what)
        return None if new is None else (_say(scene, "search", store=shut[0], what=what), *new[1:])
    return new


def _walk(stand: Stand, wanted: Callable[[str], bool], why: str, what: str) -> Step | None:
    """The first step to the nearest wanted room, along ways that were told."""
    scene = stand.scene
    paths: dict[str, list[str]] = {stand.here: []}
    queue = deque([stand.here])
    while queue:
        at = queue.popleft()
        if wanted(at) and paths[at]:
            place = paths[at][0]
            said = _say(scene, why, what=what, far=at)
            return said + (_say(scene, "through", place=place) if place != at else ""), "go", {"place": place}
        for room in scene.ways[at] if at in scene.told else ():
            if room not in paths:
                paths[room] = [*paths[at], room]
                queue.append(room)
    return None


def _say(scene: Scene, why: str, **names: str) -> str:
    return scene.rng.choice(WHY[why]).format(**names)
