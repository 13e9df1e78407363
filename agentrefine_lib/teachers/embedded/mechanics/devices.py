"""Devices: dials, switches and buttons, and a manual that says what belongs where, in which order, and on what terms.

Every setting is possible at any time, so that what is possible tells nothing about the order; but a part that is moved
throws back those that come after it, and a button works only when all is set.
"""

from __future__ import annotations

import random

from pydantic import JsonValue

from agentrefine_lib.teachers.embedded import mechanic
from agentrefine_lib.teachers.embedded.mechanic import Command, Fact, NoPlanError, Refusal, Step
from agentrefine_lib.teachers.embedded.names import Names, load_words


class World(mechanic.World):
    def __init__(self, rng: random.Random, variant: random.Random, names: Names) -> None:
        words = load_words("mechanics/devices")
        self.indexed, depends = variant.random() < 0.5, variant.random() < 0.6
        leaf, gauge, button = (variant.choice(words[kind]) for kind in ("leaves", "gauges", "buttons"))
        sorts = variant.sample(words["parts"], 2)
        marks = iter(rng.sample(words["marks"], len(words["marks"])))
        self.devices = names.draw("devices", rng.choice((1, 1, 2)))
        self.gauge = f"{next(marks)} {gauge}" if depends else ""
        self.reading, other = rng.sample(rng.choice(words["readings"]), 2)
        self.positions: dict[str, list[str]] = {}  # part → its positions; the first is where it falls back to
        self.parts: dict[str, list[str]] = {}  # device → its parts, in order
        self.buttons: dict[str, str] = {}
        self.right: dict[str, str] = {}
        texts: list[tuple[str, list[Fact]]] = []  # what a page is about, and says
        for device in self.devices:
            self.buttons[f"{next(marks)} {button}"] = device
            parts = self.parts[device] = []
            for _ in range(rng.randint(2, 4) if len(self.devices) == 1 else 2):
                sort = rng.choice(sorts)
                part = f"{next(marks)} {rng.choice(sort['words'][:2])}"
                first, *others = rng.sample(sort["positions"], len(sort["positions"]))
                self.positions[part], self.right[part] = [first, *others], rng.choice(others)
                wrong = rng.choice([position for position in self.positions[part] if position != self.right[part]])
                terms = [(self.right[part], self.reading), (wrong, other)]
                if depends and not any(len(lines) == 2 for _, lines in texts):
                    told: list[Fact] = [("depends", part, at, self.gauge, reading) for at, reading in sorted(terms)]
                else:
                    told = [("setting", part, self.right[part])]
                texts.append((part, told))
                parts.append(part)
            order: list[Fact] = [("order", device, *pair) for pair in zip(parts, parts[1:], strict=False)]
            texts.append(
                (device, [("first_part", device, parts[0]), *order, ("starts", device, list(self.buttons)[-1])])
            )
        rng.shuffle(texts)
        numbers = sorted(rng.sample(range(1, 30), len(texts)))
        self.pages = {f"{leaf} {number}": text for number, text in zip(numbers, texts, strict=True)}
        self.at = {part: positions[0] for part, positions in self.positions.items()}
        self.page, self.running = "", set[str]()
        self.aims = [("runs", device) for device in self.devices]
        self.rules, self.unused = [("manual",), ("falls",)], () if depends else ("check",)

    def names(self, slot: str) -> list[str]:
        if slot == "state":
            return sorted({position for positions in self.positions.values() for position in positions})
        return list(self.pages) if slot == "title" else [*self.at, *self.buttons, *([self.gauge] if self.gauge else [])]

    def opening(self) -> list[Fact]:
        pages: list[Fact] = [
            ("about", page, about) if self.indexed else ("page", page) for page, (about, _) in self.pages.items()
        ]
        return [*self.scene(), *pages]

    def scene(self) -> list[Fact]:
        devices: list[Fact] = [("runs" if device in self.running else "still", device) for device in self.devices]
        gauge: list[Fact] = [("gauge", self.gauge)] if self.gauge else []
        return [
            *devices,
            *(("is_at", *pair) for pair in self.at.items()),
            *(("button", b) for b in self.buttons),
            *gauge,
        ]

    def check(self, command: Command) -> Refusal | None:
        match command:
            case ("read", page):
                return Refusal("no_effect", ("page_open", page)) if page == self.page else None
            case ("check", name):
                return None if name == self.gauge else Refusal("precondition", ("no_gauge", name))
            case ("press", name) if name not in self.buttons:
                return Refusal("precondition", ("no_button", name))
            case ("press", name):
                device = self.buttons[name]
                return Refusal("no_effect", ("runs_already", device)) if device in self.running else None
            case ("set", name, _) if name not in self.at:
                return Refusal("precondition", ("no_part", name))
        _, part, position = command
        if position not in self.positions[part]:
            return Refusal("absent", ("no_position", part, position))
        return Refusal("no_effect", ("at_already", part, position)) if self.at[part] == position else None

    def act(self, command: Command) -> list[Fact]:
        match command:
            case ("read", page):
                self.page = page
                return self.pages[page][1]
            case ("check", gauge):
                return [("shows", gauge, self.reading)]
            case ("press", button):
                device = self.buttons[button]
                ready = all(self.at[part] == self.right[part] for part in self.parts[device])
                self.running |= {device} if ready else set()
                return [("runs" if ready else "idle", device)]
        _, part, position = command
        self.at[part] = position
        parts = next(parts for parts in self.parts.values() if part in parts)
        later = [name for name in parts[parts.index(part) + 1 :] if self.at[name] != self.positions[name][0]]
        self.at |= {name: self.positions[name][0] for name in later}
        return [("moved", part, position), *(("back", name, self.at[name]) for name in later)]

    def holds(self, aim: Fact) -> bool:
        return aim[1] in self.running

    def layout(self) -> dict[str, JsonValue]:
        return {
            device: {part: {"at": self.at[part], "right": self.right[part]} for part in parts}
            for device, parts in self.parts.items()
        }

    def expert(self) -> mechanic.Expert:
        return Expert(self.devices)


