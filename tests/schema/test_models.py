"""The contract: the paper's keys, strict types, errors that name file, line and field."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrefine_lib.schema import (
    ActionSpec,
    CodeError,
    Journal,
    Match,
    Message,
    Mismatch,
    SchemaError,
    Script,
    Trajectory,
    compile_code,
    match_action,
    read_jsonl,
    refinements,
    write_jsonl,
)

PAPER_SCRIPT = {
    "Environment": {"home": {"documents": {"info.txt": {"size": 3}}}},
    "Goal": "Read info.txt.",
    "Completion Conditions": ["info.txt was read"],
    "Available Actions": {
        "cd {path}": {"verification code": r"^\s*cd\s+(.*?)\s*$", "parameters": {"path": ["home", "documents"]}}
    },
}


def test_the_papers_script_is_read_and_written_with_its_own_keys():
    assert json.loads(Script.model_validate(PAPER_SCRIPT).to_json()) == PAPER_SCRIPT


def test_trajectories_survive_the_disk(trajectories, tmp_path):
    write_jsonl(tmp_path / "t.jsonl", trajectories)
    assert list(read_jsonl(tmp_path / "t.jsonl", Trajectory)) == trajectories


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('{"from": "human", "value": 3}', "field value: found 3"),
        ('{"from": "robot", "value": "x"}', "field from: found 'robot'"),
        ('{"from": "gpt", "value": "x", "los": true}', "field los"),
        ('{"from": "gpt", "value": "x", "loss": "true"}', "field loss: found 'true'"),
        ("not json", "Invalid JSON"),
        ('{"from": "gpt", "value": "x", "\\u001b[2J\\u202e": 1}', r"field \x1b[2J\u202e: found 1"),  # found by fuzzing
    ],
)
def test_a_bad_line_is_named(tmp_path, line, named):
    path = tmp_path / "m.jsonl"
    path.write_text('{"from": "gpt", "value": "fine", "loss": null}\n' + line + "\n")
    with pytest.raises(SchemaError) as caught:
        list(read_jsonl(path, Message))
    assert f"{path}:2" in str(caught.value)
    assert named in str(caught.value)


@pytest.mark.parametrize("number", ["Infinity", "NaN", "1e999", "9" * 5_000])
def test_numbers_that_json_does_not_have_are_refused(number):
    """Found by fuzzing: they were read, and written as null."""
    told = json.dumps(PAPER_SCRIPT | {"Environment": {"box": "?"}}).replace('"?"', number)
    with pytest.raises(ValueError, match=r"Environment|number out of range"):
        Script.model_validate_json(told)


def test_a_journal_drops_the_line_that_a_kill_cut_short_and_goes_on(tmp_path):
    path = tmp_path / "j.jsonl"
    path.write_text('{"from": "gpt", "value": "a"}\n{"from": "gpt", "val')
    with Journal(path, Message, key=lambda m: m.value) as journal:
        assert journal.done == {"a"}
        journal.append(Message(sender="gpt", value="b"))
    assert [m.value for m in read_jsonl(path, Message)] == ["a", "b"]


def test_a_journal_with_a_bad_line_is_refused_and_let_go(tmp_path):
    path = tmp_path / "j.jsonl"
    path.write_text("not json\n")
    for _ in range(2):
        with pytest.raises(SchemaError, match=r"j\.jsonl:1"):
            Journal(path, Message, key=lambda m: m.value)


def test_two_writers_of_one_journal_are_refused(tmp_path):
    with Journal(tmp_path / "j.jsonl", Message, key=lambda m: m.value), pytest.raises(SchemaError, match="another run"):
        Journal(tmp_path / "j.jsonl", Message, key=lambda m: m.value)


def test_actions_are_matched_by_form_then_by_parameter():
    script = Script.model_validate(PAPER_SCRIPT)
    assert match_action(script, " cd  documents ") == Match("cd {path}", {"path": "documents"})
    assert match_action(script, "cd attic") == Mismatch("parameter", "cd {path}: no such path='attic'")
    assert match_action(script, "fly home").kind == "format"


def test_codes_run_in_re2_only():
    with pytest.raises(CodeError):
        compile_code(r"(a)\1")
    with pytest.raises(CodeError):
        compile_code(r"(?=a)")
    explosive = ActionSpec(verification_code=r"^(a|aa)+$", parameters={})
    script = Script.model_validate(PAPER_SCRIPT).model_copy(update={"available_actions": {"aa": explosive}})
    assert match_action(script, "a" * 400 + "!").kind == "format"  # Python's re would not come back


@given(st.text(max_size=600))
def test_any_text_gets_a_verdict(action):
    assert isinstance(match_action(Script.model_validate(PAPER_SCRIPT), action), Match | Mismatch)


def test_a_reply_without_a_flag_is_trained_and_a_refinement_comes_right_after_an_error():
    assert [Message(sender="gpt", value="x", loss=loss).is_trained for loss in (True, None, False)] == [1, 1, 0]
    assert not Message(sender="human", value="x").is_trained
    assert refinements([True, True, False, False, True]) == [False, False, True, False, False]
    assert refinements([]) == []
