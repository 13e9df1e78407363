"""Rollouts on the real engine: whole, resumed, and the same again."""

import pytest

from agentrefine_lib.environments import make_environment
from agentrefine_lib.policies import ExpertPolicy, RandomPolicy
from agentrefine_lib.rollout import roll_out
from agentrefine_lib.schema import Episode, Task, read_jsonl

TASKS = [Task(engine="babyai", name=name, seed=seed) for name in ("GoToRedBallGrey", "Pickup") for seed in range(4)]


def play(policy, path, **limits):
    return list(read_jsonl(roll_out(policy, TASKS, make_environment, path, **({"max_steps": 12} | limits)), Episode))


def test_expert_wins_and_episodes_say_so(tmp_path):
    episodes = play(ExpertPolicy(), tmp_path / "e.jsonl", in_flight=3)
    assert {e.task.id for e in episodes} == {t.id for t in TASKS}
    assert all(e.success and e.progress == 1.0 and len(e.steps) <= 12 for e in episodes)
    assert all("minigrid" in e.engine_version for e in episodes)


class PowerError(Exception):
    """The machine goes down."""


class DyingPolicy(RandomPolicy):
    """Plays at random until it has been asked often enough."""

    calls = 0

    def act(self, episodes):
        self.calls += 1
        if self.calls > 20:
            raise PowerError
        return super().act(episodes)


def test_a_run_cut_off_goes_on_to_the_same_episodes(tmp_path):
    whole = play(RandomPolicy(), tmp_path / "whole.jsonl")
    with pytest.raises(PowerError):
        play(DyingPolicy(), tmp_path / "cut.jsonl", in_flight=3)
    finished = len((tmp_path / "cut.jsonl").read_text().splitlines())
    assert 0 < finished < len(TASKS)
    resumed = play(RandomPolicy(), tmp_path / "cut.jsonl", in_flight=3)
    assert sorted(resumed, key=lambda e: e.id) == sorted(whole, key=lambda e: e.id)
    assert play(RandomPolicy(), tmp_path / "cut.jsonl") == resumed


def test_a_reply_without_an_action_is_counted(tmp_path):
    class Chatty(RandomPolicy):
        def act(self, episodes):
            return ["turn left"] * len(episodes)

    for episode in play(Chatty(), tmp_path / "c.jsonl"):
        assert {step.error for step in episode.steps} == {"reply"}
