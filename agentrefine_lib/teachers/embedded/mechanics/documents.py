"""Documents: invented articles that name one another, read line by line, and a question whose answer stands in one."""

import random
from collections.abc import Iterator
from typing import Any

from agentrefine_lib.teachers.embedded import mechanic
from agentrefine_lib.teachers.embedded.mechanic import Command, Fact, Refusal, Step
from agentrefine_lib.teachers.embedded.names import Names, load_words

YEARS = range(1402, 1980)


class World(mechanic.World):
    def __init__(self, rng: random.Random, variant: random.Random, names: Names) -> None:
        words = load_words("mechanics/documents")
        self.finds = variant.random() < 0.6  # a word can be looked for on a page
        hops = variant.choice((2, 2, 3) if self.finds else (1, 2, 2))
        self.values = self._values(rng, words, names)  # kind → what there is of it
        self.pages: dict[str, list[Fact]] = {}  # title → lines
        for kind, lines in words["lines"].items():
            for title in self.values[kind]:
                others = {of: [value for value in values if value != title] for of, values in self.values.items()}
                told: list[Fact] = [(line, title, rng.choice(others[of])) for line, (of, *_) in lines.items()]
                told += [(filler, title) for filler in rng.sample(words["fillers"], rng.randint(0, 2))]
                self.pages[title] = rng.sample(told, len(told))
        kind = rng.choice(sorted(words["lines"]))
        asked = self.right = start = rng.choice(self.values[kind])
        self.path: list[tuple[str, str]] = []  # the lines that lead to the answer, each with how it is asked for
        for hop in range(hops):
            last, lines = hop == hops - 1, words["lines"][kind]
            line = rng.choice([line for line, (of, *_) in lines.items() if last or of in words["lines"]])
            kind, *ways = lines[line]
            self.path.append((line, rng.choice(ways)))
            asked = self.path[-1][1].format(asked)
            self.right = next(fact[2] for fact in self.pages[self.right] if fact[0] == line)
        self.kind, self.words = kind, sorted({word for lines in words["lines"].values() for word in lines})
        self.aims, self.rules = [("asked", asked, start)], [("titles",), ("one_by_one",)]
        self.unused = () if self.finds else ("find",)
        self.open, self.answered, self.shown = "", "", set[Fact]()

    def _values(self, rng: random.Random, words: dict[str, Any], names: Names) -> dict[str, list[str]]:
        def draw(kind: str, count: int) -> list[str]:
            return rng.sample(words[kind], count)

        towns, first = names.draw("towns", 5), names.draw("people", 4)
        return {
            "town": towns[:3],
            "person": [" ".join(pair) for pair in zip(first, draw("persons", 4), strict=True)],
            "house": [" ".join(pair) for pair in zip(towns[3:], draw("houses", 2), strict=True)],
            "book": [f"The {' '.join(pair)}" for pair in zip(draw("adjectives", 2), draw("nouns", 2), strict=True)],
            "year": [str(year) for year in rng.sample(YEARS, 9)],
            **{kind: draw(f"{kind}s", 4) for kind in ("craft", "ware", "river")},
        }

    def names(self, slot: str) -> list[str]:
        values = [value for values in self.values.values() for value in values]
        return {"title": list(self.pages), "text": self.words}.get(slot, values)

    def scene(self) -> list[Fact]:
        read = [line for line in self.pages.get(self.open, ()) if line in self.shown]
        return [("page", self.open), *read] if self.open else [("nothing_open",)]

    def _hidden(self) -> list[Fact]:
        return [line for line in self.pages[self.open] if line not in self.shown]

    def faults(self, command: Command) -> Iterator[object]:
        match command:
            case ("search", title):
                yield title == self.open and Refusal("no_effect", ("open_already", title))
            case ("answer", value):
                yield value not in self.values[self.kind] and Refusal("precondition", ("no_kind", value))
            case ("find", word):
                yield not self.open and Refusal("place", ("no_page",))
                hidden = word in [line[0] for line in self._hidden()]
                yield not hidden and Refusal("absent", ("no_word", word), seen=False)
            case ("next",):
                yield not self.open and Refusal("place", ("no_page",))
                yield not self._hidden() and Refusal("no_effect", ("at_end", self.open))

    def act(self, command: Command) -> list[Fact]:
        match command:
            case ("answer", value):
                self.answered = value
                return [("right" if value == self.right else "wrong", value)]
            case ("search", title):
                self.open = title
                self.shown.add(self.pages[title][0])
                return self.scene()
        line = next(line for line in self._hidden() if command[1:] in ((), line[:1]))
        self.shown.add(line)
        return [line] if self._hidden() else [line, ("end",)]

    def holds(self, aim: Fact) -> bool:
        return self.answered == self.right

    def layout(self) -> dict[str, Any]:
        return {title: {line[0]: list(line[1:]) for line in lines} for title, lines in self.pages.items()}

    def expert(self) -> mechanic.Expert:
        return Expert(self.aims[0][2], self.path, self.finds)


class Expert(mechanic.Expert):
    """Follows the question from page to page; it knows the words of the question, and what the lines told."""

    def __init__(self, start: str, path: list[tuple[str, str]], finds: bool) -> None:
        self.start, self.path, self.finds, self.open = start, path, finds, ""
        self.known: dict[Fact, str] = {}

    def saw(self, fact: Fact) -> None:
        match fact:
            case ("page", title):
                self.open = title
            case (line, title, value):
                self.known[line, title] = value

    def next(self) -> Step:
        at, what = self.start, ""
        fact: Fact = ("asked", at)
        for line, way in self.path:
            what = way.format(at)
            unknown: Fact = ("unknown", what)
            if (line, at) in self.known:
                fact = (line, at, self.known[line, at])
                at = fact[2]
            elif self.open != at:
                return Step(("search", at), ("tells", what, at), fact, unknown, explores=True)
            elif self.finds:
                here: Fact = ("page", at)
                return Step(("find", line), ("line_with", line), here, ("no_line", what), explores=True)
            else:
                return Step(("next",), ("may_follow", what), None, ("no_line", what), explores=True)
        return Step(("answer", at), ("so", at, what), fact, None, None, at)
