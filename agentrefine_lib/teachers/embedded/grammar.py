"""Command grammars drawn at random: how one script's commands are spelled.

An *operation* is what a command does in a mechanic's world (``take``); a *form* is how one script writes it. Verbs,
prepositions, the order of the arguments, brackets and the names of parameters are drawn for each script.
"""

import random
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from agentrefine_lib.schema import ActionSpec
from agentrefine_lib.teachers.embedded.mechanic import Command, World
from agentrefine_lib.teachers.embedded.names import load_words

SHAPES: dict[str, Callable[[str, list[str]], str]] = {  # all but "natural": verb, slots → signature
    "brackets": lambda verb, slots: f"{verb}[{', '.join(slots)}]",
    "parentheses": lambda verb, slots: f"{verb}({', '.join(slots)})",
    "commas": lambda verb, slots: f"{verb} {', '.join(slots)}",
    "arrow": lambda verb, slots: f"{verb} {' -> '.join(slots)}",
    "colon": lambda verb, slots: f"{verb}: {' / '.join(slots)}",
    "pairs": lambda verb, slots: f"{verb} {' '.join(f'{slot[1:-1]}={slot}' for slot in slots)}",
    "bars": lambda verb, slots: f"{verb} | {' | '.join(slots)}",
}
NATURAL = "natural"
FORMS = {NATURAL: 50, "brackets": 13, "parentheses": 9, "commas": 8, "arrow": 6, "colon": 5, "pairs": 5, "bars": 4}
CODED = ("brackets", "parentheses", "pairs")  # grammars whose verbs may be written as in a programming language
FLIPPED = 0.2  # of the natural commands with two arguments: "from {place} take {thing}"
SHORT = 0.4  # of the commands with an argument that may be left out
EXTRAS = {"help": 0.45, "look": 0.4}  # operations without parameters → how often a grammar has them, in any world


class Form(NamedTuple):
    """One operation's spelling in one script."""

    operation: str
    verb: str
    signature: str  # "take {item} from {spot}"
    template: str  # the same with numbers: "take {1} from {2}"
    order: tuple[int, ...]  # which argument of the operation each parameter of the signature is
    kinds: tuple[str, ...]  # the kinds of the operation's arguments
    head: str  # every instance begins with it

    def write(self, command: Command) -> str:
        return self.template.format(*command)


class Grammar:
    """The spelling of every operation of a mechanic. ``form``: a key of FORMS, or "" for one drawn at random.

    ``plain``: the first verb and preposition of each operation, in the order in which it is said.
    """

    def __init__(self, rng: random.Random, operations: dict[str, Any], form: str, plain: bool) -> None:
        self._choose: Callable[[Sequence[str]], str] = itemgetter(0) if plain else rng.choice
        self._turned = 0.0 if plain else 1.0  # how far SHORT and FLIPPED hold
        self.form = form or rng.choices(list(FORMS), list(FORMS.values()))[0]
        self._case = "lower" if plain else rng.choices(("lower", "upper", "camel"), (88, 6, 6))[0]
        self._joint = rng.choice((" ", "_", "-")) if self.form in CODED else " "
        words = load_words("grammar")
        own: dict[str, Any] = {**operations}
        own |= {extra: {"verbs": words[extra], "slots": []} for extra, share in EXTRAS.items() if rng.random() < share}
        taken: set[str] = set()
        self.forms = {name: self._draw(rng, name, entry, taken) for name, entry in own.items()}

    def write(self, command: Command) -> str:
        """The text of a command; arguments that this grammar leaves out are dropped."""
        return self.forms[command[0]].write(command)

    def specs(self, world: World) -> dict[str, ActionSpec]:
        """The script's available actions: signature → verification code and the values of each parameter."""
        found = {}
        for name, form in self.forms.items():
            if name not in world.unused:
                names = re.findall(r"\{(\w+)\}", form.signature)
                slots = zip(names, form.order, strict=True)
                found[form.signature] = ActionSpec(
                    verification_code=verification_code(form.signature),
                    parameters={slot: world.names(form.kinds[index]) for slot, index in slots},
                )
        return found

    def _draw(self, rng: random.Random, name: str, entry: dict[str, Any], taken: set[str]) -> Form:
        verb = self._choose([v for v in entry["verbs"] if v not in taken] or [f"{entry['verbs'][0]} now"])
        taken.add(verb)
        kinds = tuple(entry["slots"])
        count = len(kinds) - (entry.get("optional", 0) if rng.random() < SHORT * self._turned else 0)
        order = tuple(range(count))
        slots: list[str] = []
        for kind in kinds[:count]:
            words = load_words("grammar")["slots"]
            free = [word for word in words[kind] if f"{{{word}}}" not in slots]
            slots.append(f"{{{self._choose(free or words['other'])}}}")
        spelled = self._cased(verb)
        if not slots:
            signature = spelled + ("[]" if self.form == "brackets" else "()" if self.form == "parentheses" else "")
        elif self.form == "natural":
            before = [self._choose(words) for words in entry.get("prepositions", ())]
            order, signature = _sentence(rng, FLIPPED * self._turned, spelled, slots, before, entry)
        else:
            signature = SHAPES[self.form](spelled, slots)
        numbers = iter(order)
        template = re.sub(r"\{\w+\}", lambda _: f"{{{1 + next(numbers)}}}", signature)
        head = re.split(r"[\s{]", signature, maxsplit=1)[0]
        return Form(name, spelled, signature, template, order, kinds, head)

    def _cased(self, verb: str) -> str:
        if self._case == "camel" and self.form in CODED:
            head, *rest = verb.split()
            return head + "".join(word.capitalize() for word in rest)
        joined = verb.replace(" ", self._joint)
        return joined.upper() if self._case == "upper" else joined


def _sentence(
    rng: random.Random, flips: float, verb: str, slots: list[str], words: Sequence[str], entry: dict[str, Any]
) -> tuple[tuple[int, ...], str]:
    """A command in plain words, and the order of its arguments. ``words`` stand before the second argument and on."""
    if len(slots) == 2 and not entry.get("rigid") and rng.random() < flips:
        return (1, 0), f"{words[0]} {slots[1]} {verb} {slots[0]}"
    rest = "".join(f" {word} {slot}" for word, slot in zip(words, slots[1:], strict=False))
    return tuple(range(len(slots))), f"{verb} {slots[0]}{rest}"


@lru_cache(maxsize=8192)
def verification_code(signature: str) -> str:
    """A regular expression that fits the instances of a signature, spaces at will, one group for each parameter."""
    pieces = re.split(r"(\{[^{}]*\}|\s+)", signature)
    code = "".join(
        r"(.+?)" if p.startswith("{") else r"\s+" if p.isspace() else re.escape(p).replace("\\ ", " ") for p in pieces
    )
    return rf"^\s*{code}\s*$"
