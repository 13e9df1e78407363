"""Others' training sets: the released format by hand, in files as they are found, and other names of its fields."""

import json

import pytest

from agentrefine_lib.dataset import EXPORTS, Published, Released, read_published, write_conversations
from agentrefine_lib.schema import Conversation, SchemaError
from agentrefine_lib.verify import check_file

ASK = {"from": "human", "value": "Goal: a hot cup.\n\nObservation: You see a cup.", "loss": None}
WRONG = {"from": "gpt", "value": "Thought: Grab it.\nAction: grab cup", "loss": False}
TOLD = {"from": "human", "value": "Observation: Error: no such command.", "loss": None}
RIGHT = {"from": "gpt", "value": "Thought: Then take it.\nAction: take cup", "loss": True}
ROW = {"id": "r-1", "conversations": [ASK, WRONG, TOLD, RIGHT]}
FLAN = {  # Agent-FLAN's names
    "id": "alfworld_7",
    "conversation": [
        {"role": "system", "content": "You are an agent."},
        {"role": "user", "content": "Take the cup."},
        {"role": "assistant", "content": RIGHT["value"], "loss": True},
    ],
}
GYM = {"item_id": "babyai_3", "conversations": [ASK | {"weight": 0}, RIGHT | {"loss": None}]}  # AgentGym's


def test_the_released_format_as_it_is_in_an_array_in_lines_and_in_a_folder(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([ROW, ROW | {"id": "r-2"}], indent=1))
    (tmp_path / "b.jsonl").write_text(json.dumps(FLAN) + "\n" + json.dumps(GYM) + "\n")
    first, second = read_published(Published(path="a.json"), tmp_path)
    assert first.model_dump(by_alias=True) == ROW and second.id == "r-2"
    path = tmp_path / "made" / "agentrefine.jsonl"
    write_conversations(path, [first, second])
    report = check_file(path)
    assert report.ok and [report.counts[name] for name in ("trained", "masked", "unmarked")] == [2, 2, 0]
    path.unlink()
    rows = list(read_published(Published(path="."), tmp_path))
    assert [row.id for row in rows] == ["r-1", "r-2", "alfworld_7", "babyai_3"]
    assert rows[2].conversations[0].value == "You are an agent.\n\nTake the cup."
    assert [message.is_trained for message in rows[3].conversations] == [False, True]
    held_out = read_published(Published(path=".", drop="alfworld|babyai"), tmp_path)
    assert [row.id for row in held_out] == ["r-1", "r-2"]


def test_what_is_no_training_set_is_named(tmp_path, monkeypatch):
    (tmp_path / "bad.jsonl").write_text(
        json.dumps(ROW) + "\n" + json.dumps({"id": "x", "conversations": [{"from": 3}]})
    )
    with pytest.raises(SchemaError, match=r"bad.jsonl:2: not a Conversation: field conversations.0.from"):
        list(read_published(Published(path="bad.jsonl"), tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SchemaError, match="neither a file nor a folder here, nor to be had from Hugging Face"):
        list(read_published(Published(path="nobody/no-such-set"), tmp_path))
    with pytest.raises(ValueError, match="Field required"):
        Released.model_validate({"sets": {"agentrefine": {}}})
    with pytest.raises(ValueError, match=r"(?s)sets\.agentrefine\.drop.*missing \): \("):
        Released.model_validate({"sets": {"agentrefine": {"path": ".", "drop": "("}}})
    (tmp_path / "bad.jsonl").write_text('{"id": "x", "dialog": []}\n')
    with pytest.raises(SchemaError, match=r"bad.jsonl:1: .*expected conversations, conversation or messages"):
        list(read_published(Published(path="bad.jsonl"), tmp_path))


def test_rows_in_openais_style_are_read(tmp_path):
    (tmp_path / "o.jsonl").write_text(json.dumps({"messages": FLAN["conversation"]}) + "\n")
    (row,) = read_published(Published(path="o.jsonl"), tmp_path)
    assert [m.sender for m in row.conversations] == ["human", "gpt"] and row.id == "o-1"


@pytest.mark.parametrize(("flag", "no", "yes"), [("weight", 0, 1), ("train", False, True), ("loss_weight", 0.0, 1.0)])
def test_what_other_trainers_call_a_loss_is_one(flag, no, yes, tmp_path):
    """OpenAI's fine-tuning files, and this suite's own exports: an erroneous reply is not trained unnoticed."""
    replies = [{"from": "gpt", "value": RIGHT["value"]} | given for given in ({flag: no}, {flag: yes}, {})]
    talk = [ASK | {flag: no}, replies[0], TOLD, replies[1], TOLD, replies[2]]
    (tmp_path / "w.jsonl").write_text(json.dumps({"conversations": talk}))
    (row,) = read_published(Published(path="w.jsonl"), tmp_path)
    assert [message.loss for message in row.conversations] == [None, False, None, True, None, None]


def test_an_export_whose_texts_are_lists_of_parts_is_read_back(tmp_path):
    talk = Conversation.model_validate({"id": "a", "conversations": [ASK, RIGHT | {"loss": False}, TOLD, RIGHT]})
    EXPORTS["llama_factory_v1"]([talk], tmp_path / "v1.jsonl")
    (row,) = read_published(Published(path="v1.jsonl"), tmp_path)
    assert [(m.value, m.is_trained) for m in row.conversations] == [(m.value, m.is_trained) for m in talk.conversations]
