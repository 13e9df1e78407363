"""Each export read back by its format's own rules: what is trained there is what our flags say, text and order intact.

The rules were read in the frameworks' sources; each reader below says which.
"""

import json
from pathlib import Path

import pytest
import yaml

from agentrefine_lib.dataset import EXPORTS, to_conversation
from agentrefine_lib.schema import Conversation, Message

ROOT = Path(__file__).parents[2]


def conversation(name, *losses):
    """One exchange per loss."""
    messages = []
    for number, loss in enumerate(losses):
        messages.append(Message(sender="human", value=f"{name} observation {number}"))
        messages.append(Message(sender="gpt", value=f"Thought: {number}\nAction: ünd {number}", loss=loss))
    return Conversation(id=name, conversations=messages)


@pytest.fixture(scope="module")
def conversations(trajectories):
    hand = [conversation("a", False, True, None), conversation("b", True, False, False), conversation("c", None)]
    return [*map(to_conversation, trajectories[:20]), *hand]


@pytest.fixture(scope="module")
def unfit():
    lone = Conversation(id="x", conversations=[Message(sender="gpt", value="hello", loss=True)])
    twice = conversation("y", True, True)
    twice.conversations.insert(1, twice.conversations[0])
    open_end = Conversation(id="z", conversations=[*conversation("z", True).conversations, lone.conversations[0]])
    return [conversation("w", False, False), lone, twice, open_end, conversation("v", False)]


def expected(source):
    """(side, text, trained) of every message."""
    return [(m.sender, m.value, m.sender == "gpt" and m.loss is not False) for m in source.conversations]


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def configuration(kind):
    """What the page for other trainers' users says."""
    return (ROOT / "docs" / "exports.md").read_text().split(f"```{kind}\n")[1].split("```")[0]


SIDES = {"user": "human", "assistant": "gpt"}


def read_swift(sample):
    """swift/loss_scale/base.py: messages 2i and 2i+1 are a round; a reply's ``loss`` decides unless it is None; the
    suffix of the last reply is trained whatever its flag says."""
    messages = sample["messages"]
    for i in range(0, len(messages), 2):
        assert (messages[i]["role"], messages[i + 1]["role"]) == ("user", "assistant")
        assert isinstance(messages[i + 1]["loss"], bool) and messages[i].get("loss") is None
    assert messages[-1]["loss"] is True
    return [(SIDES[m["role"]], m["content"], bool(m["loss"])) for m in messages]


def read_axolotl(sample):
    """message_field_training names a bool per message; only null would fall back to roles_to_train."""
    config = yaml.safe_load(configuration("yaml"))["datasets"][0]
    role, content = config["message_property_mappings"]["role"], config["message_property_mappings"]["content"]
    known = {name: side for side, names in config["roles"].items() for name in names}
    messages = sample[config["field_messages"]]
    assert all(isinstance(m[config["message_field_training"]], bool) for m in messages)
    return [(SIDES[known[m[role]]], m[content], m[config["message_field_training"]]) for m in messages]


def read_v1(sample):
    """src/llamafactory/v1: content is a list of parts; a message is supervised if its ``loss_weight`` is above 1e-6."""
    for message in sample["messages"]:
        assert message.keys() == {"role", "content", "loss_weight"}
        assert [part["type"] for part in message["content"]] == ["text"]
        assert isinstance(message["loss_weight"], float)
    return [(SIDES[m["role"]], m["content"][0]["value"], m["loss_weight"] > 1e-6) for m in sample["messages"]]


@pytest.mark.parametrize(("export", "read"), [("axolotl", read_axolotl), ("llama_factory_v1", read_v1)])
def test_read_back_by_the_formats_rules(conversations, unfit, tmp_path, export, read):
    counts = EXPORTS[export]([*conversations, *unfit], tmp_path / "out.jsonl")
    assert [read(sample) for sample in rows_of(tmp_path / "out.jsonl")] == [expected(c) for c in conversations]
    assert counts.rows_in == len(conversations) + 5 and counts.rows_out == len(conversations)
    assert counts.dropped == {"no_trained_reply": 2, "roles_not_alternating": 3} and counts.turns_cut == 0


def test_swift_rows_end_with_a_trained_reply(conversations, unfit, tmp_path):
    counts = EXPORTS["swift"]([*conversations, *unfit], tmp_path / "out.jsonl")
    read = [read_swift(sample) for sample in rows_of(tmp_path / "out.jsonl")]
    for got, source in zip(read, conversations, strict=True):
        assert got == expected(source)[: len(got)]
        assert not any(trained for _, _, trained in expected(source)[len(got) :])
    assert len(read[-2]) == 2 and counts.turns_cut == 2  # "b": its two last replies are masked
    assert counts.rows_out == len(conversations) and sum(counts.dropped.values()) == len(unfit)


def test_llama_factory_v0_learns_each_trained_reply_once(conversations, unfit, tmp_path):
    """data/converter.py and processor/supervised.py: strict alternation, an even number of messages, and with
    mask_history only the last reply is trained."""
    counts = EXPORTS["llama_factory_v0"]([*conversations, *unfit], tmp_path / "out.jsonl")
    info = json.loads(configuration("json"))["agentrefine"]
    tags = info["tags"]
    learned = []
    for sample in rows_of(tmp_path / "out.jsonl"):
        messages = sample[info["columns"]["messages"]]
        sides = [m[tags["role_tag"]] for m in messages]
        assert sides == [tags["user_tag"], tags["assistant_tag"]] * (len(messages) // 2)
        learned.append([m[tags["content_tag"]] for m in messages])
    wanted = [
        [m.value for m in c.conversations[: index + 1]]
        for c in conversations
        for index, (_, _, trained) in enumerate(expected(c))
        if trained
    ]
    assert learned == wanted
    assert counts.rows_out == len(wanted) > counts.rows_in
