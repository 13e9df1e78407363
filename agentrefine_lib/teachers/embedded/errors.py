"""Mistakes on purpose: what a Player who knows better might get wrong just now, and how it recovers.

Each idea is only an intention. The dungeon master judges it like any other command, so a flag in the data is always
what the rules of the world say, never what was planned.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from agentrefine_lib.schema import Mismatch, match_action
from agentrefine_lib.teachers.embedded.build import Game
from agentrefine_lib.teachers.embedded.grammar import FORMS
from agentrefine_lib.teachers.embedded.player import Move, Player, frame
from agentrefine_lib.teachers.embedded.rules import FLAG_OF, Refusal, check
from agentrefine_lib.teachers.embedded.world import HANDS, STORES, Holder


class Blunder(NamedTuple):
    """A command that the rules refuse, and the thought that leads to it ("" for the thought of the move it spoils)."""

    thought: str
    action: str
    refusal: Refusal


class Moment(NamedTuple):
    """When a mistake is made: before this move of this Player, after these commands."""

    rng: random.Random
    game: Game
    player: Player
    move: Move
    played: list[tuple[str, dict[str, str]]]

    def holders(self, *kinds: str, here: bool) -> list[Holder]:
        """Known holders (seen, or named by the goal) of some kinds, here and in sight or elsewhere."""
        world = self.player.world
        named = {condition.value for condition in world.goal}
        known = (h for h in world.holders.values() if h.name in self.player.holders_seen or h.name in named)
        return [h for h in known if h.kind in kinds and (world.open_to_view(h) if here else h.place != world.here)]

    def items(self, held: bool | None = None) -> list[str]:
        """Known items, each as often as it is likely to be on the Player's mind: the goal's much more than others."""
        world = self.player.world
        wanted = [c.subject for c in world.goal if c.subject in world.items and not world.holds(c)]
        names = wanted * 6 + [name for name in world.items if name in self.player.items_seen]
        return [n for n in names if held is None or (world.items[n].at == HANDS) is held]


class Idea(NamedTuple):
    """A command that may be a mistake just now, and which of the wording's mistakes leads to it."""

    operation: str
    arguments: dict[str, str]
    why: str


def read_command(game: Game, action: str) -> tuple[str, dict[str, str]]:
    """The operation and arguments of a command. Raises Refusal when it is no command or names an unknown thing."""
    found = match_action(game.script, action)
    if isinstance(found, Mismatch):
        if found.kind == "format":
            raise Refusal("wrong_format", "format", action=action)
        raise Refusal("unknown_parameter", "unknown", action=action)
    form = next(f for f in game.forms.values() if f.signature == found.signature)
    return form.operation, form.read(found.arguments.values())


def judge(game: Game, action: str) -> Refusal | None:
    """What the dungeon master has against a command, if anything."""
    try:
        check(game.world, *read_command(game, action))
    except Refusal as refusal:
        return refusal
    return None


def draw_blunder(moment: Moment, made: list[str]) -> Blunder | None:
    """A mistake that fits the moment, rather of a kind that the play had less of (``made``: kinds so far)."""
    rng = moment.rng
    kinds = rng.sample(list(FLAG_OF), len(FLAG_OF))
    for kind in sorted(kinds, key=made.count):
        blunder = _spoil(moment, kind) if kind in SPOILS else _commit(moment, kind)
        if blunder is not None:
            return blunder
    return None


def recover(moment: Moment, refusal: Refusal, feedback: str, thought: str) -> str:
    """The thought after a mistake: what the feedback says and means, then the next intention."""
    rng, game, wording = moment.rng, moment.game, moment.game.voice.wording
    details = game.voice.details(game.world, refusal) | {"form": game.forms[moment.move.operation].signature}
    lesson = game.voice.say(rng.choice(wording["refusals"][refusal.wording]["lesson"]), **details)
    return str(rng.choice(wording["quoting"])).format(feedback=feedback, lesson=lesson, thought=thought)


# Parameter errors: the right command, spelled wrong


def _spoil(moment: Moment, kind: str) -> Blunder | None:
    """The command of the move, but spelled in a way that the script does not know."""
    for action in SPOILS[kind](moment):
        refusal = judge(moment.game, action)
        if refusal is not None and refusal.kind == kind:
            return Blunder("", action, refusal)
    return None


