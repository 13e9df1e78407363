"""TextWorld's PDDL games, played fast: the text and commands of its PddlEnv, which parses everything anew at each step.

Grammar and domain are parsed once per process, a game is translated once, and text is written straight from the parsed
rules; Fast Downward keeps the state. The grammar's expressions are Python, and TextWorld evaluates them: here they come
from the installed alfworld package only, never from a game file.
"""

import functools
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from types import CodeType
from typing import Any, NamedTuple

import fast_downward
from textworld.envs.pddl import textgen
from textworld.envs.pddl.logic import GameLogic
from textworld.generator.game import EntityInfo

from agentrefine_lib.environments.alfworld.bundle import DOMAIN, GRAMMAR, Demangler

Arguments = tuple[str, ...]  # ids of the problem, e.g. "mug_bar__minus_01_dot_36_…"
Binding = dict[str, str]  # the grammar's variables and the ids they stand for
KEPT = 4  # translated games that a process remembers: an episode is often played again
_IDLE: list[Any] = []  # copies of Fast Downward that nobody uses now; to unload them crashes the process after a while


class Operation(NamedTuple):
    """What a command does: the planner's number for it, how many facts it changes, its PDDL action and parameters."""

    number: int
    effects: int
    action: str
    binding: Binding


class Engine:
    """One game at a time, from ``load`` on. ``entities`` are its things by id, each with a ``name`` and a ``type``."""

    def __init__(self) -> None:
        self._library = _IDLE.pop() if _IDLE else fast_downward.load_lib()

    def load(self, problem: str) -> None:
        """Start the game of a PDDL problem. Raises ValueError where it cannot be read."""
        task, sas = _translate(problem)
        self._library.load_sas(sas)
        self._parameters = {action.name: [p.name.strip("?") for p in action.parameters] for action in task.actions}
        self._facts: dict[str, set[Arguments]] = defaultdict(set)
        atoms = (fast_downward.Atom * self._library.get_state_size())()
        self._library.get_state(atoms)
        facts = [(atom.predicate, tuple(atom.args)) for atom in task.init if hasattr(atom, "predicate")]
        for predicate, arguments in [*facts, *map(_read, atoms)]:
            if predicate != "=" and not predicate.startswith("not_"):
                self._facts[predicate].add(arguments)
        named = {argument for found in self._facts.values() for fact in found for argument in fact}
        present = [item for item in task.objects if item.name in named]
        self.entities = {item.name: EntityInfo(item.name, item.type_name) for item in present}
        demangler = Demangler(game_infos=self.entities)
        for entity in self.entities.values():
            entity.indefinite, entity.name = "a", demangler.demangle_alfred_name(entity.id)
        self._commands: dict[str, str] = {}  # operator → command: what it is called never changes

    @property
    def won(self) -> bool:
        """Whether the goal of the problem holds now."""
        return bool(self._library.check_goal())

    def facts(self, predicate: str) -> set[Any]:
        """What is true now of a predicate (in lower case): tuples of ids."""
        return self._facts[predicate]

    def operations(self) -> dict[str, Operation]:
        """Every command that is possible now, with what it does."""
        operators = (fast_downward.Operator * self._library.get_applicable_operators_count())()
        self._library.get_applicable_operators(operators)
        possible: dict[str, Operation] = {}
        for operator in operators:
            action, *arguments = operator.name.split()
            binding = dict(zip(self._parameters[action], arguments, strict=False))  # hidden parameters come last
            if operator.name not in self._commands:
                self._commands[operator.name] = self.text(f"{action}.command", binding)
            operation = Operation(operator.id, operator.nb_effect_atoms, action, binding)
            possible.setdefault(self._commands[operator.name], operation)
        return possible

    def apply(self, operation: Operation) -> str:
        """Do it, and say what the player is told."""
        effects = (fast_downward.Atom * operation.effects)()
        self._library.apply_operator(operation.number, effects)
        for predicate, arguments in map(_read, effects):
            opposite = predicate[4:] if predicate.startswith("not_") else f"not_{predicate}"
            self._facts[opposite].discard(arguments)
            self._facts[predicate].add(arguments)
        return self.text(f"{operation.action}.answer", operation.binding)

    def text(self, symbol: str, binding: Binding | None = None) -> str:
        """What the grammar makes of a symbol, e.g. "look.feedback": the first alternative whose condition holds."""
        binding = binding or {}
        for condition, parts in _rules()[symbol]:
            if not condition or any(True for _ in self._matches(_query(condition), binding)):
                return "".join(self._write(part, binding) for part in parts)
        raise KeyError(f"no alternative of {symbol} applies")

    def close(self) -> None:
        """Leave this engine's copy of Fast Downward to the next one. Not to be used after that."""
        _IDLE.append(self._library)

    def _write(self, part: textgen.Symbol, binding: Binding) -> str:
        match part:
            case textgen.NonterminalSymbol():
                return self.text(part.symbol, binding)
            case textgen.EvalSymbol():
                named = {variable: self.entities[value] for variable, value in binding.items()}
                return str(eval(_code(part.expression), {}, named))
            case textgen.ConditionalSymbol():
                return "".join(self._items(part, binding))
            case textgen.ListSymbol():
                return self._list(self._items(part.symbol, binding))
        return str(part)

    def _items(self, part: textgen.ConditionalSymbol, binding: Binding) -> list[str]:
        found = self._matches(_query(part.given), binding) if part.given else [binding]
        return [self._write(part.expression, match) for match in found]

    def _list(self, items: list[str]) -> str:
        if len(items) < 2:
            return items[0] if items else self.text("list_empty")
        return self.text("list_separator").join(items[:-1]) + self.text("list_last_separator") + items[-1]

    def _matches(self, query: tuple[tuple[str, Arguments], ...], binding: Binding) -> Iterator[Binding]:
        """Every way to make all atoms of a query true, in the order of ids; two variables are never the same thing."""
        if not query:
            yield binding
            return
        (predicate, variables), *rest = query
        for fact in sorted(self._facts[predicate]):
            match = binding | {v: value for v, value in zip(variables, fact, strict=True) if v not in binding}
            if tuple(match[v] for v in variables) == fact and len(set(match.values())) == len(match):
                yield from self._matches(tuple(rest), match)


