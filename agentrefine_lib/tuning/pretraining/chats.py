"""The texts that the nano model is pre-trained on: chats about invented scenes, written by this file and seeded.

Every chat tells of rooms, what is in them, and how commands are spelled, and asks for names and commands that can only
be answered by copying out of it. Most names are drawn anew, so there is nothing to learn by heart. No agent acts here:
nothing is tried, refused or achieved, and no text of a benchmark is used. Of the embedded teacher's texts only the
sentence patterns of its plain worlds are, in ``lookups`` and ``steps``.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import yaml

from agentrefine_lib.teachers.embedded.voice import load_wording
from agentrefine_lib.tuning.pretraining.decisions import LABELS, write_decisions
from agentrefine_lib.tuning.pretraining.drills import Chat, write_repeat
from agentrefine_lib.tuning.pretraining.lookups import write_lookups
from agentrefine_lib.tuning.pretraining.questions import ask
from agentrefine_lib.tuning.pretraining.scene import ROOMS, draw_scene, move_something, tell_commands, tell_room
from agentrefine_lib.tuning.pretraining.steps import write_steps
from agentrefine_lib.tuning.pretraining.words import draw_name, load_words

LINES = ("Thought:", "Action:", "Observation:", "Commands:", "Goal:")  # what the lines of a play begin with
STYLES = {
    "bare": ("Answer with nothing but the name or the command.", "Short answers only.", ""),
    "sentence": ("Answer in a sentence.", "Answer in full.", "Say it in a sentence."),
    "lines": ("Answer in two lines, {0}: and {1}:.", "First {0}: then {1}:.", "Write {0}: ... and below it {1}: ..."),
}


def write_chat(
    seed: int,
    index: int,
    longest: int = 6,
    tables: float = 0.1,
    decisions: float = 0.0,
    lookups: float = 0.0,
    steps: float = 0.0,
) -> Chat:
    """The chat of this number, always the same. ``longest``: most questions in it; the others are shares of kinds."""
    rng = random.Random(f"nano {seed} {index}")
    if steps and rng.random() < steps:
        return write_steps(rng, longest)
    if lookups and rng.random() < lookups:
        return write_lookups(rng, longest)
    if decisions and rng.random() < decisions:
        return write_decisions(rng, longest)
    kind = rng.random()
    if kind < 0.12:
        return write_repeat(rng)
    return write_table(rng, longest) if kind < 0.12 + tables else write_scene(rng, longest)


def write_table(rng: random.Random, longest: int) -> Chat:
    """Entries and values, and questions for one of the two."""
    count = rng.choice((2, 3, 4, 6, 9, 12, 16, 24))
    entries = {draw_name(rng, "nouns"): draw_name(rng, rng.choice(("nouns", "states"))) for _ in range(count)}
    line = rng.choice(
        ("{0}: {1}", "{0} -> {1}", "{0} = {1}", "- {0}: {1}", "the {0} of the game is {1}", "{0} has {1}")
    )
    text = rng.choice(("\n", "; ", ", ")).join(line.format(*entry) for entry in entries.items())
    chat: Chat = []
    for number in range(rng.randint(1 + longest // 2, longest)):
        key = rng.choice(list(entries))
        said = line.format(key, "?") if rng.random() < 0.5 else f"What belongs to {key}?"
        chat.append({"role": "user", "content": said if number else f"{text}\n\n{said}"})
        chat.append({"role": "assistant", "content": entries[key]})
    return chat


def write_scene(rng: random.Random, longest: int) -> Chat:
    """A scene told room by room, with questions in between."""
    scene = draw_scene(rng)
    layout = rng.choice(ROOMS)
    style = rng.choice(("bare", "sentence", "lines", "lines", "lines"))
    labels = rng.choice(LABELS)
    rooms = list(scene.ways)
    first = [rng.choice(STYLES[style]).format(*labels), tell_commands(scene), tell_room(scene, layout, rooms.pop(0))]
    rng.shuffle(first)
    chat: Chat = []
    news = "\n\n".join(part for part in first if part)
    for _ in range(rng.randint(1 + longest // 2, longest)):
        if rooms and rng.random() < 0.4:
            news += ("\n" if news else "") + tell_room(scene, layout, rooms.pop(0))
        if rng.random() < 0.4:
            news += ("\n" if news else "") + move_something(scene)
        asked = ask(scene)
        whole = asked.fact if asked.answer in asked.fact else f"{asked.fact} {asked.answer}"
        lines = f"{labels[0]}: {asked.fact}\n{labels[1]}: {asked.answer}"
        answer = {"bare": asked.answer, "sentence": whole, "lines": lines}[style]
        chat.append({"role": "user", "content": f"{news}\n\n{asked.question}".strip()})
        chat.append({"role": "assistant", "content": answer})
        news = ""
    return chat


def tokenizer_texts(seed: int, count: int) -> Iterator[str]:
    """What the tokenizer is learned from: chats, every word of words.yaml, and the words of the teacher's wordings.

    A word with a token of its own is copied in one step. The last are not trained on here.
    """
    for index in range(count):
        yield from (message["content"] for message in write_chat(seed, index))
    listed = [word for words in load_words().values() if isinstance(words, list) for word in words]
    wordings = re.sub(r"\{\w*\}", "it", yaml.safe_dump(load_wording(), width=10_000)).splitlines()
    yield from (f" {text}" for text in (*listed, *wordings, *LINES) for _ in range(count // 20))
