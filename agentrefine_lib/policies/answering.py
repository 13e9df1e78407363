"""Models answer plain questions, outside of any world: rehearsal data (figure 11), and what is kept (figure 12)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pydantic import Field
from tqdm.auto import tqdm

from agentrefine_lib.agent import Chat
from agentrefine_lib.schema import Answer, Ending, Journal, Question, Section

TOGETHER = 32  # chats that are answered in one call


class General(Section):
    """General data and general ability: the section ``general`` of chapters 2 and 8."""

    answers: int = Field(default=0, ge=0)  # of the base model, mixed into training sets; 0: no such sets
    data: str = ""  # a file, folder or hub name of chats, such as ShareGPT's, in place of these answers; empty: none
    mixed: list[str] = Field(default=["agentrefine", "expert_only"])  # sets that get a twin with them, NAME_general
    questions: int = Field(default=64, ge=1)  # of those that a program can check, at most
    models: list[str] = Field(  # of chapter 3, that answer them; one that was not tuned is "not run here"
        default=["untuned", "expert_only-0", "expert_only_general-0", "agentrefine-0", "agentrefine_general-0"]
    )
    open_questions: str = ""  # a file in MT-bench's format, relative to the repository, for the judge; empty: none
    reply_tokens: int = Field(default=192, gt=0)  # of one answer at most


class Answerer(Protocol):
    """A policy that can chat, too."""

    name: str

    async def answer(self, chats: list[Chat]) -> list[tuple[str, Ending]]:
        """The next reply in each chat, which ends with the user's turn, and how it ended."""


async def answer_all(model: Answerer, questions: Sequence[Question], path: Path) -> Path:
    """Ask every question and append the answers to ``path`` (JSONL). Returns the path.

    A killed run continues where it was: what is on disk is not asked again.
    """
    with Journal(path, Answer, key=lambda answer: answer.id) as journal:
        groups = [questions[start : start + TOGETHER] for start in range(0, len(questions), TOGETHER)]
        for group in tqdm(groups, desc=model.name, unit="group", leave=False):
            missing = {_id(model, question) for question in group} - journal.done
            for answer in await _answers(model, group) if missing else ():  # whole: what is read together rounds alike
                if answer.id in missing:
                    journal.append(answer)
    return path


async def _answers(model: Answerer, questions: Sequence[Question]) -> list[Answer]:
    chats: dict[str, Chat] = {question.id: [] for question in questions}
    cut = set[str]()
    for turn in range(max(len(question.turns) for question in questions)):
        asked = [question for question in questions if turn < len(question.turns)]
        for question in asked:
            chats[question.id].append({"role": "user", "content": question.turns[turn]})
        replies = await model.answer([chats[question.id] for question in asked])
        for question, (text, ending) in zip(asked, replies, strict=True):
            chats[question.id].append({"role": "assistant", "content": text})
            cut |= {question.id} if ending.cut else set()
    return [
        Answer(
            id=_id(model, question),
            model=model.name,
            question=question.id,
            replies=[message["content"] for message in chats[question.id][1::2]],
            cut=question.id in cut,
        )
        for question in questions
    ]


def _id(model: Answerer, question: Question) -> str:
    return f"{model.name}/{question.id}"
