"""Agent-FLAN's and AgentGym's rows as training sets, from files of their formats written by hand."""

import json

import pytest

from agentrefine_lib.dataset import Published, read_published
from agentrefine_lib.schema import SchemaError

FLAN = [
    {
        "id": "alfworld_3",
        "conversation": [
            {"role": "system", "content": "You are in a house.", "loss": False},
            {"role": "user", "content": "Your task: find a mug.", "loss": False},
            {"role": "assistant", "content": "Thought: I look.\nAction: go to desk 1", "loss": True},
            {"role": "user", "content": "Nothing.", "loss": None},
            {"role": "assistant", "content": "Action: fly", "loss": False},
        ],
    },
    {"conversation": [{"role": "user", "content": "Call a tool."}, {"role": "assistant", "content": "Done."}]},
]
GYM = [
    {
        "item_id": name,
        "conversations": [
            {"from": "human", "loss": None, "value": "How to play."},
            {"from": "gpt", "loss": False, "value": "OK."},
            {"from": "human", "loss": None, "value": "A door."},
            {"from": "gpt", "loss": True, "value": "Action: open it"},
        ],
    }
    for name in ("babyai_0", "webshop_7", "sciworld_2", "look_at_obj_in_light-Bowl", "textcraft_1")
]


def test_both_formats_are_read_with_their_losses_and_without_held_in_rows(tmp_path):
    (tmp_path / "flan").mkdir()
    (tmp_path / "flan" / "react.jsonl").write_text("".join(json.dumps(row) + "\n" for row in FLAN))
    (tmp_path / "gym.json").write_text(json.dumps(GYM, indent=1))
    sets = dict(Published(agent_flan=str(tmp_path / "flan"), agentgym=str(tmp_path / "gym.json")).sets())
    assert {name: len(rows) for name, rows in sets.items()} == {
        "agent_flan": 2,
        "agent_flan_ood": 1,
        "agentgym": 5,
        "agentgym_ood": 2,
    }
    first = sets["agent_flan"][0]
    assert first.conversations[0].value == "You are in a house.\n\nYour task: find a mug."
    assert [(m.sender, m.loss) for m in first.conversations] == [
        *[("human", None), ("gpt", True), ("human", None), ("gpt", False)]
    ]
    assert [row.id for row in sets["agentgym_ood"]] == ["webshop_7", "textcraft_1"]
    assert [m.is_trained for m in sets["agentgym"][0].conversations] == [False, False, False, True]


def test_what_is_not_such_a_file_is_named(tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"id": "x", "conversations": [{"from": "gpt", "value": 3}]}\n')
    with pytest.raises(SchemaError, match=r"bad\.jsonl, row 1: not a published conversation"):
        list(read_published(str(tmp_path / "bad.jsonl")))
    with pytest.raises(SchemaError, match="neither a file"):
        list(read_published(str(tmp_path / "none.jsonl")))
