"""Trajectory → conversation: whose words, which loss, and the released format on disk."""

import json

import pytest

from agentrefine_lib.dataset import in_turn, same_plays, statistics, to_conversation
from agentrefine_lib.schema import Conversation, Message, read_jsonl, write_jsonl


@pytest.mark.parametrize(
    ("strategy", "losses", "actions"),
    [
        ("refinement", [False, True, True], ["grab cup", "take cup", "heat cup"]),
        ("all_turns", [True, True, True], ["grab cup", "take cup", "heat cup"]),
        ("no_refinement", [True, True], ["take cup", "heat cup"]),
        ("no_refinement_loss", [False, False, True], ["grab cup", "take cup", "heat cup"]),
    ],
)
def test_each_strategy_on_one_play(three_turns, strategy, losses, actions):
    messages = to_conversation(three_turns, strategy).conversations
    replies = [m for m in messages if m.sender == "gpt"]
    assert [m.loss for m in replies] == losses
    assert [m.value.split("Action: ")[1] for m in replies] == actions
    assert [m.sender for m in messages] == ["human", "gpt"] * len(replies)
    assert "Goal: Heat the cup." in messages[0].value
    assert messages[0].value.endswith("Observation: You see a cup.")


def test_the_released_format(three_turns, tmp_path):
    write_jsonl(tmp_path / "c.jsonl", [to_conversation(three_turns)])
    row = json.loads((tmp_path / "c.jsonl").read_text())
    assert set(row) == {"id", "conversations"}
    assert row["conversations"][1] == {"from": "gpt", "value": "Thought: Grab it.\nAction: grab cup", "loss": False}
    assert row["conversations"][0]["loss"] is None
    assert next(read_jsonl(tmp_path / "c.jsonl", Conversation)) == to_conversation(three_turns)


def test_no_training_conversation_ends_without_a_reply(trajectories):
    for trajectory in trajectories:
        assert to_conversation(trajectory).conversations[-1].loss is True


def test_statistics_count_what_is_there(three_turns):
    row = statistics([three_turns]).iloc[0]
    assert (row["player_turns"], row["parameter_errors"], row["place_errors"], row["refinements"]) == (3, 1, 0, 1)


def test_sets_keep_the_plays_that_all_have_and_groups_are_dealt_in_turn():
    one, two, three = (Conversation(id=name, conversations=[Message(sender="gpt", value="x")]) for name in "abc")
    sets = same_plays({"main": [one, two, three], "other": [three, one]})
    assert {name: [row.id for row in rows] for name, rows in sets.items()} == {"main": ["a", "c"], "other": ["c", "a"]}
    assert [row.id for row in in_turn([[one], [two, three]], 3)] == ["a", "b", "c"]
    assert [row.id for row in in_turn([[one, three], [two]], 2)] == ["a", "b"]
