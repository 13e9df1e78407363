"""General data for figures 11 and 12: plain instructions, and sets of trajectories with their answers mixed in."""

import random
from collections.abc import Iterable, Sequence
from itertools import cycle, islice
from operator import itemgetter
from pathlib import Path

import yaml

from agentrefine_lib.schema import Answer, Conversation, Message, Question

GENERAL = "_general"  # ends the name of a set with general data mixed in, and of the models tuned on it
FORMS = Path(__file__).with_name("instructions.yaml")


def instructions(count: int) -> list[Question]:
    """``count`` different instructions, each form in its turn; the first of more are the same.

    Raises ValueError for more than the forms can give without repeating themselves too often.
    """
    told = yaml.safe_load(FORMS.read_text(encoding="utf-8"))
    rng, asked = random.Random("instructions 0"), dict[str, None]()
    for form in islice(cycle(told["forms"]), 4 * count):
        if len(asked) == count:
            break
        words = {}
        for name, choices in told["slots"].items():
            words[name], words[f"other_{name}"] = rng.sample(choices, 2)
        asked.setdefault(form.format(**words))
    if len(asked) < count:
        raise ValueError(f"general.answers: found {len(asked)} different instructions, expected {count}; ask for fewer")
    return [Question(id=f"g-{number:04d}", turns=[text]) for number, text in enumerate(asked)]


def rehearsal(questions: Iterable[Question], answers: Iterable[Answer]) -> list[Conversation]:
    """Questions with a model's own answers as training data. One that is empty or was cut teaches no end: left out."""
    said = {answer.question: answer for answer in answers if not answer.cut and all(answer.replies)}
    return [_conversation(question, said[question.id]) for question in questions if question.id in said]


def mixed(rows: Sequence[Conversation], general: Sequence[Conversation]) -> list[Conversation]:
    """A training set and general data, each in its order and spread evenly among the other."""
    places = [(number / len(group), row) for group in (rows, general) for number, row in enumerate(group)]
    return [row for _, row in sorted(places, key=itemgetter(0))]


def _conversation(question: Question, answer: Answer) -> Conversation:
    messages = []
    for turn, reply in zip(question.turns, answer.replies, strict=True):
        messages += [Message(sender="human", value=turn), Message(sender="gpt", value=reply, loss=True)]
    return Conversation(id=question.id, conversations=messages)
