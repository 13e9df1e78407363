"""HotpotQA: the official scores, a search that answers, the shipped questions, files of the user's own."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrefine_lib.environments.hotpotqa.corpus import load_corpus
from agentrefine_lib.environments.hotpotqa.environment import HotpotQA, exact_match, f1
from agentrefine_lib.environments.protocol import StepResult
from agentrefine_lib.schema import SchemaError, Task

OFFICIAL = Path(__file__).resolve().parents[3] / "shared" / "benchmarks" / "hotpotqa.jsonl"


def start(name: str = "thrace-university-year") -> HotpotQA:
    env = HotpotQA()
    env.reset(Task(engine="hotpotqa", name=name))
    return env


def solve(env: HotpotQA) -> tuple[int, StepResult]:
    """Let the expert play: the number of steps, and the last result."""
    for taken, (thought, action) in enumerate(env.expert(), start=1):
        result = env.step(action)
        assert result.error is None
        assert thought.endswith(".") and thought == " ".join(thought.split())
        if result.done:
            return taken, result
    raise AssertionError("the expert gave up")


@pytest.mark.parametrize(
    ("prediction", "answer", "score"),
    [  # by hand: precision and recall over the words left after normalising
        ("the Lantern Bridge.", "Lantern bridge", 1.0),
        ("Lantern Bridge in Tarnwick", "Lantern Bridge", 2 / 3),  # precision 2/4, recall 2/2
        ("bridge bridge", "bridge of glass", 0.4),  # repeated words count once: precision 1/2, recall 1/3
        ("2,140 metres", "2140 metres", 1.0),
        ("Ferrow", "Pellow", 0.0),
        ("yes", "yes", 1.0),
        ("Yes, it is", "yes", 0.0),  # a yes or no is right or wrong as a whole
        ("no", "no man's land", 0.0),
        ("", "Ferrow", 0.0),
    ],
)
def test_scores_are_those_of_the_official_script(prediction: str, answer: str, score: float) -> None:
    assert f1(prediction, answer) == pytest.approx(score)
    assert exact_match(prediction, answer) == (score == 1.0)


def test_search_opens_an_article_or_offers_titles_and_lookup_reads_on() -> None:
    env = start()
    offered = env.step("search[university]")
    assert (
        offered.error is None and 'Could not find "university". Similar: ["University of Pellow"' in offered.observation
    )
    opened = env.step(" Search [university of  PELLOW]. ")
    assert opened.observation.startswith("The University of Pellow is the oldest") and "1583" not in opened.observation
    assert env.step("lookup[pellow]").observation == (
        "(Result 1 / 2) The University of Pellow is the oldest university of the country."
    )
    assert env.step("lookup[Pellow]").observation == "(Result 2 / 2) The University of Pellow was founded in 1583."
    assert env.step("lookup[Pellow]").error == "logic"
    assert "search[University of Pellow]" in env.step("check valid actions").observation
    assert env.step("finish[in 1583]") == StepResult(
        'You answered "in 1583". This answer is not the one expected.', pytest.approx(2 / 3), False, True, None
    )
    assert env.valid_actions() == [] and env.step("finish[1583]").error == "logic"


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("read[Pellow]", "format"),
        ("search[]", "format"),
        ("Pellow", "format"),
        ("search[zzyzx]", "parameter"),
        ("search[the]", "parameter"),
        ("lookup[Pellow]", "logic"),  # nothing is open
    ],
)
def test_each_refusal_has_its_kind_and_changes_nothing(action: str, kind: str) -> None:
    env = start()
    before = env.valid_actions()
    result = env.step(action)
    assert (result.error, result.progress, result.done) == (kind, 0.0, False)
    assert result.observation and set(before) <= set(env.valid_actions())
    assert env.step("search[Tarnwick]").error is None and env.step("lookup[zzyzx]").error == "parameter"


@given(text=st.text() | st.from_regex(r"(search|lookup) ?\[[\w \[\]'.]*\]?", fullmatch=True))
@settings(max_examples=100, deadline=None)
def test_no_text_raises(text: str) -> None:
    result = GARBAGE_EATER.step(text)
    assert result.observation and result.error in (None, "format", "parameter", "logic")


GARBAGE_EATER = start()


def test_half_a_surrogate_pair_does_not_get_through() -> None:
    start().step("search[\ud800]").observation.encode()


def test_every_valid_action_is_accepted() -> None:
    env, rng = HotpotQA(), random.Random(0)
    for name in load_corpus().questions:
        env.reset(Task(engine="hotpotqa", name=name))
        for _ in range(8):
            result = env.step(rng.choice([action for action in env.valid_actions() if not action.startswith("finish")]))
            assert result.error is None


def test_the_shipped_questions_rest_on_their_supporting_sentences() -> None:
    corpus = load_corpus()
    assert len(corpus.questions) == 40 and len(corpus.articles) == 58
    for question in corpus.questions.values():
        facts = corpus.facts(question)
        assert len(facts) == len(question.supporting_facts) and len({title for title, _ in facts}) >= 2
        sentences = [corpus.articles[title][number] for title, number in facts]
        assert question.answer in ("yes", "no") or any(question.answer in sentence for sentence in sentences)
        for title, text in question.context:
            assert text == corpus.articles[title], f"two texts of {title}"
            assert 3 <= len(text) <= 6
    answers = [question.answer for question in corpus.questions.values()]
    assert (answers.count("yes"), answers.count("no")) == (4, 3)


def test_the_expert_answers_every_shipped_question() -> None:
    for name in load_corpus().questions:
        taken, result = solve(start(name))
        assert result.success and result.progress == 1.0 and taken <= 7


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the official questions are not on this machine")
def test_official_questions_play_and_the_expert_answers_them() -> None:
    results = [solve(start(f"{OFFICIAL}#{name}")) for name in load_corpus(OFFICIAL).questions]
    assert len(results) == 100 and all(result.success and taken <= 7 for taken, result in results)


@pytest.fixture
def row() -> dict[str, object]:
    return {
        "_id": "5a",
        "question": "Who keeps the &amp; sign?",
        "answer": "Ada",
        "context": [["A &amp; B", ["A &amp; B is a shop. ", " It belongs to Ada."]], ["Ada", ["Ada is a keeper."]]],
        "supporting_facts": [["A &amp; B", 1], ["A &amp; B", 900], ["Ada", 0]],
        "level": "easy",
    }


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_a_file_of_the_users_own_plays_by_id_and_by_index(row: dict[str, object], suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"mine#{suffix}"  # the sign that stands before an id, too
    rows = [row, {**row, "_id": "7#b"}]
    path.write_text(
        f"\ufeff\n {json.dumps(rows)}" if suffix == ".json" else "".join(json.dumps(r) + "\n" for r in rows)
    )
    assert solve(start(f"{path}#5a"))[1].success
    env = start(f"{path}#1")
    assert env.step("search[a & b]").observation == "A & B is a shop. It belongs to Ada."
    assert solve(start(f"{path}#7#b"))[1].success


def test_what_is_wrong_with_a_file_or_a_name_is_said(row: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(row) + "\n" + json.dumps({**row, "supporting_facts": [["C", 0]]}))
    with pytest.raises(SchemaError, match=r"mine.jsonl:2: .*supporting_facts name \['C'\]"):
        start(f"{path}#5a")
    path.write_text(json.dumps([row, row]))
    with pytest.raises(SchemaError, match="two questions have the id '5a'"):
        start(f"{path}#5a")
    path.write_text(json.dumps([{**row, "answer": 7}]))
    with pytest.raises(SchemaError, match=r"field 0.answer: found 7"):
        start(f"{path}#0")
    for name in ("gone", "gone.jsonl#0", "#x"):
        with pytest.raises(ValueError, match=f"unknown HotpotQA task '{name}'"):
            start(name)
