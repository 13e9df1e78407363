"""Samples with a hidden property: instruments tell it, and limits say what follows from a reading."""

import random
from collections.abc import Iterator
from typing import Any

from agentrefine_lib.teachers.embedded import mechanic
from agentrefine_lib.teachers.embedded.mechanic import Command, Fact, Refusal, Rule, Step
from agentrefine_lib.teachers.embedded.names import Names, load_words


def number_of(reading: str) -> int:
    return int(reading.split()[0])


class World(mechanic.World):
    def __init__(self, rng: random.Random, variant: random.Random, names: Names) -> None:
        words = load_words("mechanics/measuring")
        self.mounts, self.labels, finds = [variant.random() < share for share in (0.5, 0.4, 0.35)]
        self.prop, *others = variant.sample(sorted(words["properties"]), 3)
        shown = rng.sample([self.prop, *others], 3) if rng.random() < 0.5 else [self.prop]
        self.tools = {rng.choice(words["properties"][prop]["tools"]): prop for prop in shown}
        self.samples = names.draw(variant.choice(("things", "liquids")), rng.randint(3, 4) + finds)
        self.value: dict[tuple[str, str], Fact] = {}
        for prop in shown:
            for sample, number in zip(self.samples, rng.sample(range(3, 90), len(self.samples)), strict=True):
                reading = f"{number} {words['properties'][prop]['unit']}"
                self.value[sample, prop] = ("reads", sample, reading, prop)
        ranked = sorted(self.samples, key=lambda sample: number_of(self.value[sample, self.prop][2]))
        if finds:
            most, self.labels, self.classes = rng.choice(("highest", "lowest")), False, names.draw("spots", 1)
            self.aims = [("most", self.prop, most, *self.classes)]
            self.right = {ranked[-1 if most == "highest" else 0]: self.classes[0]}
        else:
            self.classes = variant.choice(words["labels"])[:] if self.labels else names.draw("cases", 2)
            rng.shuffle(self.classes)
            cut = rng.randint(1, len(ranked) - 1)
            below, above = (number_of(self.value[sample, self.prop][2]) for sample in ranked[cut - 1 : cut + 1])
            limit = f"{(below + above + 1) // 2} {words['properties'][self.prop]['unit']}"
            low, high = ("low", "high") if self.labels else ("under", "over")
            self.rules = [(low, limit, self.classes[0]), (high, limit, self.classes[1])]
            self.aims = [("labelled" if self.labels else "filed", self.prop)]
            self.right = {sample: self.classes[index >= cut] for index, sample in enumerate(ranked)}
        self.rules = [*self.rules, *[("holding",)] * self.mounts]
        self.placed = "bears" if self.labels else "lies"
        self.unused = ("file" if self.labels else "label", *["mount"] * (not self.mounts))
        self.on, self.where = dict[str, str](), dict[str, str]()  # instrument → its sample; sample → class
        self.known: set[tuple[str, str]] = set()  # sample, property

    def names(self, slot: str) -> list[str]:
        return {"thing": self.samples, "tool": list(self.tools)}.get(slot, self.classes)

    def scene(self) -> list[Fact]:
        told: list[Fact] = [("sample", sample) for sample in self.samples if sample not in self.where]
        told += [("tells", *item) for item in self.tools.items()] + [("on", s, tool) for tool, s in self.on.items()]
        told += [fact for pair, fact in self.value.items() if pair in self.known]
        return told + [(self.placed, *item) for item in self.where.items()]

    def faults(self, command: Command) -> Iterator[object]:
        operation, sample, name = command
        if operation in ("file", "label"):
            yield self.where.get(sample) == name and Refusal("no_effect", (self.placed, sample, name))
            yield (sample, self.prop) not in self.known and Refusal("precondition", ("unmeasured", sample, self.prop))
            return
        gone = sample in self.where and not self.labels
        yield gone and Refusal("absent", ("lies", sample, self.where[sample]))
        if operation == "mount":
            yield self.on.get(name) == sample and Refusal("no_effect", ("on", sample, name))
        else:
            yield self.mounts and self.on.get(name) != sample and Refusal("place", ("not_on", sample, name))
            prop = self.tools[name]
            yield (sample, prop) in self.known and Refusal("no_effect", ("measured", sample, prop))

    def act(self, command: Command) -> list[Fact]:
        operation, sample, name = command
        if operation == "measure":
            self.known.add((sample, self.tools[name]))
            return [self.value[sample, self.tools[name]]]
        if operation != "label":
            self.on = {tool: held for tool, held in self.on.items() if held != sample}
        if operation == "mount":
            self.on[name] = sample
            return [("on", sample, name)]
        self.where = ({} if self.aims[0][0] == "most" else self.where) | {sample: name}
        return [(self.placed, sample, name)]

    def holds(self, aim: Fact) -> bool:
        return self.where == self.right

    def reached(self) -> float:
        return sum(self.where.get(sample) == name for sample, name in self.right.items()) / len(self.right)

    def layout(self) -> dict[str, Any]:
        return {f"{prop} of {s}": fact[2] for (s, prop), fact in self.value.items()} | self.right | self.tools

    def expert(self) -> mechanic.Expert:
        return Expert(self.aims[0], self.rules)


