"""The embedded Player: an expert that knows only what it has seen, explores, and says why it does what it does."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator
from itertools import islice
from typing import NamedTuple

from agentrefine_lib.teachers.embedded.rules import change
from agentrefine_lib.teachers.embedded.voice import NOTHING, Voice
from agentrefine_lib.teachers.embedded.world import HANDS, Condition, Holder, World


class Move(NamedTuple):
    """What the Player means to do next, and why: an entry of the wording's thoughts and what it speaks of."""

    operation: str
    arguments: dict[str, str]
    why: str
    about: dict[str, str]
    aim: Condition | None = None  # the condition of the goal that it serves


class Player:
    """Yields the moves that reach the goal. After each move the caller plays it in the world and calls ``notice``.

    Nothing here is drawn at random: the same world is played in the same way, whatever is said about it.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.places_seen: set[str] = set()
        self.holders_seen: set[str] = set()
        self.items_seen: set[str] = set()  # nobody else moves things, so what was seen once can be found again
        self.notice()

    def copy(self) -> Player:
        """The same Player with the same knowledge, in a copy of the world."""
        twin = Player(self.world.copy())
        twin.places_seen |= self.places_seen
        twin.holders_seen |= self.holders_seen
        twin.items_seen |= self.items_seen
        return twin

    def notice(self) -> None:
        """Take in what can be seen from here."""
        world = self.world
        self.places_seen.add(world.here)
        visible = [h for h in world.holders.values() if h.place == world.here and world.reachable(h)]
        self.holders_seen.update([h.name for h in visible])
        opened = {h.name for h in visible if h.open}
        self.items_seen.update([i.name for i in world.items.values() if i.at in opened])

    def moves(self) -> Iterator[Move]:
        """The whole plan, made step by step; conditions that already hold are left alone."""
        while not self.world.done():
            for condition in self.world.goal:
                if not self.world.holds(condition):
                    yield from (move._replace(aim=condition) for move in self._achieve(condition))

    def _achieve(self, condition: Condition) -> Iterator[Move]:
        if condition.relation != "is":
            yield from self._store(condition.subject, condition.value)
        elif condition.subject in self.world.holders:
            yield from self._find([condition.subject], condition.subject)
            yield from self._walk_to(condition.subject)
            yield Move("switch", {"holder": condition.subject}, "switch", {})
        else:
            yield from self._treat(self._operation_for(condition.value), condition.subject)

    # Doing things

    def _operation_for(self, state: str) -> str:
        return next((op for op, t in self.world.treatments.items() if t["after"] == state), "")

    def _treat(self, operation: str, item: str) -> Iterator[Move]:
        """Bring an item into a state; what has to come before comes before."""
        treatment = self.world.treatments[operation]
        earlier = self._operation_for(treatment["before"])
        if earlier and treatment["before"] not in self.world.items[item].states:
            yield from self._treat(earlier, item)
        if "station" in treatment:
            yield from self._pick_up(item)
            needed = {"result": treatment["after"]}
            searched = f"a place to {treatment['verbs'][0]} things"
            yield from self._needing(needed, self._find(treatment["station"], searched))
            station = next(name for name in treatment["station"] if name in self.holders_seen)
            needed |= {"need": station}
            yield from self._needing(needed, self._get(item))
            yield from self._needing(needed, self._bring(item, station))
            arguments = {"item": item, "holder": station}
        else:
            what = f"something to {treatment['verbs'][0]} things with"
            tool = yield from self._find(treatment["tool"], what, hidden=True)
            yield from self._find([item], item, hidden=True)
            yield from self._make_accessible(self.world.items[item].at)
            needed = {"need": tool, "result": treatment["after"]}
            yield from self._needing(needed, self._get(tool, "take_tool"))
            yield from self._needing(needed, self._bring(tool, self.world.items[item].at))
            arguments = {"item": item, "tool": tool}
        thing = arguments.get("holder") or arguments["tool"]
        about = {"thing": thing, "before": treatment["before"], "after": treatment["after"]}
        yield Move(operation, arguments, "treat", about | needed)

    @staticmethod
    def _needing(needed: dict[str, str], moves: Iterator[Move]) -> Iterator[Move]:
        """Moves that make sense only because of a thing that is needed."""
        yield from (move._replace(about=move.about | needed) for move in moves)

    def _pick_up(self, item: str) -> Iterator[Move]:
        """What can be carried is taken where it is found, before anything else is looked for."""
        if self.world.carry:
            yield from self._get(item)
        else:
            yield from self._find([item], item, hidden=True)

    def _store(self, item: str, target: str) -> Iterator[Move]:
        yield from self._pick_up(item)
        yield from self._find([target], target)
        yield from self._make_accessible(target)
        yield from self._get(item)
        arguments = {"item": item, "holder": target}
        if self.world.carry:
            yield from self._walk_to(target)
            yield Move("put", arguments, "put", {})
        else:
            yield Move("transfer", arguments, "transfer", {})

    def _make_accessible(self, name: str) -> Iterator[Move]:
        """Open a holder that was seen, and whatever it stands in."""
        if name == HANDS:
            return
        holder = self.world.holders[name]
        if holder.inside is not None:
            yield from self._make_accessible(holder.inside)
        if not holder.open:
            yield from self._open(holder)

    def _open(self, holder: Holder, why: str = "open", what: str = "") -> Iterator[Move]:
        if holder.key:
            key = holder.key
            yield from self._get(key, "take_key")
            yield from self._bring(key, holder.name)
            yield Move("unlock", {"holder": holder.name, "item": key}, "unlock", {})
        elif holder.code:
            yield from self._learn(holder.code)
            yield from self._walk_to(holder.name)
            yield Move("enter", {"code": holder.code, "holder": holder.name}, "enter", {})
        yield from self._walk_to(holder.name)
        yield Move("open", {"holder": holder.name}, why, {"what": what} if what else {})

    def _learn(self, code: str) -> Iterator[Move]:
        """Read what can be read until the code is known."""
        items = self.world.items.values()
        while not any(i.code == code and i.was_read for i in items):
            notes = [i.name for i in items if i.text and not i.was_read]
            note = yield from self._find(notes, "a note that tells the code", hidden=True)
            yield from self._make_accessible(self.world.items[note].at)
            yield from self._walk_to(self.world.items[note].at, note)
            yield Move("read", {"item": note}, "read", {})

    def _get(self, item: str, why: str = "take") -> Iterator[Move]:
        """Have the item in hand; in worlds without hands, stand where it can be seen."""
        yield from self._find([item], item, hidden=True)
        at = self.world.items[item].at
        if at == HANDS:
            return
        yield from self._make_accessible(at)
        yield from self._walk_to(at, item)
        if self.world.carry:
            yield from self._free_hand()
            yield Move("take", {"item": item, "holder": at}, why, {})

    def _bring(self, item: str, near: str) -> Iterator[Move]:
        """Stand at a holder (or where we are, if that is the hands) with the item in reach."""
        if near == HANDS:
            return
        place = self.world.holders[near].place
        at = self.world.items[item].at
        if at != HANDS and self.world.holders[at].place != place:
            yield Move("transfer", {"item": item, "holder": self._surface_at(place)}, "transfer_near", {"near": near})
        yield from self._walk_to(near)

    def _free_hand(self) -> Iterator[Move]:
        """Put something down if both hands are full; rather not what the goal speaks of."""
        held = self.world.held()
        if len(held) >= self.world.carry:
            wanted = {c.subject for c in self.world.goal if not self.world.holds(c)}
            spare = min(held, key=lambda name: name in wanted)
            surface = self._surface_at(self.world.here)
            yield Move("put", {"item": spare, "holder": surface}, "put_down", {})

    def _surface_at(self, place: str) -> str:
        return next(h.name for h in self.world.holders.values() if h.place == place and h.kind == "surface")

    # Looking for things

    def _find(self, names: Collection[str], what: str, hidden: bool = False) -> Generator[Move, None, str]:
        """Explore until one of the names has been seen, and return it. ``hidden``: it may be in a container."""
        while True:
            found = next((n for n in names if n in self.items_seen or n in self.holders_seen), "")
            if found:
                return found
            yield from self._explore(what, hidden)

    def _explore(self, what: str, hidden: bool) -> Iterator[Move]:
        """One more look: closed containers here first, then the nearest new place, then what else is closed."""
        shut = [h for h in self.world.holders.values() if h.name in self.holders_seen and not h.open]
        easy = [h for h in shut if not h.locked and self.world.reachable(h)]
        here = [h for h in easy if h.place == self.world.here]
        here += [h for h in shut if self.world.open_to_view(h) and h.key and self.world.in_sight(h.key)]
        if here and hidden:
            yield from self._open(here[0], "look_inside", what)
        elif new := self._nearest(lambda place: place not in self.places_seen):
            yield from self._travel(new, what)
        elif easy:
            place = self._nearest(lambda place: any(h.place == place for h in easy))
            closest = next(h for h in easy if h.place == place)
            yield from self._open(closest, "look_inside", what)
        else:
            yield from self._open(next(h for h in shut if h.locked), "look_inside", what)

    def _walk_to(self, holder: str, what: str = "") -> Iterator[Move]:
        if holder != HANDS:
            yield from self._travel(self.world.holders[holder].place, what or holder, holder)

    def _travel(self, place: str, what: str, store: str = "") -> Iterator[Move]:
        passing, arriving = ("walk_on", "go_back") if place in self.places_seen else ("pass_through", "look_for")
        while self.world.here != place:
            step = self._paths()[place][0]
            why = arriving if step == place else passing
            about = {"what": what, "far": place, "here": self.world.here, "store": store}
            yield Move("go", {"place": step}, why, about)

    def _nearest(self, wanted: Callable[[str], bool]) -> str:
        return next((place for place in self._paths() if wanted(place)), "")

    def _paths(self) -> dict[str, list[str]]:
        """Every place heard of, nearest first → the places to walk through from here; only along ways seen so far."""
        paths: dict[str, list[str]] = {self.world.here: []}
        queue = deque(paths)
        while queue:
            at = queue.popleft()
            for place in self.world.ways[at] if at in self.places_seen else ():
                if place not in paths:
                    paths[place] = [*paths[at], place]
                    queue.append(place)
        return paths


def count_moves(player: Player, limit: int) -> int:
    """How many moves the Player still needs without a mistake; ``limit`` if it is so many or more. Plays a copy."""
    twin = player.copy()
    count = 0
    for move in islice(twin.moves(), limit):
        change(twin.world, move.operation, move.arguments)
        twin.notice()
        count += 1
    return count


def frame(voice: Voice, world: World, move: Move, thought: str, form: str) -> str:
    """In a plain world a thought begins with what one holds and wants, and ends with the command."""
    wording = voice.wording
    if "before" not in wording or move.aim is None:
        return thought
    held, wanted = voice.all_of(world.held()) or NOTHING, voice.condition(world, move.aim)
    parts = [voice.say(wording["before"], here=world.here, held=held, wanted=wanted)]
    if "need" in move.about:
        parts.append(voice.say(wording["need"], need=move.about["need"], result=move.about["result"]))
    return "".join([*parts, thought, wording["after"].format(form=form)])


def think(rng: random.Random, voice: Voice, world: World, move: Move, form: str) -> str:
    """The thought before a move, in words drawn anew each time; ``form``: how the script spells its command."""
    names = {"here": world.here, "store": ""} | move.arguments | move.about
    thoughts, why = voice.wording["thoughts"], move.why
    if names["store"]:
        names["on"] = voice.before(world.holders[names["store"]])
    if why == "go_back" and names["store"] != names["what"]:
        why = "fetch" if "fetch" in thoughts else why
    if why == "treat" and "holder" in move.arguments:
        why = "treat_at" if "treat_at" in thoughts else why
    if names.get("what") in world.items or names.get("what") in world.holders:
        names["what"] = voice.the(names["what"])
    elif "result" in names and "lack" in voice.wording:
        names["what"] = voice.wording["lack"].format(result=names["result"])
    if "code" in names:
        names["code"] = f"'{names['code']}'"
    if "holder" in names:
        names["on"] = voice.before(world.holders[names["holder"]])
    return frame(voice, world, move, voice.say(rng.choice(thoughts[why]), **names), form)
