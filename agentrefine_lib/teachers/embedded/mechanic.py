"""What a mechanic is: a world with state and commands, and an expert that knows only what the world has told.

A mechanic says *what* is so, never how it is said: a fact is a tuple of a name and its arguments, such as
``("lies", "brass key", "shelf")``, and the mechanic's YAML file has the words for it. Four
names come before any other fact: ``("not", …)`` it is not so, ``("already", …)`` it is so, ``("makes", …)`` it will be
so, ``("aim", …)`` the goal wants it so. The same facts are told to the
Player as text and to the expert as they are; the expert has no way to the world, so that it cannot know more.
"""

import random
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any, Literal, NamedTuple, Protocol

from agentrefine_lib.teachers.embedded.names import Names

Fact = tuple[str, ...]  # a name of the mechanic's wording, and its arguments
Command = tuple[str, ...]  # an operation and its arguments: ("take", "brass key", "shelf")
Kind = Literal["absent", "place", "precondition", "no_effect", "malformed", "wrong_name"]  # the last two: no command


class Refusal(NamedTuple):
    """Why a command cannot be done now. ``seen``: a Player who was attentive knows it without being told."""

    kind: Kind
    fact: Fact
    seen: bool = True


class NoPlanError(Exception):
    """An expert sees no way to the goal: such a world is never played."""


class Rule(NamedTuple):
    """What a command needs, makes so and ends, with capital letters for its arguments: told before the play."""

    command: Command
    needs: list[Fact]
    makes: list[Fact]
    ends: list[Fact]


class Step(NamedTuple):
    """The expert's next command, and what it knows that speaks for it; thoughts are made of nothing else."""

    command: Command
    why: Fact  # the reason: "the brass key may be on the shelf"
    fact: Fact | None = None  # what was seen: "the shelf is closed"
    lack: Fact | None = None  # what is not so yet: "the brass key is not in sight"
    then: Command | None = None  # what comes next, if that is clear
    target: str = ""  # the thing that it is about
    explores: bool = False  # to learn something, not to change something


class World(Protocol):
    """The base of every mechanic's ``World``; ``rng`` draws this world, ``variant`` what its example play shares."""

    aims: list[Fact]  # conditions of the goal; their words stand under ``aims`` in the YAML file
    rules: list[Fact | Rule] = []  # noqa: RUF012  # told before the play
    unused: tuple[str, ...] = ()  # operations of the YAML file that this variant does not have

    def __init__(self, rng: random.Random, variant: random.Random, names: Names) -> None: ...

    def names(self, slot: str) -> list[str]:
        """Every value that exists for a kind of parameter."""

    def scene(self) -> list[Fact]:
        """What can be seen now."""

    def opening(self) -> list[Fact]:
        """What is told first."""
        return self.scene()

    def holds(self, aim: Fact) -> bool:
        """True when this condition of the goal is met."""

    def layout(self) -> dict[str, Any]:
        """All of it, hidden things too, as the script's ``Environment``."""

    def expert(self) -> "Expert":
        """Somebody who was told the goal and the rules, and nothing else."""

    def faults(self, command: Command) -> Iterator[object]:
        """Why a command cannot be done now, the first reason first: each a Refusal, or something false where it does
        not hold. What the grammar leaves out is missing at the command's end."""

    def check(self, command: Command) -> Refusal | None:
        """The first reason why a command cannot be done now, or None."""
        return next((fault for fault in self.faults(command) if isinstance(fault, Refusal)), None)

    def act(self, command: Command) -> list[Fact]:
        """Change the world by a command that ``check`` lets pass; the facts to tell of it."""

    def commands(self, slots: dict[str, tuple[str, ...]]) -> Iterator[Command]:
        """Every command that could be written; ``slots``: the kinds of parameter of each operation."""
        for operation, kinds in slots.items():
            for values in product(*map(self.names, kinds)):
                yield (operation, *values)

    def reached(self) -> float:
        """The share of the goal's conditions that are met."""
        return sum(map(self.holds, self.aims)) / len(self.aims) if self.aims else 1.0


class Expert:
    """The base of every mechanic's ``Expert``. A step of it is never refused; the same facts lead to the same step."""

    def notice(self, facts: Iterable[Fact]) -> None:
        """Take in what an observation tells."""
        for fact in facts:
            self.saw(fact)

    def saw(self, fact: Fact) -> None:
        """Keep one fact, if it is worth keeping."""

    def did(self, command: Command) -> None:
        """The Player's own command was accepted; what the world tells of it comes after."""

    def next(self) -> Step:
        """What to do now."""
        raise NotImplementedError
