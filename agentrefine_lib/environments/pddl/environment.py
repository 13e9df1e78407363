"""PDDL planning problems as text: our four domains with generated problems, or any STRIPS domain and problem file.

A task is named "gripper", "blocksworld", "barman" or "tyreworld" (the seed picks the problem), or
"path/domain.pddl:path/problem.pddl". docs/agentboard.md says what is AgentBoard's, and what is not.
"""

import hashlib
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from agentrefine_lib import __version__
from agentrefine_lib.environments.pddl import problems
from agentrefine_lib.environments.pddl.language import Problem, read_domain, read_problem
from agentrefine_lib.environments.pddl.planner import Planner
from agentrefine_lib.environments.pddl.strips import Action, State, bind, holds, is_useful, reachable_actions, unmet
from agentrefine_lib.environments.pddl.text import LOOK, Wording, wording_for
from agentrefine_lib.environments.pddl.thoughts import think
from agentrefine_lib.environments.protocol import Refusal, StepResult, TextEnvironment
from agentrefine_lib.environments.signature import parse_command, short
from agentrefine_lib.schema import Task


class Pddl(TextEnvironment):
    """One PDDL episode in text; implements ``Environment``.

    ``reset`` raises ValueError for a name that is neither a domain nor two files, and for files it cannot understand.
    """

    engine = "pddl"
    version = f"agentrefine_lib {__version__}, pddl problems {problems.VERSION}"

    def reset(self, task: Task) -> str:
        self._problem, self.version = _problem(task)
        self._actions = reachable_actions(self._problem)
        self._planner = Planner(self._actions, self._problem.goal)
        self._words = wording_for(self._problem.domain)
        self.rules, self.commands = self._words.rules, self._words.commands
        conditions = ", ".join(sorted(self._words.sentence(fact) for fact in self._problem.goal))
        self.goal = f"The goal is to satisfy the following conditions: {conditions}"
        self._state = self._problem.init
        self._progress, self._success, self._done = 0.0, False, False
        self._first_thought = zlib.crc32(task.id.encode())
        return self._words.paragraph(self._state)

    def _play(self, action: str) -> StepResult:
        result = self._answer(action)
        if not self._done and self._holds():
            self._progress, self._success, self._done = 1.0, True, True
            result = self._result(f"{result.observation} The goal is satisfied.", result.error)
        return result

    def _answer(self, action: str) -> StepResult:
        text = " ".join(action.lower().split()).rstrip(". ")
        if text == LOOK:
            return self._result(self._words.paragraph(self._state))
        if "check" in text and parse_command(text, self.commands) is None:  # AgentBoard: asks for the list
            return self._offer()
        accepted = accept(text, self._problem, self._state, self._words)
        if isinstance(accepted, Refusal):
            return self._result(accepted.message, accepted.kind)
        return self._do(accepted)

    def valid_actions(self) -> list[str]:
        if self._done:
            return []
        possible = (action for action in self._actions if is_useful(action, self._state))
        return sorted([LOOK, *map(self._words.command, possible)])

    def expert(self) -> Iterator[tuple[str, str]]:
        """Yield (thought, action) until the goal is reached; stops early where the planner finds no plan."""
        plan: list[Action] = []
        expected: State | None = None
        number = self._first_thought
        while not self._done:
            if self._state != expected:  # nothing planned yet, or somebody else has acted
                plan = self._planner.plan(self._state)
            if not plan and self._holds():
                yield "All that is asked for is true already.", LOOK
            if not plan:
                return
            thought = think(plan, self._state, self._problem.goal, self._words, number)
            action, *plan = plan
            expected = action.result(self._state)
            number += 1
            yield thought, self._words.command(action)

    def _holds(self) -> bool:
        return all(holds(fact, self._state) for fact in self._problem.goal)

    def _do(self, action: Action) -> StepResult:
        before, self._state = self._state, action.result(self._state)
        reached = [holds(fact, self._state) for fact in self._problem.goal]
        self._progress = max(self._progress, sum(reached) / len(reached))
        self._success = self._done = all(reached)
        told = self._state if self._words.full_state else self._state - before
        observation = self._words.paragraph(told) or "Done. Nothing new has become true."
        return self._result(f"{observation} The goal is satisfied." if self._success else observation)


def _problem(task: Task) -> tuple[Problem, str]:
    if task.name in problems.DOMAINS:
        return problems.generate(task.name, task.seed), Pddl.version
    named = [(task.name[:at], task.name[at + 1 :]) for at, sign in enumerate(task.name) if sign == ":"]
    found = [pair for pair in named if all(map(os.path.isfile, pair))]
    if not named or len(found) > 1:
        expected = f"expected one of {', '.join(problems.DOMAINS)}, or two files such as a.pddl:a/prob01.pddl"
        raise ValueError(f"unknown PDDL task {task.name!r}: {expected}")
    domain, problem = map(Path, max(named, key=lambda pair: sum(map(os.path.isfile, pair))))
    read = read_problem(read_domain(domain), problem)
    content = hashlib.sha256(domain.read_bytes() + problem.read_bytes()).hexdigest()
    return read, f"agentrefine_lib {__version__}, files {content[:8]}"


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
    kinds = problem.domain.schemas[reading.name].parameters.values()
    if len(reading.arguments) < len(kinds):
        return Refusal("parameter", f"Name all that it takes: {wording.signatures[reading.name].text}.")
    for argument, kind in zip(reading.arguments, kinds, strict=True):
        if not problem.fits(argument, kind):
            fitting = ", ".join(sorted(name for name in problem.objects if problem.fits(name, kind)))
            return Refusal("parameter", f'Found "{short(argument)}" where a {kind} is named; there is {fitting}.')
    return None