class Expert(mechanic.Expert):
    """Reads what it has to know, then does it, part after part."""

    def __init__(self, devices: list[str]) -> None:
        self.devices, self.reading = devices, ""
        self.at, self.about, self.button = dict[str, str](), dict[str, str](), dict[str, str]()
        self.parts: dict[str, list[str]] = {}
        self.told: dict[str, list[Fact]] = {}  # part → what the manual says of it
        self.read, self.running = set[str](), set[str]()

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
            case ("runs", device):
                self.running.add(device)
            case ("first_part", device, part):
                self.parts[device] = [part]
            case ("order", device, _, part):
                self.parts[device].append(part)
            case ("starts", device, button):
                self.button[device] = button
            case ("setting" | "depends", part, *_):
                self.told[part] = [*self.told.get(part, []), fact]

    def next(self) -> Step:
        device = next(device for device in self.devices if device not in self.running)
        if device not in self.button:
            return self._study(device, device, ("unknown_way", device))
        for part in self.parts[device]:
            if part not in self.told:
                return self._study(part, device, ("unknown", part))
        terms = [fact for part in self.parts[device] for fact in self.told[part]]
        for _, part, _, *term in terms:
            if term and not self.reading:
                return Step(("check", term[0]), ("matters", term[0], part), None, ("unread", term[0]), None, part, True)
        steps = [fact for fact in terms if fact[4:] in ((), (self.reading,)) and self.at[fact[1]] != fact[2]]
        press: Command = ("press", self.button[device])
        still: Fact = ("still", device)
        if not steps:
            return Step(press, ("starts", device, self.button[device]), ("all_set", device), still, None, device)
        now, *later = steps
        then: Command = ("set", *later[0][1:3]) if later else press
        return Step(("set", *now[1:3]), now, ("stands", now[1], self.at[now[1]]), still, then, now[1])

    def _study(self, topic: str, device: str, lack: Fact) -> Step:
        for page, about in self.about.items():
            if page not in self.read and about in ("", topic):
                why: Fact = ("topic", page, topic) if about else ("may_tell", page, device)
                return Step(("read", page), why, None, lack, None, topic, explores=True)
        raise NoPlanError
