"""Names of things, drawn from a costume in one style a play, and the articles before them."""

import random
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

STYLES = {"traits": 45, "bare": 15, "mixed": 15, "numbered": 15, "invented": 10}  # how names are made, and how often
NUMBERED_TRAITS = "numbered traits"  # of games whose goals name kinds
ONSETS = (*"bdfgklmnprstvz", "br", "dr", "gl", "kr", "pl", "st", "tr")
RIMES = (*"aeiou", "ab", "ad", "al", "an", "el", "en", "er", "et", "ib", "il", "im", "on", "or", "um", "us")
_ALONE = re.compile(r"\d|[_./#]|^[A-Z]|^(?:the|a|an|your|my) ")  # names that stand without an article
SIDES = ("left", "right", "north", "south", "east", "west")
_THERE = re.compile(r"(?<!\bup )\b(?:at|to|on|in|into|inside) \0it\b")
_PICKED = re.compile(r"\b(pick|lift|put|turn|switch|take|hand|lay|set) (up|down|on|off|away|over) \0it\b")


@lru_cache(maxsize=8192)
def _alone(name: str) -> bool:
    return _ALONE.search(name) is not None


class Noun(str):
    """A name in a sentence: ``{0}`` is "the brass key", ``{0:a}`` "a brass key", ``{0:-}`` the name alone."""

    def __format__(self, spec: str) -> str:
        if spec == "-" or _alone(self):
            return str(self)
        if spec == "a":
            return ("an " if self[0] in "aeiou" else "a ") + self
        return "the " + self


class Known(Noun):
    """A name in a thought: ``{0:a}`` is "the brass key", too, for the Player knows which."""

    def __format__(self, spec: str) -> str:
        return super().__format__("" if spec == "a" else spec)


class Nouns(str):
    """Several names as one: each with its article, and "and" before the last."""

    parts: list[Noun]

    def __new__(cls, names: list[str], noun: type[Noun] = Noun) -> "Nouns":
        made = super().__new__(cls, ", ".join(names))
        made.parts = [noun(name) for name in names]
        return made

    def __format__(self, spec: str) -> str:
        *most, last = [format(part, spec) for part in self.parts]
        return f"{', '.join(most)} and {last}" if most else last


def with_pronouns(text: str, names: Iterable[str]) -> str:
    """The text with "it" or "there" for a thing that is named again; what stands in quotation marks stays."""
    for name in names:
        first, *parts = text.split(f"he {name}")
        if not parts or not name or name in SIDES or _alone(name):
            continue
        made, known, again = first, first[-1:] in "tT", False
        for part in parts:
            if known and again and made[-1] in "tT" and made.count('"') % 2 == 0 and not part[:1].isalpha():
                made = made[:-1] + ("\0It" if made[-1] == "T" else "\0it")
            else:
                made, again = f"{made}he {name}", again or known
            made, known = made + part, True
        if "\0" in made:
            return _PICKED.sub(r"\1 it \2", _THERE.sub("there", made)).replace("\0", "")
    return text


@lru_cache
def load_words(name: str) -> Any:
    """A YAML file beside this one; no caller changes what it gets."""
    with open(Path(__file__).parent / f"{name}.yaml", encoding="utf-8") as file:  # PyYAML's errors name it
        return yaml.safe_load(file)


@lru_cache
def load_costumes() -> dict[str, dict[str, Any]]:
    """Costume → its words."""
    costumes: dict[str, dict[str, Any]] = load_words("costumes")
    return costumes


@lru_cache
def _all_words(kind: str) -> list[str]:
    """The words of all costumes, and those that belong to none."""
    own = load_words("names").get(kind, [])
    return sorted({word for costume in load_costumes().values() for word in costume.get(kind, ())} | set(own))


def kinds_of(names: Iterable[str]) -> dict[str, str]:
    """Numbered name → its kind, for names that are the only one of theirs: "red key 1" → "red key"."""
    kinds = {name: name.rpartition(" ")[0] for name in names if re.fullmatch(r"\D+ \d+", name)}
    counts = Counter(kinds.values())
    return {name: kind for name, kind in kinds.items() if counts[kind] == 1}


class Names:
    """Distinct names for one world. ``style`` comes from STYLES; ``costume`` "" draws from all of them."""

    def __init__(self, rng: random.Random, costume: str, style: str) -> None:
        self._rng, self._style = rng, style
        self._words = load_costumes()[costume] if costume else {}
        self._used: set[str] = set()
        self._numbers: dict[str, int] = {}

    def words(self, kind: str) -> list[str]:
        """The costume's words of a kind, or everybody's where it has none."""
        return self._words.get(kind) or _all_words(kind)

    def draw(self, kind: str, count: int, style: str = "") -> list[str]:
        """So many names of a kind: rooms, spots, cases, devices, things, or a list of names.yaml such as people."""
        plain = kind in ("people", "towns")
        return [self._one(kind, "bare" if plain else style or self._style) for _ in range(count)]

    def one(self, kind: str, style: str = "") -> str:
        return self.draw(kind, 1, style)[0]

    def work(self) -> tuple[str, str, str]:
        """What can be done to a thing: the verb, the station for it, and what the thing is afterwards."""
        works = self._words.get("works") or self._rng.choice([c["works"] for c in load_costumes().values()])
        verb = self._rng.choice(sorted(works))
        station, after = works[verb]
        self._used.add(station)
        return verb, station, after

    def _one(self, kind: str, style: str) -> str:
        rng, words = self._rng, self.words(kind)
        for tried in range(200):
            word = rng.choice(words)
            if tried > 40:  # a small list: any word will do, told apart by a trait
                word, style = rng.choice(_all_words(kind)), "traits" if style == "bare" else style
            name = self._styled(word, style, kind)
            if name not in self._used and (
                style.startswith("numbered") or word not in self._used or rng.random() < 0.2
            ):
                self._used |= {name, word}
                return name
        raise ValueError(f"{kind}: no name is left, {len(self._used)} are used")

    def _styled(self, word: str, style: str, kind: str) -> str:
        rng = self._rng
        if style == "mixed":
            style = rng.choice(("traits", "bare", "bare"))
        if style == NUMBERED_TRAITS and kind != "rooms" and rng.random() < 0.5:
            word = f"{rng.choice(self.words('traits'))} {word}"
        if style.startswith("numbered") and not re.search(r"[./]", word):
            self._numbers[word] = self._numbers.get(word, 0) + 1
            return f"{word} {self._numbers[word]}"
        if style == "invented" and rng.random() < 0.7:
            return "".join(rng.choice(ONSETS) + rng.choice(RIMES) for _ in range(2))
        if style == "traits" and kind != "rooms":
            return f"{rng.choice(self.words('traits'))} {word}" if not re.search(r"[./]", word) else word
        return word
