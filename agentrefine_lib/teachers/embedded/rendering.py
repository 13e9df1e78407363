"""How facts become text: an observation's style, its words, and the things in it that do not matter."""

import random
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple, NoReturn

from agentrefine_lib.teachers.embedded.mechanic import Fact, Rule
from agentrefine_lib.teachers.embedded.names import Known, Noun, Nouns, load_words

ECHO = 0.7  # how often a thought says a fact in the words in which it was told
_FIRST = (  # second person → first person, in this order
    (re.compile(r"\byou are\b"), "I am"),
    (re.compile(r"\b(to|with|beside|for|of|before|behind|around|near|past|about|from) you\b(?! can)"), r"\1 me"),
    (re.compile(r"\b(tells|told|asks|asked|gives|gave|lets|brings|leads|helps|shows|needs) you\b"), r"\1 me"),
    (re.compile(r"\byourself\b"), "myself"),
    (re.compile(r"\byour\b"), "my"),
    (re.compile(r"\byou\b"), "I"),
)
_BARE = re.compile(r"\S*[./_\d]\S")  # the name of a file or the like


def first_person(clause: str) -> str:
    """What an observation tells "you", as the Player says it."""
    if "you" in clause:
        for pattern, word in _FIRST:
            clause = pattern.sub(word, clause)
    return clause


def sentence(clause: str) -> str:
    """With a capital, unless it begins with the name of a file or the like, and with an end."""
    bare = _BARE.match(clause)
    return (clause if bare else clause[:1].upper() + clause[1:]) + ("" if clause[-1] in ".?!" else ".")


class _Saying(NamedTuple):
    """The words of one fact: clauses, and the labels under which lists show it (none: it is always a clause).

    Facts of one name and the same second argument are told together; where the YAML file has a ``value``, all of one
    name are: the clause's {0} is then the list of values.
    """

    say: Sequence[str]
    label: Sequence[str] = ()
    inventory: bool = False
    value: str = ""


class _Sayings(dict[str, _Saying]):
    """The words of each fact of a mechanic."""

    def __init__(self, mechanic: str) -> None:
        facts = load_words(f"mechanics/{mechanic}")["facts"] | load_words("errors")["facts"]
        super().__init__({n: _Saying(said) if isinstance(said, list) else _Saying(**said) for n, said in facts.items()})
        self._mechanic = mechanic

    def __missing__(self, name: str) -> NoReturn:
        raise KeyError(f"mechanics/{self._mechanic}.yaml: facts: found no {name!r}, expected a list of clauses for it")


_sayings = lru_cache(maxsize=64)(_Sayings)


class _Part(NamedTuple):
    """A clause, or a label with what stands under it."""

    clause: str
    label: str
    values: str
    facts: list[Fact]


STYLES: dict[str, Callable[[list[_Part]], str]] = {
    "prose": lambda parts: " ".join(sentence(part.clause) for part in parts),
    "clauses": lambda parts: "; ".join(part.clause for part in parts) + ".",
    "bullets": lambda parts: "\n".join(f"- {p.label}: {p.values}" if p.label else f"- {p.clause}" for p in parts),
    "lines": lambda parts: "\n".join(f"{p.label} = {p.values}" if p.label else p.clause for p in parts),
    "terse": lambda parts: " ".join(sentence(f"{p.label}: {p.values}" if p.label else p.clause) for p in parts),
    "brackets": lambda parts: " ".join(f"[{p.label}: {p.values}]" if p.label else f"[{p.clause}]" for p in parts),
    "predicates": lambda parts: " ".join(f"{n}({', '.join(a)})" if a else n for p in parts for n, *a in p.facts),
}


