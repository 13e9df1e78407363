"""Mistakes as players make them: malformed commands, wrong names, things that are absent, elsewhere, or not ready."""

import random
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from agentrefine_lib.teachers.embedded.mechanic import Command, Refusal
from agentrefine_lib.teachers.embedded.names import load_words

if TYPE_CHECKING:
    from agentrefine_lib.teachers.embedded.game import Game

# few of form: the way out of those is nearly the refused action again, which teaches to repeat it (LOG.md)
KINDS = {"malformed": 5, "wrong_name": 5, "absent": 20, "place": 20, "precondition": 25, "no_effect": 25}
FLAG_OF = {  # which of the dungeon master's flags a refusal sets
    "malformed": "parameter_error",
    "wrong_name": "parameter_error",
    "absent": "place_error",
    "place": "place_error",
    "precondition": "logic_error",
    "no_effect": "logic_error",
}
TRIES = 24  # commands looked at for one that is refused for the reason wanted


class Blunder(NamedTuple):
    """A text that the world refuses, why, and the command in it, if there is one."""

    action: str
    refusal: Refusal
    command: Command | None


def draw_blunder(rng: random.Random, game: "Game", right: Command, avoid: set[str], kind: str = "") -> Blunder | None:
    """A mistake that fits the moment: of this kind, or one drawn at random, where there is one, else of another.

    ``right``: what the Player should do; ``avoid``: texts that it must not be. Every name in it was told before.
    """
    kind = kind or rng.choices(list(KINDS), list(KINDS.values()))[0]
    texts = {"malformed": _malformed, "wrong_name": _misnamed}.get(kind)
    for text in chain(
        texts(rng, game, right) if texts else _misjudged(rng, game, right, kind), _malformed(rng, game, right)
    ):
        verdict = game.judge(text)
        if verdict.refusal is not None and text not in avoid:
            return Blunder(text, verdict.refusal, verdict.command)
    return None


def _malformed(rng: random.Random, game: "Game", right: Command) -> Iterator[str]:
    """Another verb, words too many or too few, another grammar, two commands in one."""
    words, form, good = load_words("errors"), game.speech.grammar.forms[right[0]], game.speech.grammar.write(right)
    texts = [rng.choice(words["extra"]).format(good), good.replace(form.verb, rng.choice(words["false_verbs"]), 1)]
    texts.append(good.replace(form.verb, rng.choice(words["false_verbs"]), 1))
    if form.order:
        texts += [form.verb, rng.choice(words["forms"]).format(form.verb, right[1])]
        texts.append(f"{good} and {good.split()[0]} it")
    rng.shuffle(texts)
    yield from texts


def _misnamed(rng: random.Random, game: "Game", right: Command) -> Iterator[str]:
    """A name cut short, misspelt, or one that no thing bears."""
    form = game.speech.grammar.forms[right[0]]
    if not form.order:
        yield from _malformed(rng, game, right)
        return
    index = 1 + rng.choice(form.order)
    name = right[index]
    spellings = [name.split()[-1], name.split()[0], f"{name}s", name[:-1], rng.choice(load_words("names")["things"])]
    if name[-1].isdigit():
        spellings.append(name[:-1] + str(int(name[-1]) + rng.randint(3, 6)))
    rng.shuffle(spellings)
    for spelling in filter(None, map(str.strip, spellings)):
        yield game.speech.grammar.write((*right[:index], spelling, *right[index + 1 :]))


def _misjudged(rng: random.Random, game: "Game", right: Command, kind: str) -> Iterator[str]:
    """Commands about things that were told of, near the right one first; those refused for the reason wanted first."""
    forms, slots = game.speech.grammar.forms, game.slots
    told = {slot: game.told(slot) for slot in {slot: None for kinds in slots.values() for slot in kinds}}
    others = []
    for tried in range(TRIES):
        operation = right[0] if tried < TRIES // 2 and len(right) > 1 else rng.choice(list(slots))
        if not all(told[slot] for slot in slots[operation]):
            continue
        values = [rng.choice(told[slot]) for slot in slots[operation]]
        if operation == right[0] and len(right) > 1:  # one argument differs
            index = rng.randrange(len(values))
            values = [*right[1 : 1 + index], values[index], *right[2 + index :]]
        command = (operation, *values[: len(forms[operation].order)])
        refusal = game.world.check(command)
        if refusal is not None and refusal.kind == kind:
            yield forms[operation].write(command)
        elif refusal is not None:
            others.append(forms[operation].write(command))
    yield from others
