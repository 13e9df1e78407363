"""The dungeon master's rules: what each command needs, and what it changes. No word of wording here."""

from __future__ import annotations

from collections.abc import Callable

from agentrefine_lib.teachers.embedded.world import HANDS, LOCK, STORES, Holder, World

# error kind → the paper's flag that the dungeon master raises
FLAG_OF = {
    "wrong_format": "parameter_error",
    "unknown_parameter": "parameter_error",
    "absent_object": "place_error",
    "wrong_place": "place_error",
    "violated_precondition": "logic_error",
    "repetition": "logic_error",
}


class Refusal(Exception):  # noqa: N818  (an answer of the dungeon master, not a failure of the program)
    """The dungeon master does not let a command happen: the kind of error, which wording says so, and the names."""

    def __init__(self, kind: str, wording: str, **names: str) -> None:
        super().__init__(f"{kind}: {wording} {names}")
        self.kind = kind
        self.wording = wording
        self.names = names


def check(world: World, operation: str, arguments: dict[str, str]) -> None:
    """Raise Refusal if the command cannot happen now. Changes nothing."""
    CHECKS[operation.partition(":")[0]](world, operation, **arguments)


def change(world: World, operation: str, arguments: dict[str, str]) -> None:
    """Carry out a command that ``check`` let pass."""
    CHANGES[operation.partition(":")[0]](world, operation, **arguments)


# What a command needs


def _check_go(world: World, _: str, place: str) -> None:
    if place == world.here:
        raise Refusal("repetition", "already_here", here=place)
    if place not in world.ways[world.here]:
        raise Refusal("wrong_place", "no_way", here=world.here, place=place)


def _check_look(world: World, _: str) -> None:
    pass


def _check_open(world: World, _: str, holder: str) -> None:
    it = _need_holder(world, holder)
    if it.kind != "container":
        raise Refusal("violated_precondition", "no_lid", holder=holder)
    if it.locked:
        raise _is_locked(it)
    if it.open:
        raise Refusal("repetition", "already_open", holder=holder)


def _check_unlock(world: World, _: str, holder: str, item: str) -> None:
    it = _need_holder(world, holder)
    if not it.locked:
        raise Refusal("repetition", "not_locked", holder=holder)
    _need_reach(world, item)
    if it.key != item:
        raise Refusal("violated_precondition", "wrong_key", item=item, holder=holder)


def _check_enter(world: World, _: str, code: str, holder: str) -> None:
    it = _need_holder(world, holder)
    if not it.code:
        raise Refusal("violated_precondition", "no_pad", holder=holder)
    if it.code != code:
        raise Refusal("violated_precondition", "wrong_code", code=code, holder=holder)


def _check_read(world: World, _: str, item: str) -> None:
    _need_sight(world, item)
    if not world.items[item].text:
        raise Refusal("violated_precondition", "blank", item=item)


def _check_take(world: World, _: str, item: str, holder: str) -> None:
    if world.items[item].at == HANDS:
        raise Refusal("repetition", "already_held", item=item)
    _need_open(_need_holder(world, holder))
    if world.items[item].at != holder:
        raise Refusal("absent_object", "not_in", item=item, holder=holder)
    if len(world.held()) >= world.carry:
        raise Refusal("violated_precondition", "full")


def _check_put(world: World, _: str, item: str, holder: str) -> None:
    it = _need_holder(world, holder)
    _need_store(it)
    _need_open(it)
    if world.items[item].at == holder:
        raise Refusal("repetition", "already_there", item=item, holder=holder)
    _need_held(world, item)


def _check_transfer(world: World, _: str, item: str, holder: str) -> None:
    it = world.holders[holder]
    _need_sight(world, item)
    if world.items[item].at == holder:
        raise Refusal("repetition", "already_there", item=item, holder=holder)
    _need_store(it)
    if not world.reachable(it):
        raise Refusal("absent_object", "hidden", holder=holder)
    _need_open(it)


def _check_switch(world: World, _: str, holder: str) -> None:
    it = _need_holder(world, holder)
    if it.kind != "device":
        raise Refusal("violated_precondition", "no_switch", holder=holder)
    if it.on:
        raise Refusal("repetition", "already_on", holder=holder)


