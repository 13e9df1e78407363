"""Action grammars drawn at random: how a script's commands are spelled.

An *operation* is what a command does in the world (``take``); a *form* is how one script writes it
(``"from {furniture} collect {object}"``). Every script draws its own verbs, prepositions and argument orders, so that
no spelling can be learned by heart.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from agentrefine_lib.schema import ActionSpec, placeholders

# operation → (verbs, shapes); {v} is the verb, the other names are the operation's arguments
FORMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "go": (
        ("go", "walk", "head", "travel", "proceed", "move", "step"),
        ("{v} to {place}", "{v} {place}", "{v} towards {place}", "{v} into {place}", "{v}[{place}]"),
    ),
    "look": (("look", "survey", "scan", "observe"), ("{v}", "{v} around", "{v} here", "{v}[]")),
    "open": (("open", "unfasten", "pull open", "unseal"), ("{v} {holder}", "{v} the {holder}", "{v}[{holder}]")),
    "unlock": (
        ("unlock", "unbolt", "release"),
        ("{v} {holder} with {item}", "{v} {holder} using {item}", "with {item} {v} {holder}", "{v}[{holder}, {item}]"),
    ),
    "enter": (
        ("enter", "type", "dial", "punch in"),
        ("{v} {code} at {holder}", "{v} {code} into {holder}", "at {holder} {v} {code}", "{v}[{code}, {holder}]"),
    ),
    "read": (("read", "consult", "peruse"), ("{v} {item}", "{v} the {item}", "{v}[{item}]")),
    "take": (
        ("take", "grab", "collect", "fetch", "pick up", "lift", "get", "retrieve"),
        ("{v} {item} from {holder}", "{v} {item} out of {holder}", "from {holder} {v} {item}", "{v}[{item}, {holder}]"),
    ),
    "put": (
        ("put", "place", "set", "lay", "deposit", "store", "leave"),
        ("{v} {item} in {holder}", "{v} {item} at {holder}", "in {holder} {v} {item}", "{v}[{item}, {holder}]"),
    ),
    "transfer": (
        ("mv", "transfer", "shift", "relocate"),
        ("{v} {item} to {holder}", "{v} {item} -> {holder}", "to {holder} {v} {item}", "{v}[{item}, {holder}]"),
    ),
    "switch": (
        ("switch on", "turn on", "activate", "start", "power up"),
        ("{v} {holder}", "{v} the {holder}", "{v}[{holder}]"),
    ),
    "treat": (
        (),
        ("{v} {item} at {holder}", "{v} {item} using {holder}", "at {holder} {v} {item}", "{v}[{item}, {holder}]"),
    ),
    "apply": ((), ("{v} {item} with {tool}", "with {tool} {v} {item}", "{v} {item} by {tool}", "{v}[{item}, {tool}]")),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Form:
    """One operation's spelling in one script."""

    operation: str
    signature: str  # what the script shows, with the domain's words: "take {object} from {furniture}"
    template: str  # the same with the operation's own argument names: "take {item} from {holder}"

    def write(self, arguments: dict[str, str]) -> str:
        """The command for these arguments."""
        return self.template.format(**arguments)

    def read(self, values: Iterable[str]) -> dict[str, str]:
        """The operation's arguments, from the values found in the signature's order."""
        return dict(zip(placeholders(self.template), values, strict=True))


def draw_form(
    rng: random.Random, operation: str, verbs: tuple[str, ...], words: dict[str, str], taken: set[str]
) -> Form:
    """Draw a spelling whose verb no other operation of the script uses. ``words`` renames the arguments."""
    own_verbs, shapes = FORMS[operation.partition(":")[0]]
    verb = rng.choice([v for v in (verbs or own_verbs) if v not in taken])
    taken.add(verb)
    template = rng.choice(shapes).replace("{v}", verb)
    return Form(operation, re.sub(r"\{(\w+)\}", lambda m: "{" + words[m[1]] + "}", template), template)


@lru_cache(maxsize=4096)  # a few thousand signatures make up all scripts
def verification_code(signature: str) -> str:
    """A regular expression that fits the instances of a signature, spaces at will, one group for each parameter."""
    pieces = re.split(r"(\{[^{}]*\}|\s+)", signature)
    code = "".join(
        r"(.+?)" if p.startswith("{") else r"\s+" if p.isspace() else re.escape(p).replace("\\ ", " ") for p in pieces
    )
    return rf"^\s*{code}\s*$"


def action_spec(form: Form, values: dict[str, list[str]]) -> ActionSpec:
    """The script's entry for a form; ``values`` lists the names that exist for each argument."""
    names = zip(placeholders(form.signature), placeholders(form.template), strict=True)
    return ActionSpec(
        verification_code=verification_code(form.signature), parameters={shown: values[own] for shown, own in names}
    )
