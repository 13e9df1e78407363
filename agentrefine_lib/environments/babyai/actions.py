"""The text commands: each is a short plan of the engine's own moves, or is refused with a reason."""

import re
from typing import Any

from agentrefine_lib.environments.babyai.mission import move
from agentrefine_lib.environments.babyai.view import DEPTH, FRONT, SIDE, Thing, View
from agentrefine_lib.environments.protocol import Refusal
from agentrefine_lib.environments.signature import short
from agentrefine_lib.environments.words import load_words

LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE = range(6)  # the engine's actions
HEADINGS = ((0, 1), (1, 0), (0, -1), (-1, 0))  # ahead, right, back, left: what one step forward adds to a cell
CHECK = "check available actions"

COMMANDS: dict[str, str] = load_words(__file__)["commands"]

Cell = tuple[int, int]  # in the agent's frame, as in view.py
Pose = tuple[Cell, int]  # a cell and an index into HEADINGS


def normal(action: str) -> str:
    """One spelling for each command: case, spaces and a final full stop do not matter; "pick up" means "pickup"."""
    text = " ".join(action.lower().split()).rstrip(".").rstrip()
    return re.sub(r"^pick up\b", "pickup", text)


class Routes:
    """Shortest plans from the agent's pose to every pose it can reach inside the view."""

    def __init__(self, view: View) -> None:
        blocked = view.walls | {thing.cell for thing in view.things if thing.state != "open"}
        start: Pose = ((0, 0), 0)
        self._came: dict[Pose, tuple[Pose, int]] = {}
        self._facing: dict[Cell, Pose] = {}  # the nearest pose that looks at a cell from beside it
        self._standing: dict[Cell, Pose] = {}
        queue, expanded = [start], set()
        for pose in queue:  # grows while it is walked
            (right, ahead), heading = pose
            step = HEADINGS[heading]
            front = (right + step[0], ahead + step[1])
            expanded.add(pose)
            self._standing.setdefault(pose[0], pose)
            self._facing.setdefault(front, pose)
            turns = [((pose[0], (heading - 1) % 4), LEFT), ((pose[0], (heading + 1) % 4), RIGHT)]
            free = abs(front[0]) <= SIDE and 0 <= front[1] <= DEPTH and front not in blocked
            for reached, action in [((front, heading), FORWARD), *turns] if free else turns:
                if reached in expanded:
                    continue
                if reached not in self._came:
                    queue.append(reached)
                self._came[reached] = (pose, action)  # the last parent wins: AgentBoard's ties

    def _plan(self, pose: Pose | None) -> tuple[int, ...] | None:
        if pose is None:
            return None
        moves: list[int] = []
        while pose != ((0, 0), 0):
            pose, action = self._came[pose]
            moves.append(action)
        return tuple(reversed(moves))

    def to_face(self, cell: Cell) -> tuple[int, ...] | None:
        return self._plan(self._facing.get(cell))

    def to_enter(self, cell: Cell) -> tuple[int, ...] | None:
        return self._plan(self._standing.get(cell))


def options(view: View) -> dict[str, tuple[int, ...]]:
    """Every action that is possible now, with its plan of engine moves."""
    found: dict[str, tuple[int, ...]] = {CHECK: (), "turn left": (LEFT,), "turn right": (RIGHT,)}
    ahead = view.at(FRONT)
    if FRONT not in view.walls and (ahead is None or ahead.state == "open"):
        found["move forward"] = (FORWARD,)
    if view.carrying and FRONT not in view.walls and ahead is None:
        found["drop"] = (DROP,)
    if ahead and ahead.kind == "door" and opens(ahead, view):
        found["toggle"] = (TOGGLE,)
    routes = Routes(view)
    for thing in view.things:
        path = routes.to_face(thing.cell)
        if path:
            found[f"go to {thing.label}"] = path
        if path is not None and thing.kind != "door" and not view.carrying:
            found[f"pickup {thing.label}"] = (*path, PICKUP)
        if thing.state == "open" and (inside := routes.to_enter(thing.cell)):
            found[f"go through {thing.label}"] = inside
        if path is not None and thing.state in ("closed", "locked") and opens(thing, view):
            found[f"toggle and go through {thing.label}"] = (*path, TOGGLE, FORWARD)
    return found


def play(engine: Any, plan: tuple[int, ...]) -> tuple[bool, float]:
    """Make the moves of a plan until one is blocked or ends the episode. Returns (episode over, reward)."""
    over, reward = False, 0.0
    for action in plan:
        before = tuple(engine.agent_pos)
        over, reward = move(engine, action)
        if over or (action == FORWARD and tuple(engine.agent_pos) == before):
            break
    return over, reward


def opens(door: Thing, view: View) -> bool:
    """Whether toggling this door would do anything: a locked one needs the key of its color in hand."""
    return door.state != "locked" or view.carrying == (door.color, "key")


def refuse(view: View, command: str) -> Refusal:
    """Explain why a normalised command is not among the options."""
    if command in ("move forward", "drop", "toggle"):
        return _not_now(view, command)
    aimed = re.fullmatch(r"(pickup|go to|go through|toggle and go through) (.+)", command)
    if aimed is None:
        return Refusal("format", f'"{short(command)}" is not a command. The commands are: {", ".join(COMMANDS)}.')
    verb, label = aimed.groups()
    thing = next((thing for thing in view.things if thing.label == label), None)
    if thing is not None:
        return _about(view, verb, thing)
    if not label[-1].isdigit():
        message = "Name one thing with its number, as it appears in the observation, e.g. red ball 1."
        return Refusal("parameter", message)
    names = ", ".join(thing.label for thing in view.things) or "nothing"
    return Refusal("parameter", f'You do not see "{short(label)}" from here. In view: {names}.')


def _not_now(view: View, verb: str) -> Refusal:
    ahead = view.at(FRONT)
    blocker = "wall" if FRONT in view.walls else ahead.name if ahead else ""
    if verb == "move forward":
        return Refusal("logic", f"A {blocker} blocks the cell ahead, so you stay where you are.")
    if verb == "drop":
        reason = f"the cell ahead holds a {blocker}" if view.carrying else "your hands are empty"
        return Refusal("logic", f"Nothing can be dropped: {reason}.")
    if ahead and ahead.kind == "door":
        return Refusal("logic", f"The {ahead.label} is locked, and you do not carry the {ahead.color} key.")
    return Refusal("logic", "There is no door right in front of you to toggle.")


def _about(view: View, verb: str, thing: Thing) -> Refusal:
    if verb == "pickup" and thing.kind == "door":
        return Refusal("parameter", f"The {thing.label} is a door and cannot be carried.")
    if verb == "pickup" and view.carrying:
        return Refusal("logic", f"Your hands are full: drop the {' '.join(view.carrying)} first.")
    if verb.endswith("go through") and thing.kind != "door":
        return Refusal("parameter", f"The {thing.label} is not a door.")
    if verb == "go through" and thing.state != "open":
        return Refusal("logic", f"The {thing.label} is not open yet: toggle it first.")
    if verb == "toggle and go through" and thing.state == "open":
        return Refusal("logic", f"The {thing.label} is open already: just go through it.")
    if verb == "toggle and go through" and not opens(thing, view):
        return Refusal("logic", f"The {thing.label} is locked, and you do not carry the {thing.color} key.")
    if verb == "go to" and thing.cell == FRONT:
        return Refusal("logic", f"You already face the {thing.label}.")
    return Refusal("logic", f"From here you see no free path to the {thing.label}.")