@functools.cache
def _rules() -> dict[str, list[tuple[str, list[textgen.Symbol]]]]:
    """The grammar: symbol → alternatives (condition, right side). Actions have "….command" and "….answer"."""
    logic = GameLogic(domain=DOMAIN, grammar=GRAMMAR)
    lines = {}
    for name, action in logic.actions.items():
        lines[f"{name}.command"] = [{"rhs": action.template}]
        lines[f"{name}.answer"] = [{"rhs": action.feedback_rule}]
    logic.grammar.update(textgen.ContextSensitiveGrammar.parse(json.dumps(lines)))
    return {symbol: [(rule.condition, rule.rhs) for rule in rules] for symbol, rules in logic.grammar._rules.items()}


@functools.cache
def _query(text: str) -> tuple[tuple[str, Arguments], ...]:
    """ "holds(a:agent, o:object)" → (("holds", ("a", "o")),)"""
    atoms = re.findall(r"(\w+)\(([^)]*)\)", text)
    return tuple((predicate, tuple(re.findall(r"(\w+)\s*:", variables))) for predicate, variables in atoms)


@functools.cache
def _code(expression: str) -> CodeType:
    return compile(expression, "alfred.twl2", "eval")


@functools.lru_cache(maxsize=KEPT)
def _translate(problem: str) -> tuple[Any, bytes]:
    """The planner's view of a game, and the library's."""
    arguments = sys.argv
    try:
        task, sas = fast_downward.pddl2sas(DOMAIN, problem)
    except (Exception, SystemExit) as error:  # the translator ends the program at some mistakes
        raise ValueError(f"this is no PDDL problem of alfworld's domain: {error!r}") from error
    finally:
        sys.argv = arguments  # the translator leaves its own
    return task, sas.encode()


def _read(atom: fast_downward.Atom) -> tuple[str, Arguments]:
    """ "NegatedAtom opened(safe_1)" → ("not_opened", ("safe_1",))"""
    sign, _, rest = atom.name.partition(" ")
    predicate, _, arguments = rest.removesuffix(")").partition("(")
    return ("not_" if sign == "NegatedAtom" else "") + predicate, tuple(filter(None, arguments.split(", ")))