def _misspell(moment: Moment) -> Iterator[str]:
    """Another verb or another order, a part left out, a word too many."""
    rng, move = moment.rng, moment.move
    form = moment.game.forms[move.operation]
    verbs, shapes = FORMS[move.operation.partition(":")[0]]
    verbs = verbs or tuple(moment.game.world.treatments[move.operation]["verbs"])
    another = rng.choice(shapes).replace("{v}", rng.choice(verbs))
    cut = form.template[: form.template.rindex("{")].rstrip(" [,")
    for template in rng.sample([another, another, cut, f"please {form.template}", f"{form.template}!"], 5):
        yield template.format(**move.arguments)


def _misname(moment: Moment) -> Iterator[str]:
    """The name of another kind of thing, half a name, a name with an article or with letters in the wrong order."""
    rng, move, world = moment.rng, moment.move, moment.game.world
    form = moment.game.forms[move.operation]
    slot = rng.choice(sorted(move.arguments))
    name = move.arguments[slot]
    at = rng.randrange(1, max(2, len(name) - 1))
    near = [h.name for h in moment.holders(*STORES, "station", "device", here=True)]
    wrong = [
        name.replace("-", " ").split()[-1],
        name if "the {" in form.template else f"the {name}",
        name[:at] + name[at + 1 : at + 2] + name[at : at + 1] + name[at + 2 :],
        rng.choice(near if slot == "place" else world.places),
    ]
    for other in rng.sample(wrong, len(wrong)):
        if other != name:
            yield form.write(move.arguments | {slot: other})


# Place and logic errors: a command that exists, but not here or not now


def _commit(moment: Moment, kind: str) -> Blunder | None:
    """An idea that the rules of the world refuse for the reason that it was meant to show."""
    game = moment.game
    ideas = [i for i in IDEAS[kind](moment) if game.forms[i.operation].signature in game.script.available_actions]
    for idea in moment.rng.sample(ideas, len(ideas)):
        try:
            check(game.world, idea.operation, idea.arguments)
        except Refusal as refusal:
            if refusal.kind == kind:
                return Blunder(_excuse(moment, idea), game.forms[idea.operation].write(idea.arguments), refusal)
    return None


def _excuse(moment: Moment, idea: Idea) -> str:
    """The thought before a mistake."""
    game = moment.game
    about = {"here": game.world.here, "item": "", "holder": idea.arguments.get("tool", "")} | idea.arguments
    if about["holder"] in game.world.holders:
        about["on"] = game.voice.before(game.world.holders[about["holder"]])
    if "code" in about:
        about["code"] = f"'{about['code']}'"
    said = game.voice.say(moment.rng.choice(game.voice.wording["mistakes"][idea.why]), **about)
    meant = Move(idea.operation, idea.arguments, idea.why, {}, moment.move.aim)
    return frame(game.voice, game.world, meant, said, game.forms[idea.operation].signature)


def _absent(moment: Moment) -> Iterator[Idea]:
    """A thing that is not where the Player takes it to be."""
    rng, world = moment.rng, moment.game.world
    stores = [h for h in moment.holders(*STORES, here=True) if h.open]
    if items := moment.items(held=False):
        item = rng.choice([name for name in items if not world.in_sight(name)] or items)
        if stores:
            handling = "take" if world.carry else "transfer"
            why = "missing" if world.carry else "not_near"
            yield Idea(handling, {"item": item, "holder": rng.choice(stores).name}, why)
        if not world.carry:
            yield from (Idea(op, args, "not_near") for op, args in _treat(moment, item))
    for note in (n for n in items if world.items[n].text and not world.items[n].was_read):
        yield Idea("read", {"item": note}, "not_near")
    for name in (c.value for c in world.goal if c.value in world.holders):
        yield Idea("open", {"holder": name}, "unseen")


