"""The released format in JSONL, Parquet and datasets: what comes back is what went in, ``loss`` None included."""

import json

import pytest
from datasets import Dataset, load_dataset

from agentrefine_lib.dataset import read_conversations, to_conversation, to_datasets, write_conversations
from agentrefine_lib.schema import Conversation, Message, SchemaError
from agentrefine_lib.verify import check_file


@pytest.fixture(scope="module")
def conversations(trajectories):
    odd = [
        Message(sender="human", value='ünïcode, "quotes", \u2028 and \n lines'),
        Message(sender="gpt", value="", loss=None),
        Message(sender="gpt", value="💡", loss=True),
    ]
    return [*map(to_conversation, trajectories), Conversation(id="odd", conversations=odd)]


@pytest.mark.parametrize("name", ["c.jsonl", "c.parquet"])
def test_there_and_back(conversations, tmp_path, name):
    assert write_conversations(tmp_path / "new" / name, iter(conversations)) == len(conversations)
    assert list(read_conversations(tmp_path / "new" / name)) == conversations
    assert [p.name for p in (tmp_path / "new").iterdir()] == [name]


def test_datasets_there_and_back(conversations, tmp_path):
    dataset = to_datasets(conversations)
    assert isinstance(dataset, Dataset) and dataset.column_names == ["id", "conversations"]
    assert dataset[0] == conversations[0].model_dump(by_alias=True)
    assert list(map(Conversation.model_validate, dataset)) == conversations
    dataset.save_to_disk(tmp_path / "saved")
    assert list(map(Conversation.model_validate, Dataset.load_from_disk(tmp_path / "saved"))) == conversations


@pytest.mark.parametrize("kind", ["json", "parquet"])
def test_datasets_reads_our_files_as_a_hub_would(conversations, tmp_path, kind):
    path = tmp_path / f"c.{kind.replace('json', 'jsonl')}"
    write_conversations(path, conversations)
    loaded = load_dataset(kind, data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert list(map(Conversation.model_validate, loaded)) == conversations


def test_bad_rows_and_names_are_refused(conversations, tmp_path):
    (tmp_path / "c.jsonl").write_text(conversations[0].to_json() + "\n" + json.dumps({"id": "x"}) + "\n{\n")
    with pytest.raises(SchemaError, match=r"c\.jsonl:2: not a Conversation: field conversations: found nothing"):
        list(read_conversations(tmp_path / "c.jsonl"))
    named = {"id": "x", "conversations": [{"sender": "human", "value": "Hi."}]}  # as no reader of JSONL takes it
    (tmp_path / "c.jsonl").write_text(json.dumps(named))
    with pytest.raises(SchemaError, match=r"c\.jsonl:1: not a Conversation: field conversations\.0\.from: "):
        list(read_conversations(tmp_path / "c.jsonl"))
    assert check_file(tmp_path / "c.jsonl").flaws == {"row_malformed": 1}
    (tmp_path / "c.jsonl").write_text("{\n")
    with pytest.raises(SchemaError, match=r"c\.jsonl:1: no JSON"):
        list(read_conversations(tmp_path / "c.jsonl"))
    with pytest.raises(ValueError, match=r"\.jsonl or \.parquet"):
        write_conversations(tmp_path / "c.csv", conversations)


def test_a_write_that_fails_leaves_no_file(conversations, tmp_path):
    def broken():
        yield conversations[0]
        raise RuntimeError("the source dries up")

    for name in ("c.jsonl", "c.parquet"):
        with pytest.raises(RuntimeError):
            write_conversations(tmp_path / name, broken())
        assert not (tmp_path / name).exists()
