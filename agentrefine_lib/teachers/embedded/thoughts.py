"""What the Player thinks: sentences of many styles, filled with what the expert's step says is so."""

import random
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from agentrefine_lib.teachers.embedded.mechanic import Command, Step
from agentrefine_lib.teachers.embedded.names import Noun, load_words, with_pronouns
from agentrefine_lib.teachers.embedded.rendering import Rendering, first_person

PLAIN = 2  # styles for each purpose in plain plays
FAVOURITES, FAITHFUL = 3, 0.9  # styles that a play draws for each purpose, and how often it keeps to them
_PIECES = re.compile(r"(?<=[.?!])\s|\n|; ")  # between the sentences of an observation
_MARKED = re.compile(r"[\[\](){}|=:]")  # a list or a command, no sentence
LONGEST_QUOTE = 70  # characters of an observation that a thought repeats
LONGEST_ACTION = 90  # of a refused action: a model's may be without end


class Refused(NamedTuple):
    """What the Player knows about a refusal. ``fault`` is "" where nobody told it and it cannot be seen."""

    action: str
    said: str
    fault: str


@lru_cache
def _styles(purpose: str) -> list[tuple[str, frozenset[str]]]:
    """Sentences and the slots that each needs."""
    return [
        (style, frozenset(slot.lower() for slot in re.findall(r"\{(\w+)\}", style)))
        for style in load_words("thoughts")[purpose]
    ]


class _Slots(dict[str, str]):
    """Slots by name; one with a capital is the same text with a capital."""

    def __missing__(self, key: str) -> str:
        text = self[key.lower()]
        return text[:1].upper() + text[1:]


class Voice:
    """One play's ways to think."""

    def __init__(
        self, rng: random.Random, rendering: Rendering, do: Callable[[Command, random.Random], str], plain: bool = False
    ) -> None:
        """``plain``: one style for each purpose, of the first few, as far as it fits."""
        self._rendering, self._do, self._faithful = rendering, do, 1.0 if plain else FAITHFUL
        self._favourites = {
            purpose: rng.sample(_styles(purpose), min(FAVOURITES, len(_styles(purpose))))
            for purpose in load_words("thoughts")
        }
        if plain:
            self._favourites = {purpose: _styles(purpose)[:PLAIN] for purpose in self._favourites}

    def think(
        self, rng: random.Random, purpose: str, step: Step, action: str, last: str, refused: Refused | None = None
    ) -> str:
        """A thought before a step. ``action``: the step as text; ``last``: the observation that it answers."""
        known = {"do", "why", "action"} | {name for name in ("fact", "lack", "then", "target") if getattr(step, name)}
        quote = quote_of(last, [*step.command[1:], step.target])
        known |= {"quote"} if quote else set()
        if refused:  # a text with quotation marks in it is not quoted
            known |= {"fault"} if refused.fault else set()
            known |= {"said"} if '"' not in refused.said else set()
            known |= {"refused"} if '"' not in refused.action and len(refused.action) <= LONGEST_ACTION else set()
        style = self._choose(rng, purpose, known)
        slots = _Slots()
        if refused:
            slots |= {"refused": refused.action, "said": ended(refused.said), "fault": first_person(refused.fault)}
        slots |= {"do": self._do(step.command, rng), "action": action, "quote": quote}
        for name in ("why", "fact", "lack"):
            if fact := getattr(step, name):
                slots[name] = self._rendering.thought(fact, rng)
        slots["then"] = self._do(step.then, rng) if step.then else ""
        slots["target"] = format(Noun(step.target)) if step.target else ""
        return with_pronouns(style.format_map(slots), dict.fromkeys([step.target, *step.command[1:], *step.why[1:]]))

    def _choose(self, rng: random.Random, purpose: str, known: set[str]) -> str:
        for styles in ([self._favourites[purpose]] if rng.random() < self._faithful else []) + [_styles(purpose)]:
            if fitting := [style for style, needs in styles if needs <= known]:
                return rng.choice(fitting)
        raise ValueError(f"thoughts: no style for {purpose} needs only {', '.join(sorted(known))}")


def ended(said: str) -> str:
    return said if said[-1] in ".?!" else f"{said}."


def quote_of(observation: str, names: list[str]) -> str:
    """A short sentence of an observation that speaks of one of the names, or ""."""
    if '"' in observation:
        return ""
    pieces = [piece.strip(" -.") for piece in _PIECES.split(observation)]
    short = [piece for piece in pieces if 8 < len(piece) < LONGEST_QUOTE and not _MARKED.search(piece)]
    return next((piece for name in names if name for piece in short if name in piece), "")
