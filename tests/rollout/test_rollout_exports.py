"""Episodes in other people's formats: everything arrives, and their own readers take it."""

import json

import pytest

from agentrefine_lib.rollout import for_atif, for_inspect, to_datasets
from agentrefine_lib.schema import Ending, Episode, Step, Task


def episode(policy: str, seed: int, success: bool) -> Episode:
    steps = [
        Step(reply="dance", thought="", action="dance", observation="Nobody does.", progress=0.0, error="format"),
        Step(reply="Thought: a\nAction: go", thought="a", action="go", observation="Done.", progress=float(success)),
    ]
    task = Task(engine="babyai", name="GoToDoor", seed=seed)
    told: dict = {
        "goal": "Go to the door.",
        "observation": "A room.",
        "commands": {"go": "walk"},
        "engine_version": "m 1",
    }
    told |= {"success": success, "progress": float(success)}
    return Episode(id=f"{policy}/{task.id}", policy=policy, task=task, steps=steps, **told)


EPISODES = [episode("org/model", 1, True), episode("random", 1, False), episode("org/model", 2, False)]


def test_a_log_per_policy_holds_every_turn_and_the_means(tmp_path):
    paths = for_inspect(EPISODES, tmp_path)
    assert len(paths) == 2
    log = json.loads(paths[0].read_text())
    assert log["eval"]["model"] == "agentrefine/org/model"
    assert [s["metrics"]["mean"]["value"] for s in log["results"]["scores"]] == [0.5, 0.5]
    sample = log["samples"][0]
    assert [m["role"] for m in sample["messages"]] == ["user", "assistant"] * 2 + ["user"]
    assert all(word in sample["messages"][0]["content"] for word in ("- go", "Go to the door.", "A room."))
    assert sample["metadata"]["refused"] == ["step 1: format error"]


def test_inspects_own_reader_takes_the_logs(tmp_path):
    """Run where inspect_ai is installed, which cannot be here: it needs older versions than constraints.txt has."""
    log = pytest.importorskip("inspect_ai.log")
    for_inspect(EPISODES, tmp_path)
    found = [log.read_eval_log(info) for info in log.list_eval_logs(str(tmp_path))]
    assert sorted(read.eval.model for read in found) == ["agentrefine/org/model", "agentrefine/random"]
    [sample] = next(read.samples for read in found if read.eval.model == "agentrefine/random")
    assert sample.scores["success"].value == 0
    assert sample.messages[1].text == "dance"


def test_a_data_set_has_a_row_per_episode_and_its_steps():
    rows = to_datasets(EPISODES)
    assert rows["policy"] == ["org/model", "random", "org/model"]
    assert rows[0]["steps"][0]["error"] == "format"
    assert rows[0]["steps"][1]["error"] is None
    assert "A room." in rows[0]["prompt"]
    assert rows[2]["seed"] == 2


def test_atif_holds_episodes_and_trajectories_and_its_own_models_take_them(tmp_path, three_turns):
    atif = pytest.importorskip("atif")
    by_model = EPISODES[0].model_copy(deep=True)
    by_model.steps[1].ending = Ending(reason="stop", tokens=9)
    written = for_atif([by_model, three_turns], tmp_path)
    played, taught = (atif.Trajectory.model_validate_json(path.read_text()) for path in written)
    assert (played.trajectory_id, played.agent.model_name) == (by_model.id, "org/model")
    assert "- go" in played.steps[0].message
    assert [step.observation.results[0].content for step in played.steps[1:]] == ["Nobody does.", "Done."]
    assert [step.extra["error"] for step in played.steps[1:]] == ["format", None]
    assert played.steps[2].metrics.completion_tokens == 9
    assert played.final_metrics.extra == {"success": True, "progress": 1.0}
    assert [step.tool_calls[0].arguments["command"] for step in taught.steps[1:]] == [
        turn.action for turn in three_turns.turns if turn.role == "Player"
    ]
    assert [bool(step.extra["errors"]) for step in taught.steps[1:]] == [True, False, False]
