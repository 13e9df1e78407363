"""Short chats that each practise one thing: repeating, looking up, finding a place, filling a command.

They come first in the training: what a model has to find is near, and most of what it reads is asked for.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from agentrefine_lib.tuning.pretraining.words import draw_letters, draw_name, draw_word, load_words

Chat = list[dict[str, str]]  # [{"role": "user" | "assistant", "content": text}]

ENTRIES = ("{0}: {1}", "{0} -> {1}", "{0} = {1}", "- {0}: {1}", "the {0} has the {1}", "{0} with {1}", "the {0} is {1}")
PLACES = ("The {0} is in the {1}.", "There is a {0} in the {1}.", "{1} ({0})", "in the {1}: {0}")
LETTERS_ASKED = ("What belongs to {0}?", "- {0}: ?")
SHAPES = (
    *("{v} {a} from {b}", "from {b} {v} {a}", "{v}[{a}, {b}]", "{v} the {a} at the {b}", "{v}({a}, {b})"),
    *("{v} {a} using {b}", "with {b} {v} {a}", "{v} {a} -> {b}", "in {b} {v} {a}"),
    *("{v} {a}", "{v} the {a}", "{v}[{a}]", "{v}({a})", "{v} to {a}"),
)


def write_drill(rng: random.Random) -> Chat:
    """One of the four."""
    (write,) = rng.choices((write_repeat, write_table, write_places, write_commands), (12, 33, 25, 30))
    return write(rng)


def write_repeat(rng: random.Random) -> Chat:
    """Say a list again, or what stands at a place in it."""
    common = load_words()["common"] if rng.random() < 0.5 else None
    drawn = (rng.choice(common) if common else draw_name(rng, "nouns") for _ in range(rng.randint(2, 14)))
    line = list(dict.fromkeys(drawn))
    if len(line) < 2:
        return write_repeat(rng)
    joined = rng.choice((", ", " ", "; ", "\n- ", " / ")).join(line)
    at = rng.randrange(len(line) - 1)
    asked = rng.choice(
        [
            ("Say it again.", joined),
            ("Repeat the list.", joined),
            (f"What comes after {line[at]}?", line[at + 1]),
            (f"What stands before {line[at + 1]}?", line[at]),
            ("What is last?", line[-1]),
            ("What is first?", line[0]),
        ]
    )
    return chat_of(joined, [asked])


def write_table(rng: random.Random) -> Chat:
    """Entries and values: for one the other, alone or in a sentence."""
    entries = dict.fromkeys(_names(rng, rng.choice((2, 2, 3, 3, 4, 5, 6, 8))), "")
    entries = {entry: _name(rng, rng.choice(("nouns", "states"))) for entry in entries}
    line = rng.choice(ENTRIES)
    told = rng.choice(("\n", "; ", ", ")).join(line.format(*pair) for pair in entries.items())
    question = rng.choice(("{0}?", "What belongs to {0}?", "Which one goes with the {0}?", line.format("{0}", "?")))
    answer = "{1}" if rng.random() < 0.6 else line
    if rng.random() < 0.25:
        question, answer = "Whose is {1}?", "{0}"
    pairs = [rng.choice(list(entries.items())) for _ in range(rng.randint(3, 7))]
    return chat_of(told, [(question.format(*pair), answer.format(*pair)) for pair in pairs])


def write_letters(rng: random.Random) -> Chat:
    """A table of two-word names of random letters, some of which are asked for: nothing in it can be known."""
    entries, told = letters_table(rng, rng.choice((1, 2, 3, 4, 6, 8, 12)))
    question = rng.choice(LETTERS_ASKED)
    keys = rng.sample(list(entries), min(len(entries), 4))
    return chat_of(told, [(question.format(key), entries[key]) for key in keys])


def letters_table(rng: random.Random, size: int) -> tuple[dict[str, str], str]:
    """``size`` names of random letters, each with a two-word one, and how they are told."""
    entries = {draw_letters(rng): f"{draw_letters(rng)} {draw_letters(rng)}" for _ in range(size)}
    return entries, "\n".join(f"- {name}: {value}" for name, value in entries.items())


def write_places(rng: random.Random) -> Chat:
    """Where things are, in the course of which some of them are moved."""
    stores = _names(rng, rng.randint(2, 4), "stores")
    at = {item: rng.choice(stores) for item in _names(rng, rng.randint(2, 5))}
    line = rng.choice(PLACES)
    told = rng.choice((" ", "\n")).join(line.format(*pair) for pair in at.items())
    question = rng.choice(("Where is the {0}?", "Find the {0}.", "What holds the {0}?"))
    answer = rng.choice(("{1}", "The {0} is in the {1}.", "in the {1}"))
    asked = []
    for item in (rng.choice(list(at)) for _ in range(rng.randint(3, 6))):
        news = ""
        if rng.random() < 0.25:
            at[item] = rng.choice(stores)
            news = f"The {item} is in the {at[item]} now. "
        asked.append((news + question.format(item), answer.format(item, at[item])))
    return chat_of(told, asked)


def write_commands(rng: random.Random) -> Chat:
    """Commands with invented spellings, to be filled with names."""
    verbs = list(dict.fromkeys(draw_word(rng, "verbs") for _ in range(rng.randint(1, 5))))
    shapes = {verb: rng.choice(SHAPES) for verb in verbs}
    words = {"a": "{" + draw_word(rng, "nouns") + "}", "b": "{" + draw_word(rng, "nouns") + "}"}
    names = _names(rng, rng.randint(2, 6))
    listed = "\n".join(f"- {shape.format(v=verb, **words)}" for verb, shape in shapes.items())
    told = f"{rng.choice(('Commands:', 'You can say:', ''))}\n{listed}\n".lstrip() + rng.choice(
        ("There is ", "Things: ", "You see ")
    )
    one, two = rng.choice(
        (
            ("Use '{v}' for {a}.", "Use '{v}' for {a} and {b}."),
            ("{v}: {a}", "{v}: {a}, {b}"),
            ("I want to {v} the {a}.", "I want to {v} the {a} with the {b}."),
            ("You {v} the {a}.", "You {v} the {a}, and the {b}."),
        )
    )
    asked = []
    for verb in (rng.choice(verbs) for _ in range(rng.randint(3, 6))):
        filled = {"v": verb, **dict(zip("ab", rng.sample(names, 2), strict=True))}
        asked.append(((two if "{b}" in shapes[verb] else one).format(**filled), shapes[verb].format(**filled)))
    return chat_of(told + ", ".join(names), asked)


def chat_of(told: str, asked: Iterable[tuple[str, str]]) -> Chat:
    """What is told stands before the first question."""
    chat: Chat = []
    for question, answer in asked:
        chat.append({"role": "user", "content": question if chat else f"{told}\n\n{question}"})
        chat.append({"role": "assistant", "content": answer})
    return chat


def _name(rng: random.Random, kind: str = "nouns") -> str:
    return draw_word(rng, kind) if rng.random() < 0.4 else f"{draw_word(rng, 'adjectives')} {draw_word(rng, kind)}"


def _names(rng: random.Random, count: int, kind: str = "nouns") -> list[str]:
    drawn: dict[str, None] = {}
    while len(drawn) < count:
        drawn[_name(rng, kind)] = None
    return list(drawn)
