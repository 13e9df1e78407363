"""Rooms and exits: unknown ways, boxes to look into, a way that is barred, and a thing to find, bring or hand over."""

import random
from collections.abc import Callable, Iterator
from typing import Any

from agentrefine_lib.teachers.embedded import mechanic
from agentrefine_lib.teachers.embedded.mechanic import Command, Fact, NoPlanError, Refusal, Step
from agentrefine_lib.teachers.embedded.names import Names, load_words

BAG = ""  # where a thing is that the Player carries


class World(mechanic.World):
    def __init__(self, rng: random.Random, variant: random.Random, names: Names) -> None:
        words = load_words("mechanics/rooms")
        pairs: dict[str, str] = variant.choice(words["directions"])
        kind, barred, boxed = variant.choice(("own", "at", "given")), variant.random() < 0.5, variant.random() < 0.6
        self.back = pairs | {back: way for way, back in pairs.items()}
        self.here, *others = rooms = names.draw("rooms", rng.randint(4, 6))
        self.exits: dict[str, dict[str, str]] = {room: {} for room in rooms}
        for number, room in enumerate(others):
            near = rng.choice(rooms[max(0, number - 1) : number + 1])
            way = rng.choice([way for way in self.back if way not in self.exits[near]])
            self.exits[near][way], self.exits[room][self.back[way]] = room, near
            self.bar_at = near, way  # the way to the last room, in the end
        self.things = names.draw("things", rng.randint(4, 6))
        self.boxes = names.draw("cases", boxed * rng.randint(1, 2))
        self.at = {thing: rng.choice([*rooms, *self.boxes]) for thing in self.things}  # a room, a box or the bag
        self.wanted, self.closed, self.bar, self.tool, self.stuff = self.things[0], set(self.boxes), "", "", ""
        self.at[self.wanted] = rng.choice([*others, *self.boxes])
        if barred:
            self.stuff, (self.bar, tools) = rng.choice(list(words["obstacles"].items()))
            self.tool = f"{rng.choice(names.words('traits'))} {rng.choice(tools)}"
            self.things.append(self.tool)
            self.at |= {self.tool: rng.choice(rooms[:-1]), self.wanted: rooms[-1], self.bar: self.bar_at[0]}
        goal = rng.choice([room for room in rooms if room != self.at[self.wanted]])
        self.people = names.draw("people", int(kind == "given"))
        self.at |= {box: rng.choice(others) for box in self.boxes} | dict.fromkeys(self.people, goal)
        self.aims = [(kind, self.wanted, *(self.people or [goal] * (kind == "at")))]
        unused = {"drop": kind != "at", "give": kind != "given", "open": not boxed, "clear": not barred}
        self.unused = tuple(name for name, is_unused in unused.items() if is_unused)
        self.rules = [("only_here",), *(("way_back", *pair) for pair in pairs.items())]

    def names(self, slot: str) -> list[str]:
        some = {"direction": [*self.back], "person": self.people, "vessel": self.boxes, "obstacle": [self.bar]}
        return some.get(slot, self.things)

    def scene(self) -> list[Fact]:
        here, facts = self.here, list[Fact]([("here", self.here)])
        barred = self.bar_at[1] if self.at.get(self.bar) == here else ""
        facts += [("blocked", way, self.bar) if way == barred else ("exit", way) for way in self.exits[here]]
        looks = dict.fromkeys(self.boxes, "stands") | dict.fromkeys(self.people, "person")
        facts += [(looks.get(name, "lies"), name) for name, at in self.at.items() if at == here and name != self.bar]
        facts += [fact for box in self.boxes if self.at[box] == here for fact in self._inside(box)]
        facts += [("serves", self.tool, self.stuff)] if self.tool and self.at[self.tool] == here else []
        return facts + [("held", thing) for thing in self.things if self.at[thing] == BAG]

    def _inside(self, box: str) -> list[Fact]:
        inside: list[Fact] = [("inside", thing, box) for thing in self.things if self.at[thing] == box]
        return [("closed", box)] if box in self.closed else inside or [("hollow", box)]

    def faults(self, command: Command) -> Iterator[object]:
        operation, name, *more = command
        if operation == "go":
            barred = (self.here, name) == self.bar_at and self.at.get(self.bar) == self.here
            yield barred and Refusal("precondition", ("blocked", name, self.bar))
            yield name not in self.exits[self.here] and Refusal("precondition", ("no_exit", name))
        elif operation == "take":
            at = self.at[name]
            yield at == BAG and Refusal("no_effect", ("have", name))
            near = self.here in (at, self.at.get(at)) and at not in self.closed
            yield not near and Refusal("absent", ("not_here", name))
        else:
            met, used = (name, more[0]) if operation == "clear" else ((more or [name])[0], name)
            yield operation != "drop" and self.at[met] != self.here and Refusal("place", ("not_here", met))
            if operation == "open":
                yield name not in self.closed and Refusal("no_effect", ("open_already", name))
                return
            yield self.at[used] != BAG and Refusal("precondition", ("not_had", used))
            wrong = used != {"clear": self.tool, "give": self.wanted}.get(operation, used)
            yield wrong and Refusal("precondition", ("no_use" if operation == "clear" else "unwanted", used, met))

    def act(self, command: Command) -> list[Fact]:
        operation, name, *more = command
        if operation == "go":
            self.here = self.exits[self.here][name]
            return self.scene()
        if operation == "open":
            self.closed.discard(name)
            return [("opened", name), *self._inside(name)]
        self.at[name] = {"take": BAG, "drop": self.here, "clear": "nowhere"}.get(operation, *more)
        told = {"take": "took", "drop": "dropped", "clear": "cleared", "give": "given"}[operation]
        return [(told, name, *more), *([("exit", self.bar_at[1])] if operation == "clear" else [])]

    def holds(self, aim: Fact) -> bool:
        return self.at[aim[1]] == (*aim, BAG)[2]

    def layout(self) -> dict[str, Any]:
        return {"exits": self.exits, "things": self.at}

    def expert(self) -> mechanic.Expert:
        return Expert(self.aims[0], self.back)


