"""What the agent sees: the engine's 7 × 7 view as numbered things in the agent's own frame, and as AgentBoard's text.

In that frame the agent stands at (0, 0) and looks along the second axis: a cell is (steps to the right, steps ahead).
"""

from collections import Counter
from typing import Any, NamedTuple

from minigrid.core.constants import IDX_TO_COLOR, IDX_TO_OBJECT, STATE_TO_IDX

SIDE = 3  # how far the view reaches to the left and to the right
DEPTH = 6  # how far it reaches ahead
FRONT = (0, 1)  # the cell right ahead
DOOR_STATES = {index: name for name, index in STATE_TO_IDX.items()}


class Thing(NamedTuple):
    """One thing in view. ``number`` counts things of one name by Manhattan distance, from 1."""

    kind: str  # "door", "key", "ball" or "box"
    color: str
    state: str  # "open", "closed" or "locked" for a door, otherwise empty
    number: int
    cell: tuple[int, int]

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.color, self.state, self.kind) if part)

    @property
    def label(self) -> str:
        return f"{self.name} {self.number}"


class View(NamedTuple):
    """All that the agent sees from one pose. The thing or wall on its own cell is not seen."""

    things: tuple[Thing, ...]  # near to far
    walls: frozenset[tuple[int, int]]
    carrying: tuple[str, str] | None  # (color, kind)

    def at(self, cell: tuple[int, int]) -> Thing | None:
        return next((thing for thing in self.things if thing.cell == cell), None)


def look(engine: Any) -> View:
    """Read the view out of a MiniGrid engine. Ties in distance: farther row first, then left to right (AgentBoard)."""
    image = engine.gen_obs()["image"].tolist()
    walls, found = set(), []
    for ahead in range(DEPTH, -1, -1):
        for right in range(-SIDE, SIDE + 1):
            kind, color, state = image[right + SIDE][DEPTH - ahead]
            name = IDX_TO_OBJECT[kind]
            if (right, ahead) == (0, 0):
                continue  # the engine draws what the agent carries here
            if name == "wall":
                walls.add((right, ahead))
            elif name in ("door", "key", "ball", "box"):
                found.append((name, IDX_TO_COLOR[color], DOOR_STATES[state] if name == "door" else "", (right, ahead)))
    found.sort(key=lambda thing: abs(thing[3][0]) + thing[3][1])
    count: Counter[tuple[str, str, str]] = Counter()
    things = []
    for kind_name, color_name, state_name, cell in found:
        alike = (kind_name, color_name, state_name)
        count[alike] += 1
        things.append(Thing(*alike, count[alike], cell))
    held = engine.carrying
    return View(tuple(things), frozenset(walls), (held.color, held.type) if held else None)


def where(cell: tuple[int, int]) -> str:
    """A cell in AgentBoard's words."""
    right, ahead = cell
    if right == 0:
        return f"right in front of you {ahead} steps away"
    return f"{ahead} steps in front of you and {abs(right)} steps to your {'right' if right > 0 else 'left'}"


def describe(view: View) -> str:
    """The observation in AgentBoard's format, double spaces included; its labels are matched against this text."""
    text = "You cannot see any objects within sight. "
    if view.things or view.walls:
        listing = "".join(f"There is a {thing.label} {where(thing.cell)}.  " for thing in view.things)
        text = "In front of you in this room, you can see several objects: " + listing
    text += "The room has walls around you. "
    barriers = [(ahead, "wall") for right, ahead in view.walls if right == 0]
    barriers += [(thing.cell[1], "box") for thing in view.things if thing.kind == "box" and thing.cell[0] == 0]
    if barriers:
        steps, barrier = min(barriers)
        text += f"You are facing a {barrier} {steps} steps away. "
    held = f"a {' '.join(view.carrying)}" if view.carrying else ""
    return text + (f"You are carrying {held}." if held else "You are not carrying anything.")


def absolute(engine: Any, cell: tuple[int, int]) -> tuple[int, int]:
    """The engine's grid coordinates of a cell of the view."""
    right, ahead = cell
    x, y = engine.agent_pos + engine.dir_vec * ahead + engine.right_vec * right
    return int(x), int(y)
