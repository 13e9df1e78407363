"""Facts and actions in words: sentences and command signatures of wording.yaml, or of the domain file itself."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from agentrefine_lib.environments.pddl.language import Domain, Fact
from agentrefine_lib.environments.pddl.strips import Action
from agentrefine_lib.environments.words import load_words
from agentrefine_lib.schema.actions import fill

LOOK = "look around"
GENERIC_RULES = (
    "You are in a world of objects and facts about them. An action is possible while the facts that it needs are true, "
    "and it makes facts true or untrue. An observation tells what is new; look around tells everything."
)


class Template(NamedTuple):
    """A text with ``{slots}``, one for each parameter of a predicate or an action."""

    slots: tuple[str, ...]
    text: str

    def fill(self, arguments: Iterable[str]) -> str:
        return fill(self.text, dict(zip(self.slots, arguments, strict=True)))


class Wording(NamedTuple):
    """How one domain reads: ``sentences`` by predicate, ``signatures`` and their ``meanings`` by action."""

    rules: str
    full_state: bool
    sentences: dict[str, Template]
    signatures: dict[str, Template]
    meanings: dict[str, str]

    @property
    def commands(self) -> dict[str, str]:
        """Signature → meaning of everything that a player can do."""
        known = {template.text: self.meanings[name] for name, template in self.signatures.items()}
        return known | {LOOK: "see everything that is true"}

    def sentence(self, fact: Fact) -> str:
        """One fact, e.g. "ball1 is at rooma."."""
        match fact:
            case ("not", *negated):
                return f"it is not so that {self.sentence(tuple(negated))}"
            case ("=", one, other):
                return f"{one} is {other}."
        return self.sentences[fact[0]].fill(fact[1:])

    def clause(self, fact: Fact) -> str:
        """One fact within a sentence, e.g. "ball1 is at rooma"."""
        return self.sentence(fact).lower().removesuffix(".")

    def paragraph(self, facts: Iterable[Fact]) -> str:
        """Many facts: capitalised sentences in alphabetical order."""
        sentences = (self.sentence(fact) for fact in facts)
        return " ".join(sorted(sentence[0].upper() + sentence[1:] for sentence in sentences))

    def command(self, action: Action) -> str:
        """The text of a ground action, e.g. "move from rooma to roomb"."""
        return self.signatures[action.name].fill(action.arguments)


def wording_for(domain: Domain) -> Wording:
    """The wording written for this domain, if there is one that covers it, otherwise one made of its own names."""
    arities = {name: len(schema.parameters) for name, schema in domain.schemas.items()}
    for entry in load_words(__file__)["domains"].values():
        sentences, signatures = _templates(entry["facts"]), _templates(entry["actions"])
        if domain.name in entry["names"] and _covers(sentences, domain.predicates) and _covers(signatures, arities):
            meanings = {head.split()[0]: action["meaning"] for head, action in entry["actions"].items()}
            signatures = {name: template for name, template in signatures.items() if name in arities}
            return Wording(entry["rules"], entry["full_state"], sentences, signatures, meanings)
    return _generic(domain)


def _templates(entries: dict[str, Any]) -> dict[str, Template]:
    templates = {}
    for head, text in entries.items():
        name, *slots = head.split()
        templates[name] = Template(tuple(slots), text if isinstance(text, str) else text["command"])
    return templates


def _covers(templates: dict[str, Template], arities: dict[str, int]) -> bool:
    return all(name in templates and len(templates[name].slots) == arity for name, arity in arities.items())


def _generic(domain: Domain) -> Wording:
    """Names as they stand in the domain file: "at ball1 rooma." and "move {from} {to}"."""
    sentences, signatures, meanings = {}, {}, {}
    for name, arity in domain.predicates.items():
        slots = tuple(f"argument{number}" for number in range(arity))
        sentences[name] = Template(slots, f"{_signature(name, slots)}.")
    for name, schema in domain.schemas.items():
        slots = tuple(parameter[1:].replace("-", "_") for parameter in schema.parameters)
        if len(set(slots)) < len(slots):  # ?a-b and ?a_b
            slots = tuple(f"{slot}_{number}" for number, slot in enumerate(slots, start=1))
        signatures[name] = Template(slots, _signature(name, slots))
        meanings[name] = f"needs {_list(schema.conditions)}; leads to {_list(schema.effects)}"
    return Wording(GENERIC_RULES, False, sentences, signatures, meanings)


def _signature(name: str, slots: Iterable[str]) -> str:
    return " ".join([name, *(f"{{{slot}}}" for slot in slots)])


def _list(facts: Iterable[Fact]) -> str:
    """Conditions or effects of a schema, e.g. "at obj room, not free gripper"."""
    return ", ".join(" ".join(term.removeprefix("?") for term in fact) for fact in facts) or "nothing"
