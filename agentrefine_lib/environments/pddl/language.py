"""Reading PDDL files: the STRIPS core with typing, constants, equality and negated conditions.

Everything else (quantifiers, disjunctions, conditional effects, numbers, durations, axioms) is refused with a
ValueError that names the file and the construct. Names are case-insensitive and become lower case. Nothing in a file is
evaluated.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

from agentrefine_lib.environments.signature import short

REQUIREMENTS = (":strips", ":typing", ":equality", ":negative-preconditions")
_TOKEN = re.compile(r"[()=]|[:?]?[\w-]+|\S", re.ASCII)  # "level?l1" without a blank is two names
_NAME = re.compile(r"\w[\w-]*", re.ASCII)
_VARIABLE = re.compile(r"\?\w[\w-]*", re.ASCII)

Fact = tuple[str, ...]  # ("at", "ball1", "rooma"); ("not", "at", "ball1", "rooma") says that it does not hold
Expression = str | list["Expression"]
Parsed = TypeVar("Parsed")


class Schema(NamedTuple):
    """An action of a domain: parameters ("?x" → type) in the order of the file, conditions and effects over them."""

    name: str
    parameters: dict[str, str]
    conditions: tuple[Fact, ...]
    effects: tuple[Fact, ...]


class Domain(NamedTuple):
    """What a domain file says. ``types`` maps each type to its parent, ``predicates`` each name to its arity."""

    name: str
    types: dict[str, str]
    constants: dict[str, str]
    predicates: dict[str, int]
    schemas: dict[str, Schema]


class Problem(NamedTuple):
    """A domain with objects (name → type), the facts that are true at the start, and those of the goal, sorted."""

    domain: Domain
    objects: dict[str, str]
    init: frozenset[Fact]
    goal: tuple[Fact, ...]

    def fits(self, name: str, wanted: str) -> bool:
        """Whether an object is of a type or of one of its subtypes."""
        kind: str | None = self.objects.get(name)
        while kind is not None and kind != wanted:
            kind = self.domain.types.get(kind)
        return kind is not None


def read_domain(path: Path) -> Domain:
    """The domain of a file. Raises ValueError, naming file and construct, for what is not understood."""
    return _read(path, _domain)


def read_problem(domain: Domain, path: Path) -> Problem:
    """The problem of a file. Raises ValueError, naming file and construct, for what does not fit the domain."""
    return _read(path, lambda tree: _problem(domain, tree))


def _read(path: Path, parse: Callable[[Expression], Parsed]) -> Parsed:
    try:
        return parse(_tree(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None


def _tree(text: str) -> Expression:
    """Nested lists of words; a comment runs from a semicolon to the end of its line."""
    stack: list[list[Expression]] = [[]]
    for token in _TOKEN.findall(re.sub(r";.*", "", text).lower()):
        if token == "(":
            stack.append([])
        elif token == ")" and len(stack) > 1:
            closed = stack.pop()
            stack[-1].append(closed)
        elif token in ("-", "=") or _NAME.fullmatch(token.lstrip(":?")):
            stack[-1].append(token)
        else:
            raise ValueError(f"found {token!r}; expected balanced parentheses and names of letters, digits, - and _")
    if len(stack) > 1 or len(stack[0]) != 1:
        raise ValueError(f"found {len(stack[0])} expressions and {len(stack) - 1} open '('; expected one (define …)")
    return stack[0][0]


def _sections(tree: Expression, kind: str, known: tuple[str, ...]) -> tuple[str, list[tuple[str, list[Expression]]]]:
    """The name in ``(define (kind name) …)``, and its sections as (keyword, body)."""
    match tree:
        case ["define", [str(head), str(name)], *rest] if head == kind:
            sections: list[tuple[str, list[Expression]]] = []
        case _:
            raise ValueError(f"found {_show(tree)}; expected (define ({kind} name) …)")
    for section in rest:
        match section:
            case [":requirements", *names] if unknown := [name for name in names if name not in REQUIREMENTS]:
                raise ValueError(f"requirement {_show(unknown[0])} is not supported, only {', '.join(REQUIREMENTS)}")
            case [str(key), *body] if key in known and (key == ":action" or key not in dict(sections)):
                sections.append((key, body))
            case [str(key), *_] if key in known:
                raise ValueError(f"section {key} is there twice; expected it once")
            case _:
                raise ValueError(f"section {_show(section)} is not supported; expected one of {', '.join(known)}")
    return name, sections


def _domain(tree: Expression) -> Domain:
    name, sections = _sections(tree, "domain", (":requirements", ":types", ":constants", ":predicates", ":action"))
    found = {key: body for key, body in sections if key != ":action"}
    types = _types(found.get(":types", []))
    constants = _typed(found.get(":constants", []), types, _NAME)
    predicates: dict[str, int] = {}
    for declared in found.get(":predicates", []):
        match declared:
            case [str(predicate), *parameters] if predicate not in ("not", "and", "=", *predicates):
                predicates[predicate] = len(_typed(parameters, types, _VARIABLE))
            case _:
                raise ValueError(f":predicates: found {_show(declared)}; expected (name ?x ?y …), each name once")
    schemas: dict[str, Schema] = {}
    for schema in [_schema(body, types, constants, predicates) for key, body in sections if key == ":action"]:
        if schema.name in schemas:
            raise ValueError(f":action {schema.name} is there twice; expected each name once")
        schemas[schema.name] = schema
    return Domain(name, types, constants, predicates, schemas)


def _types(body: list[Expression]) -> dict[str, str]:
    types = _groups(body, _NAME)
    types.pop("object", None)
    types |= {parent: "object" for parent in types.values() if parent not in types and parent != "object"}
    for name, kind in types.items():
        for _ in types:
            kind = types.get(kind, "object")
        if kind != "object":
            raise ValueError(f":types: {name!r} is among its own ancestors")
    return types


def _schema(body: list[Expression], types: dict[str, str], constants: dict[str, str], arity: dict[str, int]) -> Schema:
    match body:
        case [str(name), ":parameters", [*parameters], ":precondition", condition, ":effect", effect]:
            pass
        case [str(name), ":parameters", [*parameters], ":effect", effect]:
            condition = []
        case _:
            raise ValueError(f":action {_show(body)}; expected its name, :parameters, :precondition and :effect")
    typed = _typed(parameters, types, _VARIABLE)
    terms = {*typed, *constants}
    conditions = _facts(condition, arity | {"=": 2}, terms, f":action {name}, :precondition")
    return Schema(name, typed, conditions, _facts(effect, arity, terms, f":action {name}, :effect"))


def _problem(domain: Domain, tree: Expression) -> Problem:
    name, sections = _sections(tree, "problem", (":domain", ":requirements", ":objects", ":init", ":goal"))
    found = dict(sections)
    if found.get(":domain") != [domain.name]:
        raise ValueError(f"problem {name}: found :domain {_show(found.get(':domain', []))}, expected {domain.name!r}")
    objects = _typed(found.get(":objects", []), domain.types, _NAME)
    for constant, kind in domain.constants.items():
        if objects.setdefault(constant, kind) != kind:
            raise ValueError(f":objects: {constant} is a {objects[constant]}, and a {kind} among the domain's")
    init = _facts(["and", *found.get(":init", [])], domain.predicates, set(objects), ":init")
    goal = _facts(["and", *found.get(":goal", [])], domain.predicates, set(objects), ":goal")
    if not goal:
        raise ValueError(":goal: found nothing; expected at least one fact")
    return Problem(domain, objects, frozenset(fact for fact in init if fact[0] != "not"), tuple(sorted(set(goal))))


def _facts(condition: Expression, arity: dict[str, int], terms: set[str], where: str) -> tuple[Fact, ...]:
    """The literals of a conjunction, in the order of the file."""
    facts: list[Fact] = []
    waiting = [condition]
    while waiting:
        match waiting.pop(0):
            case []:
                continue
            case ["and", *parts]:
                waiting = parts + waiting
            case ["not", atom]:
                facts.append(("not", *_atom(atom, arity, terms, where)))
            case atom:
                facts.append(_atom(atom, arity, terms, where))
    return tuple(facts)


def _atom(atom: Expression, arity: dict[str, int], terms: set[str], where: str) -> Fact:
    match atom:
        case [str(predicate), *arguments] if predicate in arity:
            named = [term for term in arguments if isinstance(term, str) and term in terms]
            if len(arguments) == arity[predicate] == len(named):
                return predicate, *named
            expected = f"{arity[predicate]} argument(s), each one of {_some(terms)}"
            raise ValueError(f"{where}: found {_show(atom)}; expected {expected}")
    raise ValueError(f"{where}: found {_show(atom)}; expected facts of {_some(arity)}, joined by 'and' and 'not'")


def _typed(body: list[Expression], types: dict[str, str], pattern: re.Pattern[str]) -> dict[str, str]:
    """The names of a list like ``a b - room c`` with their types, all of which have to be declared."""
    found = _groups(body, pattern)
    for name, kind in found.items():
        if kind != "object" and kind not in types:
            raise ValueError(f"{name} has the type {kind!r}; expected one of {_some(['object', *types])}")
    return found


def _groups(body: list[Expression], pattern: re.Pattern[str]) -> dict[str, str]:
    """The names of a list like ``a b - room c`` with what stands after their dash, or "object"."""
    found: dict[str, str] = {}
    untyped: list[str] = []
    words = iter(body)
    for word in words:
        if word == "-":
            kind = next(words, "")
            if not isinstance(kind, str) or not _NAME.fullmatch(kind):
                raise ValueError(f"found {_show(kind)} after '-'; expected the name of one type")
            found |= dict.fromkeys(untyped, kind)
            untyped = []
        elif isinstance(word, str) and pattern.fullmatch(word) and word not in found and word not in untyped:
            untyped.append(word)
        else:
            raise ValueError(f"found {_show(word)} in a list of names; expected {pattern.pattern} and each name once")
    return found | dict.fromkeys(untyped, "object")


def _show(found: Expression) -> str:
    """An expression about as it stands in the file, cut after a line."""
    text = str(found).replace("[", "(").replace("]", ")").replace("'", "").replace(",", "") if found else "nothing"
    return short(text, 80)


def _some(names: Iterable[str]) -> str:
    return short(", ".join(sorted(names)), 200)