def _check_treat(world: World, operation: str, item: str, holder: str) -> None:
    _need_holder(world, holder)
    if holder not in world.treatments[operation]["station"]:
        raise Refusal("violated_precondition", "unfit", thing=holder)
    _need_reach(world, item)
    _need_before(world, operation, item)


def _check_apply(world: World, operation: str, item: str, tool: str) -> None:
    if tool not in world.treatments[operation]["tool"]:
        raise Refusal("violated_precondition", "unfit", thing=tool)
    _need_reach(world, tool)
    _need_sight(world, item)
    _need_before(world, operation, item)


def _need_holder(world: World, name: str) -> Holder:
    holder = world.holders[name]
    if holder.place != world.here:
        raise Refusal("wrong_place", "not_here", holder=name, here=world.here)
    if not world.open_to_view(holder):
        raise Refusal("absent_object", "hidden", holder=name)
    return holder


def _need_open(holder: Holder) -> None:
    if holder.locked:
        raise _is_locked(holder)
    if not holder.open:
        raise Refusal("violated_precondition", "shut", holder=holder.name)


def _is_locked(holder: Holder) -> Refusal:
    wording = "locked_code" if holder.code else "locked_key"
    return Refusal("violated_precondition", wording, holder=holder.name, key=holder.key)


def _need_store(holder: Holder) -> None:
    if holder.kind not in STORES:
        raise Refusal("violated_precondition", "no_store", holder=holder.name)


def _need_held(world: World, item: str) -> None:
    if world.items[item].at != HANDS:
        raise Refusal("violated_precondition", "not_held", item=item)


def _need_sight(world: World, item: str) -> None:
    if not world.in_sight(item):
        raise Refusal("absent_object", "not_near", item=item, here=world.here)


def _need_reach(world: World, item: str) -> None:
    """Held; or, in worlds without hands, in sight."""
    (_need_held if world.carry else _need_sight)(world, item)


def _need_before(world: World, operation: str, item: str) -> None:
    treatment, states = world.treatments[operation], world.items[item].states
    if treatment["after"] in states:
        raise Refusal("repetition", "already_done", item=item, state=treatment["after"])
    if treatment["before"] not in states:
        raise Refusal("violated_precondition", "not_before", item=item, state=treatment["before"])


# What a command changes


def _go(world: World, _: str, place: str) -> None:
    world.here = place


def _look(world: World, _: str) -> None:
    pass


def _open(world: World, _: str, holder: str) -> None:
    world.holders[holder].open = True


def _unlock(world: World, _: str, holder: str, item: str) -> None:
    world.holders[holder].key = ""
    world.items[item].at = LOCK  # so that the hand is free


def _enter(world: World, _: str, code: str, holder: str) -> None:
    world.holders[holder].code = ""


def _read(world: World, _: str, item: str) -> None:
    world.items[item].was_read = True


def _take(world: World, _: str, item: str, holder: str) -> None:
    world.items[item].at = HANDS


def _put(world: World, _: str, item: str, holder: str) -> None:
    world.items[item].at = holder


def _switch(world: World, _: str, holder: str) -> None:
    world.holders[holder].on = True


def _treat(world: World, operation: str, item: str, **_: str) -> None:
    treatment = world.treatments[operation]
    world.items[item].states -= {treatment["before"]}
    world.items[item].states |= {treatment["after"]}


CHECKS: dict[str, Callable[..., None]] = {
    "go": _check_go, "look": _check_look, "open": _check_open, "unlock": _check_unlock, "enter": _check_enter,
    "read": _check_read, "take": _check_take, "put": _check_put, "transfer": _check_transfer,
    "switch": _check_switch, "treat": _check_treat, "apply": _check_apply,
}  # fmt: skip
CHANGES: dict[str, Callable[..., None]] = {
    "go": _go, "look": _look, "open": _open, "unlock": _unlock, "enter": _enter, "read": _read, "take": _take,
    "put": _put, "transfer": _put, "switch": _switch, "treat": _treat, "apply": _treat,
}  # fmt: skip