class Expert(mechanic.Expert):
    """Draws a map of the rooms; a way that it has not gone leads to a room without exits."""

    def __init__(self, aim: Fact, back: dict[str, str]) -> None:
        self.aim, self.back, self.here, self.gone, self.tool = aim, back, "", "", ("", "")
        self.exits: dict[str, dict[str, str]] = {}
        self.at, self.shut, self.bar = dict[str, str](), list[str](), ("", "")

    def did(self, command: Command) -> None:
        self.gone = command[1] if command[0] == "go" else ""

    def saw(self, fact: Fact) -> None:
        match fact:
            case ("here", room):
                ways = self.exits.setdefault(room, {})
                if self.gone:
                    self.exits[self.here][self.gone], ways[self.back[self.gone]] = room, self.here
                self.here, self.gone, self.at[room] = room, "", room
            case ("exit", way):
                self.exits[self.here].setdefault(way, f"{way} of {self.here}")
            case ("blocked", way, name):
                self.bar, self.at[name] = (name, way), self.here
            case ("closed", name):
                self.shut += [name] if name not in self.shut else []
            case ("opened", name):
                self.shut.remove(name)
            case ("serves", *tool):
                self.tool = tool[0], tool[1]
            case ("inside", name, at):
                self.at[name] = at
            case ("took" | "lies" | "stands" | "person" | "dropped" as state, name):
                self.at[name] = BAG if state == "took" else self.here

    def next(self) -> Step:
        kind, thing, *to = self.aim
        if self.at.get(thing) != BAG:
            return self._reach(thing, ("take", thing), ("wanted", thing))
        if kind == "at":
            return self._reach(to[0], ("drop", thing), ("belongs", thing, *to))
        return self._reach(to[0], ("give", thing, *to), ("waits", thing, *to))

    def _reach(self, target: str, goal: Command, why: Fact) -> Step:
        """Do something where a thing, a person or an obstacle is, or in a room; find it and go there first."""
        at = self.at.get(target, "?")
        room = self.at.get(at, at)
        if room == self.here:
            seen: Fact = ("inside", target, at) if at != room else ("lies", target)
            held: Fact = ("held", goal[-1] if goal[0] == "clear" else goal[1])
            return Step(goal, why, seen if goal[0] == "take" else held, None, None, target)
        if way := self._route(lambda other: other == room):
            why = ("was_seen", target, at) if why[0] == "wanted" else why
            return Step(("go", way), why, ("way_to", room, way), None, goal, target)
        lack: Fact = ("unseen", target)
        for box in self.shut:
            if self.at[box] == self.here:
                return Step(("open", box), ("may_hide", target, box), ("closed", box), lack, None, target, True)
        if way := self._route(lambda other: other not in self.exits or other in map(self.at.get, self.shut)):
            new = self.exits[self.here][way] not in self.exits
            return Step(("go", way), ("untried" if new else "farther", way), None, lack, None, target, True)
        tool, (bar, _) = self.tool[0], self.bar
        if not bar or not tool or target in (tool, bar):
            raise NoPlanError
        what, goal = (bar, ("clear", bar, tool)) if self.at[tool] == BAG else (tool, ("take", tool))
        return self._reach(what, goal, ("serves", *self.tool))

    def _route(self, is_goal: Callable[[str], bool]) -> str:
        """The first way to the nearest such room, or ""."""
        queue = [(self.here, "")]
        for room, first in queue:
            if first and is_goal(room):
                return first
            known = [to for to, _ in queue]
            queue += [(to, first or way) for way, to in self.exits.get(room, {}).items() if to not in known]
        return ""