class Rendering:
    """One play's way of telling things; everything about it is drawn from ``rng`` once."""

    def __init__(self, rng: random.Random, mechanic: str, plain: bool = False) -> None:
        """``plain``: in whole sentences, the first words of each list, with the inventory, and refusals say why."""
        words = load_words("rendering")
        self.sayings = _sayings(mechanic)
        self._own = {
            name: (rng.choice(saying.say), rng.choice(saying.label) if saying.label else "")
            for name, saying in self.sayings.items()
        }
        self._nested = {name: rng.choice(ways) for name, ways in words["nested"].items()}
        self._labels: dict[str, str] = rng.choice(words["rules"])
        self.style = rng.choices(list(words["styles"]), list(words["styles"].values()))[0]
        self.inventory = rng.random() < 0.5
        self.full = rng.random() < 0.25  # after every action everything is told again
        self._aside = rng.choices(("none", "asides", "status"), (6, 3, 1))[0]
        self._asides = rng.sample(words["asides"], 4)
        self._status = rng.choice(words["status"])
        self.refusing = rng.choices(("informative", "bare", "mixed"), (5, 2, 3))[0]
        self._bare = rng.sample(words["bare"], rng.choice((1, 1, 2)))
        self._informative = rng.sample(words["informative"], 2)
        self.help = rng.choice(words["help"])
        self.lists_actions = rng.random() < 0.12  # what is possible stands at the end of every observation
        self._echo = ECHO
        if plain:
            self._own = {name: (saying.say[0], "") for name, saying in self.sayings.items()}
            self._nested = {name: ways[0] for name, ways in words["nested"].items()}
            self.style, self.inventory, self.full, self.lists_actions = "prose", True, False, False
            self._aside, self.refusing, self._informative = "none", "informative", words["informative"][:1]
            self.help, self._labels, self._echo = words["help"][0], words["rules"][0], 1.0

    def shown(self, facts: Iterable[Fact]) -> list[Fact]:
        """The facts that this play tells: not the inventory, where it does not show one."""
        return [fact for fact in facts if self.inventory or not self.sayings[fact[0]].inventory]

    def clause(self, fact: Fact) -> str:
        """One fact in the words of this play."""
        if fact[0] in self._nested:
            return self._nested[fact[0]].format(c=self.clause(fact[1:]))
        saying = self.sayings[fact[0]]
        return self._own[fact[0]][0].format(*_arguments(saying, [fact], Noun))

    def thought(self, fact: Fact, rng: random.Random) -> str:
        """One fact as the Player says it: in the words of this play, or at times in others of the mechanic's."""
        if fact[0] in self._nested:
            ways: list[str] = load_words("rendering")["nested"][fact[0]]
            nested = rng.choice(ways) if self._echo < 1 else self._nested[fact[0]]
            return nested.format(c=self.thought(fact[1:], rng))
        saying, (say, _) = self.sayings[fact[0]], self._own[fact[0]]
        say = say if rng.random() < self._echo else rng.choice(saying.say)
        return first_person(say.format(*_arguments(saying, [fact], Known)))

    def rule(self, rule: Rule, command: str) -> str:
        parts = {self._labels[name]: getattr(rule, name) for name in ("needs", "makes", "ends")}
        told = [f"{label}: {' and '.join(map(self.clause, facts))}" for label, facts in parts.items() if facts]
        return f"{command}: {'; '.join(told)}."

    def tell(self, facts: Sequence[Fact]) -> str:
        """Facts as text; those with one label and the same further arguments stand together."""
        parts = []
        for _, same in groupby(facts, self._group):
            grouped = list(same)
            saying, (say, label) = self.sayings[grouped[0][0]], self._own[grouped[0][0]]
            clause = say.format(*_arguments(saying, grouped, Noun))
            bare = (
                ", ".join((saying.value or "{0:-}").format(*map(Noun, fact[1:])) for fact in grouped) if label else ""
            )
            parts.append(_Part(clause, label.format(*map(Noun, grouped[0][1:])), bare, grouped))
        return STYLES[self.style](parts) if parts else ""

    def observe(self, rng: random.Random, text: str) -> str:
        """An observation with what else there is to see or hear."""
        if self._aside == "status":
            return f"{text} {self._status.format(n=rng.randint(1, 8))}"
        if self._aside == "asides" and rng.random() < 0.35:
            aside = rng.choice(self._asides)
            return f"{text}\n- {aside}" if self.style == "bullets" else f"{text} {sentence(aside)}"
        return text

    def refuse(self, rng: random.Random, why: str, do: str) -> tuple[str, bool]:
        """What a refused Player reads, and whether it says why. ``do``: what was tried, where that can be said."""
        if self.refusing == "bare" or (self.refusing == "mixed" and rng.random() < 0.5):
            return rng.choice(self._bare), False
        ways = [way for way in self._informative if do or "{d}" not in way] or ["{F}."]
        return rng.choice(ways).format(f=why, F=why[:1].upper() + why[1:], d=do), True

    def _group(self, fact: Fact) -> Fact:
        """Facts with the same result here are told as one."""
        saying = self.sayings[fact[0]]
        return fact if not saying.label else (fact[0],) if saying.value else (fact[0], *fact[2:])


def _arguments(saying: _Saying, facts: list[Fact], noun: type[Noun]) -> list[str]:
    """What fills the clause of facts that are told as one."""
    if saying.value:
        entries = [saying.value.replace(":-}", ":a}", 1).format(*map(noun, fact[1:])) for fact in facts]
        return [" and ".join(filter(None, [", ".join(entries[:-1]), entries[-1]]))]
    first = [Nouns([fact[1] for fact in facts], noun)] if saying.label and len(facts[0]) > 1 else []
    return [*first, *map(noun, facts[0][1 + len(first) :])]