class Expert(mechanic.Expert):
    """Measures, compares with the limits or with the other readings, and decides."""

    def __init__(self, aim: Fact, rules: list[Fact | Rule]) -> None:
        self.aim, self.mounts, self.tool = aim, ("holding",) in rules, ""
        self.limits: list[Fact] = [rule for rule in rules if not isinstance(rule, Rule) and len(rule) == 3]
        self.reading: dict[str, Fact] = {}
        self.samples, self.where, self.on = list[str](), dict[str, str](), dict[str, str]()

    def saw(self, fact: Fact) -> None:
        match fact:
            case ("sample", sample) if sample not in self.samples:
                self.samples.append(sample)
            case ("tells", tool, prop) if prop == self.aim[1]:
                self.tool = tool
            case ("reads", sample, _, prop) if prop == self.aim[1]:
                self.reading[sample] = fact
            case ("on", sample, tool):
                self.on = {other: held for other, held in self.on.items() if held != sample} | {tool: sample}
            case ("lies" | "bears", sample, name):
                self.where = ({} if self.aim[0] == "most" else self.where) | {sample: name}

    def next(self) -> Step:
        kind, prop, *_ = self.aim
        for sample in self.samples:
            why, name = self._verdict(sample)
            if name and self.where.get(sample) != name:
                command = ("label" if kind == "labelled" else "file", sample, name)
                return Step(command, why, self.reading[sample], ("undecided", sample))
        sample = next(sample for sample in self.samples if sample not in self.reading)
        measure, unknown = ("measure", sample, self.tool), ("unmeasured", sample, prop)
        if self.mounts and self.on.get(self.tool) != sample:
            tells: Fact = ("tells", self.tool, prop)
            return Step(("mount", sample, self.tool), ("reads_held", self.tool), tells, unknown, measure)
        fact: Fact = ("on", sample, self.tool) if self.mounts else ("tells", self.tool, prop)
        return Step(measure, unknown if self.reading else ("counts", prop), fact, explores=True)

    def _verdict(self, sample: str) -> tuple[Fact, str]:
        """Why a sample belongs somewhere, and where; "" as long as that is not clear."""
        if sample not in self.reading or (not self.limits and len(self.reading) < len(self.samples)):
            return (), ""
        number = number_of(self.reading[sample][2])
        if self.limits:
            limit = self.limits[number >= number_of(self.limits[0][1])]
            return limit, limit[2]
        _, prop, most, spot = self.aim
        others = [number_of(fact[2]) for fact in self.reading.values()]
        best = max(others) if most == "highest" else min(others)
        return ("best", sample, prop, most), spot if number == best else ""
