"""Answers to open questions, graded by a language model, as MT-bench grades single answers (arXiv 2306.05685)."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd

from agentrefine_lib.schema import Answer, Question
from agentrefine_lib.verify.judge import ask_for_json

if TYPE_CHECKING:
    from agentrefine_lib.endpoint import Endpoint

GRADE = """Below is a conversation. Grade the last answer of the assistant from 1 (useless) to 10 (excellent): is it
right, does it do what was asked, is it clear? Answer with one JSON object and nothing else: {"grade": 7}."""


async def grade(endpoint: "Endpoint", questions: Iterable[Question], answers: Iterable[Answer]) -> pd.DataFrame:
    """One row per reply to one of the questions: model, question, turn, grade (None: no usable answer)."""
    turns = {question.id: question.turns for question in questions}
    every = [(answer, turn) for answer in answers if answer.question in turns for turn in range(len(answer.replies))]

    async def one(answer: Answer, last: int) -> Any:
        said = zip(turns[answer.question][: last + 1], answer.replies, strict=False)
        story = "\n\n".join(f"User: {turn}\n\nAssistant: {reply}" for turn, reply in said)
        value = await ask_for_json(endpoint, f"{GRADE}\n\n{story}")
        found = value.get("grade") if isinstance(value, dict) else None
        fits = isinstance(found, int | float) and not isinstance(found, bool) and 1 <= found <= 10
        return found if fits else None

    grades = await asyncio.gather(*(one(answer, turn) for answer, turn in every))
    rows = [(answer.model, answer.question, turn, said) for (answer, turn), said in zip(every, grades, strict=True)]
    return pd.DataFrame(rows, columns=["model", "question", "turn", "grade"])
