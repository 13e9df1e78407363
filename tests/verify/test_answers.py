"""Instructions whose answers a program checks: each can be passed, and none is passed by any text."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from agentrefine_lib.dataset import instructions
from agentrefine_lib.schema import Answer, Question
from agentrefine_lib.verify.answers import CHECKS, checked_questions, open_questions, passed
from agentrefine_lib.verify.grading import grade

QUESTIONS = {question.id: question for question in checked_questions()}
GOOD = yaml.safe_load(Path(__file__).with_name("answers.yaml").read_text())


def answer(question: str, *replies: str) -> Answer:
    return Answer(id=f"m/{question}", model="m", question=question, replies=list(replies))


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_good_answer_passes_every_check_and_most_texts_do_not(name):
    question = QUESTIONS[name]
    assert passed(question, answer(name, f"\n{GOOD[name]}  ")) == dict.fromkeys(question.checks, True)
    others = [all(passed(question, answer(name, text)).values()) for text in GOOD.values() if text != GOOD[name]]
    assert sum(others) < 0.9 * len(others)
    assert not any(passed(question, answer(name, " ")).values())
    passed(question, answer(name, "\ud800 " + "[" * 10_000))  # whatever a model writes


def test_there_are_enough_of_every_kind_and_none_is_trained_on():
    assert len(QUESTIONS) >= 60
    assert {kind for question in QUESTIONS.values() for kind in question.checks} == set(CHECKS)
    asked = instructions(1_000)
    assert len({question.turns[0] for question in asked}) == 1_000 and asked[:20] == instructions(20)
    assert not {q.turns[0] for q in asked} & {q.turns[0] for q in QUESTIONS.values()}
    assert len({question.id.partition("-")[0] for question in checked_questions(8)}) >= 6
    every = {question.id.partition("-")[0] for question in checked_questions()}
    assert {question.id.partition("-")[0] for question in checked_questions(40)} == every


def test_a_judge_grades_each_reply_from_what_was_said_before(tmp_path):
    (tmp_path / "questions.jsonl").write_text('{"question_id": 81, "category": "x", "turns": ["Hello?", "Again?"]}\n')
    (asked,) = open_questions(tmp_path / "questions.jsonl")
    assert asked == Question(id="open-81", turns=["Hello?", "Again?"])
    seen = []

    async def complete(chat):
        seen.append(chat[0]["content"])
        return SimpleNamespace(text=json.dumps({"grade": 7 if "Again?" in seen[-1] else 77}))

    replies = [answer("open-80", "To a question that is asked no more."), answer("open-81", "Hi.", "Hi again.")]
    table = asyncio.run(grade(SimpleNamespace(complete=complete), [asked], replies))
    assert table[["turn", "grade"]].fillna(0).to_numpy().tolist() == [[0, 0], [1, 7]]  # 77 is no grade
    assert seen[1].endswith("User: Hello?\n\nAssistant: Hi.\n\nUser: Again?\n\nAssistant: Hi again.")
    assert "Again?" not in seen[0]