def _misplaced(moment: Moment) -> Iterator[Idea]:
    """Something that is to be done elsewhere, or a way that does not exist."""
    rng, world, player = moment.rng, moment.game.world, moment.player
    for holder in moment.holders("container", here=False):
        if not holder.open:
            yield Idea("open", {"holder": holder.name}, "from_afar")
    for holder in moment.holders("device", here=False):
        yield Idea("switch", {"holder": holder.name}, "from_afar")
    items = moment.items()
    for holder in moment.holders("station", here=False) if items else ():
        for operation in (op for op, t in world.treatments.items() if holder.name in t.get("station", ())):
            yield Idea(operation, {"item": rng.choice(items), "holder": holder.name}, "from_afar")
    if world.carry:
        for item in moment.items(held=True):
            for condition in (c for c in world.goal if c.subject == item and c.relation != "is"):
                yield Idea("put", {"item": item, "holder": condition.value}, "from_afar")
    if moment.move.operation == "go":
        heard = [place for seen in world.places if seen in player.places_seen for place in world.ways[seen]]
        yield from (Idea("go", {"place": place}, "short_cut") for place in heard)


def _too_early(moment: Moment) -> Iterator[Idea]:
    """A step before the one that makes it possible."""
    rng, world = moment.rng, moment.game.world
    for holder in (h for h in moment.holders("container", here=True) if not h.open):
        yield from _force(moment, holder)
    items = [n for n in moment.items() if world.carry or world.in_sight(n)]
    if not items:
        return
    item = rng.choice(items)
    stores = [h for here in (True, False) for h in moment.holders(*STORES, here=here) if here or not world.carry]
    if stores:
        closed = [h for h in stores if not h.open]
        holder = rng.choice(closed or stores)
        yield Idea("put" if world.carry else "transfer", {"item": item, "holder": holder.name}, "too_early")
    yield from (Idea(op, args, "too_early") for op, args in _treat(moment, item))
    if moment.move.why == "treat" and "tool" in moment.move.arguments:
        others = [name for name in items if name != moment.move.arguments["item"]]
        yield from (Idea(moment.move.operation, moment.move.arguments | {"tool": o}, "wrong_thing") for o in others)
    if moment.move.operation == "read":
        yield Idea("read", {"item": item}, "wrong_thing")
    if world.carry and len(world.held()) >= world.carry:
        yield from (Idea("take", {"item": n, "holder": at}, "one_more") for n, at in world.visible_items().items())


def _force(moment: Moment, holder: Holder) -> Iterator[Idea]:
    """Ways to get into a closed container that do not work yet."""
    rng, items = moment.rng, moment.items()
    if holder.locked:
        yield Idea("open", {"holder": holder.name}, "locked")
    if holder.code:
        for code in rng.sample(moment.game.world.codes, 3):
            yield Idea("enter", {"code": code, "holder": holder.name}, "guess")
    if items and moment.game.world.carry:
        yield Idea("take", {"item": rng.choice(items), "holder": holder.name}, "closed")
    if holder.key:
        keys = (name for name in moment.player.world.items if name in moment.player.items_seen and "key" in name)
        yield from (Idea("unlock", {"holder": holder.name, "item": key}, "too_early") for key in keys)


def _treat(moment: Moment, item: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Treatments that could be tried here: at stations in sight, with tools that are known."""
    for operation, treatment in moment.game.world.treatments.items():
        for holder in moment.holders("station", here=True):
            if holder.name in treatment.get("station", ()):
                yield operation, {"item": item, "holder": holder.name}
        for tool in (t for t in treatment.get("tool", ()) if t in moment.player.items_seen):
            yield operation, {"item": item, "tool": tool}


def _needless(moment: Moment) -> Iterator[Idea]:
    """What was done already, or is so anyway."""
    rng, world = moment.rng, moment.game.world
    for operation, arguments in moment.played[-1:]:
        yield Idea(operation, arguments, "again")
    for operation, arguments in moment.played[:-1]:
        if "holder" in arguments and operation != "take":
            yield Idea(operation, arguments, "once_more")
    if moment.move.operation == "go":
        yield Idea("go", {"place": world.here}, "stay")
    for holder in (h for h in moment.holders("container", here=True) if h.open):
        yield Idea("open", {"holder": holder.name}, "once_more")
    for item in world.held():
        surfaces = moment.holders("surface", here=True)
        if surfaces:
            yield Idea("take", {"item": item, "holder": rng.choice(surfaces).name}, "forgotten")


SPOILS: dict[str, Callable[[Moment], Iterator[str]]] = {"wrong_format": _misspell, "unknown_parameter": _misname}
IDEAS: dict[str, Callable[[Moment], Iterator[Idea]]] = {
    "absent_object": _absent,
    "wrong_place": _misplaced,
    "violated_precondition": _too_early,
    "repetition": _needless,
}
