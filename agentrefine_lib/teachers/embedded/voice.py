"""How a world is told: every wording of the dungeon master, and the articles that all wordings need."""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from agentrefine_lib.teachers.embedded.rules import Refusal
from agentrefine_lib.teachers.embedded.world import Condition, Holder, Item, World

NOTHING = "nothing"
# what a wording puts an article before
NAMES = {"item", "holder", "place", "here", "far", "near", "key", "thing", "need", "store"}


@lru_cache
def load_wording(plain: bool = False) -> dict[str, Any]:
    """The wording file: section → entry → ways to say it. ``plain``: one way each, those of plain.yaml first."""
    wording: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("wording.yaml").read_text())
    if not plain:
        return wording
    own = yaml.safe_load(Path(__file__).with_name("plain.yaml").read_text())
    for section in ("effects", "thoughts", "mistakes"):
        own[section] = {entry: ways[:1] for entry, ways in wording[section].items()} | own.get(section, {})
    own["refusals"] = {
        entry: {key: ways[:1] for key, ways in said.items()} for entry, said in wording["refusals"].items()
    }
    return wording | own


class Voice:
    """The wordings that one world has drawn, so that no model can learn the dungeon master's sentences by heart.

    ``plain``: there is one wording for each thing, and the Player begins a thought with where it is and what it wants.
    """

    def __init__(self, rng: random.Random, domain: dict[str, Any], plain: bool = False) -> None:
        self.wording = wording = load_wording(plain)
        self.article: bool = domain.get("article", True)
        self.fixed = {"at": domain["at"], "codeword": domain["words"].get("code", "code")}
        self.on: str = domain.get("on", "on")
        self.layout: dict[str, str] = rng.choice(wording["layouts"])
        self.prefix: str = rng.choice(wording["prefixes"])
        self.effects = {key: rng.choice(ways) for key, ways in wording["effects"].items()}
        self.refusals = {key: rng.choice(entry["say"]) for key, entry in wording["refusals"].items()}

    def the(self, name: str) -> str:
        return f"the {name}" if self.article else name

    def a(self, name: str) -> str:
        return f"{'an' if name[0] in 'aeiou' else 'a'} {name}" if self.article else name

    def all_of(self, names: list[str]) -> str:
        return listing([self.the(name) for name in names])

    def before(self, holder: Holder) -> str:
        """The word before what a holder holds: in or on."""
        return self.on if holder.kind == "surface" else "in"

    def say(self, wording: str, **names: str) -> str:
        """A sentence with its names filled in, articles where they belong."""
        told = {key: self.the(name) if key in NAMES else name for key, name in names.items()}
        text = wording.format(**told, **self.fixed)
        named_first = not self.article and wording.startswith("{") and not text.startswith(("a ", "something "))
        return text if named_first else text[0].upper() + text[1:]  # a file name is not capitalised

    def condition(self, world: World, condition: Condition) -> str:
        """A completion condition as a clause: ``the red mug is in the drawer``."""
        value = condition.value if condition.relation == "is" else f"{condition.relation} {self.the(condition.value)}"
        return f"{self.the(condition.subject)} is {value}"

    # What the dungeon master tells

    def room(self, world: World) -> str:
        """What the Player sees here."""
        layout = self.layout
        here = (h for h in world.holders.values() if h.place == world.here and h.inside is None)
        things = [self._thing(world, holder) for holder in here]
        held = self.all_of(world.held())
        hands = self.say(layout["hands"], held=held) if held else ""
        ways = self.all_of(world.ways[world.here])
        return self.say(
            layout["room"],
            place=world.here,
            name=world.here,
            things=layout["join"].join(things),
            hands=hands,
            ways=ways,
        )

    def _thing(self, world: World, holder: Holder) -> str:
        """A holder and what can be seen of it, as a part of the room."""
        state = self.state(holder)
        wording = self.layout["shut" if state else "plain" if holder.kind == "station" else "holds"]
        contents = "" if state else self.contents(world, holder)
        names = {"a_holder": self.a(holder.name), "holder": self.the(holder.name), "place": self.the(holder.place)}
        told = wording.format(
            **names, name=holder.name, state=state, contents=contents, on=self.before(holder), **self.fixed
        )
        if "each" not in self.layout:
            return told
        parts = [told, *self._needs(world, holder.name)]
        return self.layout["join"].join(parts if state or contents == NOTHING else [*parts, contents])

    def _needs(self, world: World, name: str) -> list[str]:
        """In a plain world, what a station or tool is good for."""
        uses = [t["after"] for t in world.treatments.values() if name in (*t.get("station", ()), *t.get("tool", ()))]
        return [self.layout["needs"].format(after=after, thing=self.the(name)) for after in uses]

    def state(self, holder: Holder) -> str:
        """What keeps a holder from being of use; empty for open things and for stations."""
        if holder.kind == "device":
            return "on" if holder.on else "off"
        if holder.open:
            return ""
        if holder.code:
            return f"locked, asks for a {self.fixed['codeword']}"
        return f"locked, needs {self.the(holder.key)}" if holder.key else "closed"

    def contents(self, world: World, holder: Holder) -> str:
        """What is in or on an open holder. Where nothing is ever held, the states of the items are seen like that."""
        items, inner = world.contents(holder)
        each = self.layout.get("each")
        article = self.the if each else self.a
        told = [f"{article(i.name)} ({states(i)})" if i.states and not world.carry else article(i.name) for i in items]
        if each:
            lines = [each.format(item=item, on=self.before(holder), holder=self.the(holder.name)) for item in told]
            lines += [use for item in items for use in self._needs(world, item.name)]
            return self.layout["join"].join(lines) or NOTHING
        told += [f"{self.a(h.name)} ({self.state(h) or self.contents(world, h)})" for h in inner]
        return listing(told) or NOTHING

    def effect(self, world: World, operation: str, arguments: dict[str, str]) -> str:
        """The observation after a command has been carried out."""
        operation, treatment = operation.partition(":")[0], world.treatments.get(operation, {})
        if operation in ("go", "look"):
            return self.room(world)
        extra = {"after": treatment.get("after", "")}
        if "code" in arguments:
            extra["code"] = f"'{arguments['code']}'"
        if "holder" in arguments:
            extra["contents"] = self.contents(world, world.holders[arguments["holder"]])
            extra["on"] = self.before(world.holders[arguments["holder"]])
        if "item" in arguments:
            item = world.items[arguments["item"]]
            extra |= {"text": f'"{item.text}"', "state": f"It is {states(item)}." if item.states else ""}
        wording = self.effects["treat" if operation == "apply" else operation]
        return self.say(wording, **(arguments | extra)).rstrip()

    def refuse(self, world: World, refusal: Refusal) -> str:
        """The feedback after a mistake."""
        return self.say(self.refusals[refusal.wording], **self.details(world, refusal))

    def details(self, world: World, refusal: Refusal) -> dict[str, str]:
        """The names that the wordings and lessons of a refusal may use."""
        names = dict(refusal.names)
        if "code" in names:
            names["code"] = f"'{names['code']}'"
        if "holder" in names:
            names["on"] = self.before(world.holders[names["holder"]])
        names["bare"] = names.get("item") or names.get("holder", "")
        names["held"] = self.all_of(world.held())
        names["ways"] = self.all_of(world.ways[world.here])
        return names


def states(item: Item) -> str:
    return " and ".join(sorted(item.states))


def listing(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
