"""The words and names of the pre-training texts: everyday English, and invented words made of syllables."""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml


@lru_cache
def load_words() -> dict[str, Any]:
    """The word lists beside this file."""
    text = Path(__file__).with_name("words.yaml").read_text()
    words: dict[str, Any] = yaml.load(text, Loader=yaml.BaseLoader)  # elsewhere "on" and "no" are truth values
    return words


def draw_word(rng: random.Random, kind: str) -> str:
    """An English word of this kind, or in three of ten cases an invented one."""
    if rng.random() < 0.3:
        words = load_words()
        return "".join(
            rng.choice(words["onsets"]) + rng.choice(words["rimes"]) for _ in range(rng.choice((1, 2, 2, 3)))
        )
    return str(rng.choice(load_words()[kind]))


def draw_letters(rng: random.Random) -> str:
    """A word of random letters, four to six."""
    return "".join(rng.choice(letters) for letters in ("bcdfghjklmnpqrstvwxz", "aeiouy") * rng.randint(2, 3))


def draw_name(rng: random.Random, kind: str) -> str:
    """A name of one to three words, at times with a number or in the manner of a file."""
    noun, form = draw_word(rng, kind), rng.random()
    if form < 0.45:
        return f"{draw_word(rng, 'adjectives')} {noun}"
    if form < 0.6:
        return f"{draw_word(rng, 'nouns')} {noun}"
    if form < 0.8:
        return noun
    if form < 0.88:
        return f"{noun} {rng.randint(1, 30)}"
    if form < 0.92:
        return f"{draw_word(rng, 'adjectives')}-{noun}"
    if form < 0.96:
        return rng.choice((f"{noun}.{draw_word(rng, 'nouns')[:3]}", f"/{noun}"))
    return f"{draw_word(rng, 'adjectives')} {draw_word(rng, 'adjectives')} {noun}"
