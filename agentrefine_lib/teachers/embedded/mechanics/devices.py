"""Devices: dials, switches and buttons, and a manual that says what belongs where, in which order, on what terms."""

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from agentrefine_lib.teachers.embedded import mechanic
from agentrefine_lib.teachers.embedded.mechanic import Command, Fact, Refusal, Step
from agentrefine_lib.teachers.embedded.names import Names, load_words


class World(mechanic.World):
    def __init__(self, rng: random.Random, variant: random.Random, names: Names) -> None:
        words = load_words("mechanics/devices")
        self.indexed, depends = variant.random() < 0.5, variant.random() < 0.6
        leaf, gauge, button = (variant.choice(words[kind]) for kind in ("leaves", "gauges", "buttons"))
        marks, sorts = rng.sample(words["marks"], 8), variant.sample(words["parts"], 2)
        self.device, self.reading = names.one("devices"), ""
        self.buttons, self.gauge = [f"{mark} {button}" for mark in marks[:2]], f"{marks[2]} {gauge}" if depends else ""
        self.right, self.positions = dict[str, str](), dict[str, list[str]]()  # of the parts, in order
        texts: list[tuple[str, list[Fact]]] = []  # what a page is about, and says
        for number, mark in enumerate(marks[3 : 3 + rng.randint(2, 5)]):
            sort = rng.choice(sorts)
            part, positions = f"{mark} {sort['words'][0]}", rng.sample(sort["positions"], len(sort["positions"]))
            self.right[part], self.positions[part] = positions[1], positions
            told: list[Fact] = [("setting", part, positions[1])]
            if depends and not number:
                self.reading, other = rng.sample(rng.choice(words["readings"]), 2)
                terms = rng.sample([(positions[1], self.reading), (positions[0], other)], 2)
                told = [("depends", part, at, self.gauge, reading) for at, reading in terms]
            texts.append((part, told))
        first, starts = next(iter(self.right)), ("starts", self.device, self.buttons[0])
        about: list[Fact] = [("first_part", self.device, first), *(("order", *p) for p in pairwise(self.right)), starts]
        texts = rng.sample([*texts, (self.device, about)], len(texts) + 1)
        numbers = sorted(rng.sample(range(1, 30), len(texts)))
        self.pages = {f"{leaf} {number}": text for number, text in zip(numbers, texts, strict=True)}
        self.at = {part: positions[0] for part, positions in self.positions.items()}
        self.shown, self.page, self.runs = rng.sample(self.buttons, 2), "", False
        self.aims, self.rules = [("runs", self.device)], [("manual",), ("falls",)]
        self.unused = () if depends else ("check",)

    def names(self, slot: str) -> list[str]:
        positions = sorted({position for positions in self.positions.values() for position in positions})
        return {"state": positions, "title": list(self.pages)}.get(
            slot, [*self.at, *self.buttons, *filter(None, [self.gauge])]
        )

    def opening(self) -> list[Fact]:
        pages = [("about", page, about) if self.indexed else ("page", page) for page, (about, _) in self.pages.items()]
        return [*self.scene(), *pages]

    def scene(self) -> list[Fact]:
        parts: list[Fact] = [("is_at", *pair) for pair in self.at.items()]
        others = [*(("button", button) for button in self.shown), *[("gauge", self.gauge)] * (self.gauge != "")]
        return [("runs" if self.runs else "still", self.device), *parts, *others]

    def faults(self, command: Command) -> Iterator[object]:
        match command:
            case ("read", page):
                yield page == self.page and Refusal("no_effect", ("page_open", page))
            case ("check", name):
                yield name != self.gauge and Refusal("precondition", ("no_gauge", name))
            case ("press", name):
                yield name not in self.buttons and Refusal("precondition", ("no_button", name))
            case ("set", name, position):
                yield name not in self.at and Refusal("precondition", ("no_part", name))
                yield position not in self.positions[name] and Refusal("absent", ("no_position", name, position))
                yield self.at[name] == position and Refusal("no_effect", ("at_already", name, position))

    def act(self, command: Command) -> list[Fact]:
        match command:
            case ("read", page):
                self.page = page
                return [*self.pages[page][1]]  # the caller adds to it
            case ("check", gauge):
                return [("shows", gauge, self.reading)]
            case ("press", button):
                self.runs = self.at == self.right and button == self.buttons[0]
                return [("runs" if self.runs else "idle", self.device)]
        _, part, position = command  # possible at any time, so that a list of what is possible does not tell the order
        after = list(self.at)[list(self.at).index(part) + 1 :]
        later = [name for name in after if self.at[name] != self.positions[name][0]]
        self.at |= {part: position} | {name: self.positions[name][0] for name in later}
        return [("moved", part, position), *(("back", name, self.at[name]) for name in later)]

    def holds(self, aim: Fact) -> bool:
        return self.runs

    def layout(self) -> dict[str, Any]:
        return {self.device: {"parts": self.at, "wanted": self.right}}

    def expert(self) -> mechanic.Expert:
        return Expert(self.device)


class Expert(mechanic.Expert):
    """Reads what it has to know, then does it, part after part."""

    def __init__(self, device: str) -> None:
        self.device, self.reading, self.button = device, "", ""
        self.at, self.about, self.read = dict[str, str](), dict[str, str](), set[str]()
        self.terms: dict[str, list[Fact]] = {}  # part → what the manual says of it
        self.parts: list[str] = []

    def did(self, command: Command) -> None:
        self.read |= {command[1]} if command[0] == "read" else set()

    def saw(self, fact: Fact) -> None:
        match fact:
            case ("page" | "about", page, *topic):
                self.about[page] = "".join(topic)
            case ("is_at" | "moved" | "back", part, position):
                self.at[part] = position
            case ("shows", _, reading):
                self.reading = reading
            case ("first_part", _, part):
                self.parts = [part]
            case ("order", _, part):
                self.parts.append(part)
            case ("starts", _, button):
                self.button = button
            case ("setting" | "depends", part, *_) if fact not in self.terms.setdefault(part, []):
                self.terms[part].append(fact)

    def next(self) -> Step:
        if not self.button:
            return self._study(self.device, ("unknown_way", self.device))
        for part in self.parts:
            if part not in self.terms:
                return self._study(part, ("unknown", part))
        terms = [fact for part in self.parts for fact in self.terms[part]]
        for _, part, _, *term in terms:
            if term and not self.reading:
                return Step(("check", term[0]), ("matters", term[0], part), None, ("unread", term[0]), explores=True)
        steps = [fact for fact in terms if fact[4:] in ((), (self.reading,)) and self.at[fact[1]] != fact[2]]
        goals: list[Command] = [*(("set", *fact[1:3]) for fact in steps), ("press", self.button)]
        if not steps:
            why: Fact = ("starts", self.device, self.button)
            return Step(goals[0], why, ("all_set", self.device), ("still", self.device), None, self.device)
        part, before = steps[0][1], self.parts[self.parts.index(steps[0][1]) - 1]
        fact: Fact = ("stands", part, self.at[part]) if part == self.parts[0] else ("order", before, part)
        fact = ("shows", *steps[0][3:]) if steps[0][3:] else fact
        return Step(goals[0], steps[0], fact, ("still", self.device), goals[1], part)

    def _study(self, topic: str, lack: Fact) -> Step:
        page = next(page for page, about in self.about.items() if page not in self.read and about in ("", topic))
        why: Fact = ("topic", page, topic) if self.about[page] else ("may_tell", page, self.device)
        return Step(("read", page), why, None, lack, explores=True)
