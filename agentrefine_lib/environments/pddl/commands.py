"""From a player's text to a ground action, or to the reason why it is refused."""

import re
from typing import NamedTuple

from agentrefine_lib.environments.pddl.language import Problem
from agentrefine_lib.environments.pddl.strips import Action, State, bind, is_useful, unmet
from agentrefine_lib.environments.pddl.text import Wording
from agentrefine_lib.environments.protocol import Refusal
from agentrefine_lib.environments.signature import parse_command, short


class Reading(NamedTuple):
    """What a text may mean: an action of the domain, and what stands in the place of its parameters."""

    name: str
    arguments: tuple[str, ...]


def accept(text: str, problem: Problem, state: State, wording: Wording) -> Action | Refusal:
    """The action that a text names, if it is possible in a state and changes something."""
    named = _understand(text, problem, wording)
    if isinstance(named, Refusal) or is_useful(named, state):
        return named
    if missing := unmet(named, state):
        reason = f"because this is not true: {wording.paragraph(missing)}"
        return Refusal("logic", f"You cannot {wording.command(named)} now, {reason}")
    return Refusal("logic", f"Nothing would change if you {wording.command(named)}.")


def _understand(text: str, problem: Problem, wording: Wording) -> Action | Refusal:
    """The action that a text names with objects of the right types, whether or not it is possible now."""
    readings = [reading for reading in (_by_signature(text, wording), _by_names(text, problem)) if reading]
    if not readings:
        commands = ", ".join(wording.commands)
        return Refusal("format", f'"{short(text)}" is not a command. The commands are: {commands}.')
    refusals = []
    for reading in readings:
        refusal = _misfit(reading, problem, wording)
        if refusal is None:
            return bind(problem.domain.schemas[reading.name], reading.arguments)
        refusals.append(refusal)
    return refusals[0]


def _by_signature(text: str, wording: Wording) -> Reading | None:
    found = parse_command(text, (template.text for template in wording.signatures.values()))
    if found is None:
        return None
    name = next(name for name, template in wording.signatures.items() if template.text == found.signature)
    return Reading(name, tuple(found.arguments[slot] for slot in wording.signatures[name].slots))


def _by_names(text: str, problem: Problem) -> Reading | None:
    """AgentBoard's rule: the first word that names an action, and the first objects in the order of its parameters."""
    words = re.findall(r"[\w-]+", text)
    name = next((word for word in words if word in problem.domain.schemas), None)
    if name is None:
        return None
    objects = [word for word in words if word in problem.objects]
    return Reading(name, tuple(objects[: len(problem.domain.schemas[name].parameters)]))


def _misfit(reading: Reading, problem: Problem, wording: Wording) -> Refusal | None:
    """What is wrong with the objects of a reading, if anything."""
    kinds = problem.domain.schemas[reading.name].parameters.values()
    if len(reading.arguments) < len(kinds):
        return Refusal("parameter", f"Name all that it takes: {wording.signatures[reading.name].text}.")
    for argument, kind in zip(reading.arguments, kinds, strict=True):
        if not problem.fits(argument, kind):
            fitting = ", ".join(sorted(name for name in problem.objects if problem.fits(name, kind)))
            return Refusal("parameter", f'Found "{short(argument)}" where a {kind} is named; there is {fitting}.')
    return None
