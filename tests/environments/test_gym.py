"""The engines by way of Gymnasium, checked by its own checker, and that a return is the progress."""

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

from agentrefine_lib.environments import engines, gym, make_environment
from agentrefine_lib.schema import Task


@pytest.mark.parametrize("name", ["babyai", "pddl-gripper", "hotpotqa"])
def test_gymnasiums_own_checker_takes_them(name, recwarn):
    check_env(gymnasium.make(f"agentrefine/{name}-v0", render_mode="ansi").unwrapped)
    assert [str(warning.message) for warning in recwarn] == []


def test_an_episode_is_told_and_rewarded_as_everywhere_else():
    gymnasium.register_envs(gym)
    env = gymnasium.make("agentrefine/pddl-v0", panel={"gripper": [0, 1]})
    task = Task(engine="pddl", name="gripper", seed=1)
    other = make_environment(task)
    observation, info = env.reset(options={"task": task.id})
    assert (observation, info["goal"], info["valid_actions"]) == (other.reset(task), other.goal, other.valid_actions())
    _, reward, *_, info = env.step("dance")
    assert (reward, info["error"], info["success"]) == (0.0, "format", False)
    earned = 0.0
    for _, action in other.expert():
        result = other.step(action)
        observation, reward, ended, cut, info = env.step(action)
        earned += reward
        assert (observation, ended) == (result.observation, result.done)
        assert earned == pytest.approx(info["progress"])
    assert ended and not cut and info["success"] and earned == pytest.approx(1.0)
    assert env.spec.max_episode_steps == engines()["pddl"].steps
    env.close()


def test_several_play_at_once():
    both = gymnasium.make_vec("agentrefine/babyai-GoToDoor-v0", num_envs=2, vectorization_mode="sync")
    first, _ = both.reset(seed=3)
    assert all("door" in text for text in first)
    _, rewards, *_ = both.step(("turn left", "turn right"))
    assert len(rewards) == 2
    both.close()
