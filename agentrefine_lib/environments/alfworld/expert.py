"""A scripted expert that searches a room as a player has to, and reaches the goal well within AgentBoard's 30 steps.

It acts on what the player has seen: it goes through receptacles where the thing it needs could be, until it comes
across one, and then heats, carries and places it. Only the length of a search is known beforehand: the engine's state
serves to choose an order in which at most DETOURS other places come before one that has the thing. Without that, a
search through drawers and cabinets can take more steps than an episode has. The thoughts give away nothing unseen.
"""

import random

from agentrefine_lib.environments.alfworld.engine import Engine
from agentrefine_lib.environments.alfworld.games import APPLIANCES, LAMP_PLACES
from agentrefine_lib.environments.alfworld.goal import TREATMENTS, Goal
from agentrefine_lib.environments.alfworld.thoughts import think

DETOURS = 3  # places searched in vain, at most, for one thing
Step = tuple[str, str]  # thought, action


class Expert:
    """Chooses the next step from the engine's state; ``seen`` holds the receptacles whose content the player knows."""

    def __init__(self, engine: Engine, goal: Goal, seen: set[str], rng: random.Random) -> None:
        self._engine, self._goal, self._seen, self._rng = engine, goal, seen, rng
        self._route: dict[str, list[str]] = {}  # kind of thing → receptacles to search, in order
        self._last = ""  # the receptacle searched last

    def choose(self) -> Step | None:
        """The next step, or None where the thing that is needed is nowhere to be found."""
        self._where: dict[str, str] = dict(self._engine.facts("inreceptacle"))
        self._location: dict[str, str] = dict(self._engine.facts("receptacleatlocation"))
        held = next((thing for _, thing in self._engine.facts("holds")), None)
        if held is None:
            return self._fetch()
        if self._kind(held) != self._goal.thing:
            return self._put_aside(held)
        if self._goal.lamp:
            return self._light(held)
        return self._deliver(held) if self._treated(held) else self._treat(held)

    def _fetch(self) -> Step | None:
        kind, destination = self._goal.thing, self._destination()
        wanted = [t for t in self._things(kind) if self._where[t] != destination or not self._treated(t)]
        known = [thing for thing in wanted if self._where[thing] in self._seen]
        if not known:
            return self._search(kind, wanted)
        thing = next((t for t in known if self._here(self._where[t])), known[0])
        words = {"place": self._name(self._where[thing]), "thing": self._name(thing)}
        step = self._reach(self._where[thing], "return", "unlock", **words)
        return step or self._act("take", "take {thing} from {place}", **words)

    def _search(self, kind: str, wanted: list[str]) -> Step | None:
        route = [place for place in self._route.get(kind, []) if place not in self._seen]
        if not route:
            holders = sorted({self._where[thing] for thing in wanted} - self._seen)
            if not holders:
                return None
            others = sorted(self._plausible(kind) - self._seen - set(holders))
            detours = self._rng.sample(others, min(len(others), self._rng.randint(0, DETOURS)))
            route = self._route[kind] = [*detours, self._rng.choice(holders)]
            self._last = ""
        words = {"place": self._name(route[0]), "kind": kind, "last": self._last}
        if len(wanted) < len(self._things(kind)):  # one is where it belongs
            words["a_kind"] = f"another {kind}"
        step = self._reach(route[0], "search on" if self._last else "search", "look in", **words)
        if self._open(route[0]) or self._here(route[0]):
            self._last = words["place"]  # its content is known after this step
        return step or self._act("look at", "examine {place}", **words)

    def _treat(self, held: str) -> Step:
        appliances = [r for r in self._receptacles() if self._kind(r) == APPLIANCES[self._goal.treatment].lower()]
        place = next(filter(self._here, appliances), appliances[0])
        words = {"place": self._name(place), "thing": self._name(held), "treat": self._goal.treatment}
        if self._here(place):
            return self._act("treat", "{treat} {thing} with {place}", **words)
        return self._act("carry to treat", "go to {place}", **words)

    def _deliver(self, held: str) -> Step:
        place = self._destination()
        words = {"place": self._name(place), "thing": self._name(held)}
        return self._reach(place, "carry", "open", **words) or self._act("put", "move {thing} to {place}", **words)

    def _light(self, held: str) -> Step | None:
        lamps = [lamp for lamp in self._things(self._goal.lamp) if self._where[lamp] in self._seen]
        if not lamps:
            return self._search(self._goal.lamp, self._things(self._goal.lamp))
        place = self._where[lamps[0]]
        words = {"place": self._name(place), "thing": self._name(held), "kind": self._goal.lamp}
        step = self._reach(place, "to lamp", "look in", **words)
        return step or self._act("light", f"use {self._name(lamps[0])}", **words)

    def _put_aside(self, held: str) -> Step | None:
        fitting = self._plausible(self._kind(held))
        if not fitting:
            return None
        place = min(fitting, key=lambda place: (not self._here(place), not self._open(place), place))
        words = {"place": self._name(place), "thing": self._name(held)}
        return self._reach(place, "hands", "hands", **words) or self._act("hands", "move {thing} to {place}", **words)

    def _act(self, situation: str, action: str, **words: str) -> Step:
        return think(self._rng, situation, **words), action.format(**words)

    def _reach(self, target: str, going: str, opening: str, **words: str) -> Step | None:
        """The step towards an open receptacle within reach; None where the player is there already."""
        if not self._here(target):
            return self._act(going, "go to {place}", **words)
        return None if self._open(target) else self._act(opening, "open {place}", **words)

    def _destination(self) -> str:
        """Where things are put: the receptacle that has the most of them, as far as is known, then the one at hand."""
        ready = filter(self._treated, self._things(self._goal.thing))
        placed = [self._where[thing] for thing in ready if self._where[thing] in self._seen]
        choice = [place for place in self._receptacles() if self._kind(place) == self._goal.place]
        return min(choice, key=lambda place: (-placed.count(place), not self._here(place)), default="")

    def _plausible(self, kind: str) -> set[str]:
        """Receptacles that can hold a kind of thing."""
        if kind == self._goal.lamp:
            allowed = {place.lower() for place in LAMP_PLACES}
        else:
            allowed = {r.removesuffix("type") for r, t in self._engine.facts("cancontain") if t == f"{kind}type"}
        return {place for place in self._receptacles() if self._kind(place) in allowed}

    def _receptacles(self) -> list[str]:
        return sorted(self._location, key=self._order)

    def _things(self, kind: str) -> list[str]:
        return sorted((thing for thing in self._where if self._kind(thing) == kind), key=self._order)

    def _treated(self, thing: str) -> bool:
        predicate = next((name for name, word in TREATMENTS.items() if word == self._goal.treatment), None)
        return predicate is None or (thing,) in self._engine.facts(predicate)

    def _here(self, place: str) -> bool:
        return any(location == self._location[place] for _, location in self._engine.facts("atlocation"))

    def _open(self, place: str) -> bool:
        return (place,) not in self._engine.facts("openable") or (place,) in self._engine.facts("opened")

    def _name(self, identity: str) -> str:
        return self._engine.entities[identity].name

    def _kind(self, identity: str) -> str:
        return self._name(identity).rpartition(" ")[0]

    def _order(self, identity: str) -> tuple[str, int]:
        kind, _, number = self._name(identity).rpartition(" ")
        return kind, int(number)
