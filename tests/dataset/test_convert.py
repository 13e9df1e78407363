"""Trajectory → conversation: whose words, which loss, and the released format on disk."""

import json
import re
from itertools import chain

import pytest

from agentrefine_lib.agent import Prompting
from agentrefine_lib.dataset import error_runs, from_episodes, interleave, same_plays, statistics, to_conversation
from agentrefine_lib.environments.process import Opening
from agentrefine_lib.schema import Conversation, Episode, Message, Step, Task, read_jsonl, write_jsonl


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


def test_a_strategy_that_there_is_not_is_refused(three_turns):
    with pytest.raises(ValueError, match="strategy: found 'all_turn', expected one of refinement, all_turns"):
        to_conversation(three_turns, "all_turn")


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


def expert_play(name, actions):
    task = Task(engine="kitchen", name=name)
    steps = [
        Step(reply="", thought=f"so I {action}", action=action, observation=f"{action}: done", progress=0.5)
        for action in actions
    ]
    told = {"rules": "Be quick.", "commands": {"take {x}": "take it"}, "goal": name, "observation": "A room."}
    return Episode(
        id=task.id, policy="expert", task=task, steps=steps, success=True, progress=0.5, engine_version="1", **told
    )


def test_half_of_an_experts_conversations_begin_with_an_example_as_at_play():
    episodes = [expert_play(f"task {number}", ["look"] * (number + 1)) for number in range(10)]
    rows = from_episodes(episodes, seed=1)
    shown = [row for row in rows if "An example" in row.conversations[0].value]
    assert [row.id for row in rows] == [e.id for e in episodes] and len(shown) == 5
    assert rows == from_episodes(episodes, seed=1) != from_episodes(episodes, seed=2)
    for row in shown:
        played = next(e for e in episodes if e.id == row.id)
        goal = re.search("Goal: (.*)", row.conversations[0].value)[1]
        other = next(e for e in episodes if e.goal == goal)
        other = other.model_copy(update={"steps": other.steps[:8]})
        assert other.task != played.task
        opening = Opening(played.observation, played.goal, played.rules, played.commands, "1")
        asked = Prompting(examples=(other,)).chat(played.task, opening, played.steps[:-1])
        assert [m.value for m in row.conversations[::2]] == [m["content"] for m in asked[::2]]
    assert "An example" not in "".join(m.value for row in from_episodes(episodes[:1]) for m in row.conversations)


def test_runs_of_errors_by_hand(three_turns):
    """Flags of the answers: error, then none, none; and a play of five errors, a mended one, and two more."""
    turns = list(three_turns.turns)
    answers = [turns[2] if flag else turns[4] for flag in (1, 1, 1, 1, 1, 0, 1, 1)]
    said = [turns[0], *chain.from_iterable((turns[1], answer) for answer in answers)]
    runs = error_runs([three_turns, three_turns.model_copy(update={"turns": said})])
    assert runs["turns"].tolist() == [3, 8]
    assert runs["run of 1"].tolist() == [1, 0]
    assert runs["run of 2"].tolist() == [0, 2]
    assert runs["run of more than 3"].tolist() == [0, 5]


def test_sets_keep_the_plays_that_all_have_and_groups_are_dealt_in_turn():
    one, two, three = (Conversation(id=name, conversations=[Message(sender="gpt", value="x")]) for name in "abc")
    sets = same_plays({"main": [one, two, three], "other": [three, one]})
    assert {name: [row.id for row in rows] for name, rows in sets.items()} == {"main": ["a", "c"], "other": ["c", "a"]}
    assert [row.id for row in interleave([[one], [two, three]], 3)] == ["a", "b", "c"]
    assert [row.id for row in interleave([[one, three], [two]], 2)] == ["a", "b"]
