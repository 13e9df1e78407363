"""Policies: the same text alone or in a batch, with or without a cache, whatever the history's length."""

import pytest
import torch

from agentrefine_lib.environments import make_environment
from agentrefine_lib.policies import ExpertPolicy, LiveEpisode, LocalPolicy, RandomPolicy
from agentrefine_lib.schema import Step, Task

LEVELS = ("GoToRedBallGrey", "Pickup", "GoToDoor")


def start(level: str, seed: int) -> LiveEpisode:
    task = Task(engine="babyai", name=level, seed=seed)
    environment = make_environment(task)
    return LiveEpisode(task, environment, environment.reset(task))


def advance(episode: LiveEpisode, reply: str) -> None:
    observation = f"Nothing happens, {len(episode.steps)} times. " + "You wait. " * (3 * len(episode.steps) % 7)
    step = Step(reply=reply, thought="", action="", observation=observation, progress=0.0)
    episode.steps.append(step)


def alone_without_cache(policy: LocalPolicy, episode: LiveEpisode) -> str:
    ids = policy.tokenizer.apply_chat_template(
        episode.chat(), add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    out = policy.model.generate(
        **ids, do_sample=False, max_new_tokens=policy.reply_tokens, pad_token_id=policy.tokenizer.pad_token_id
    )
    return policy.tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)


def test_a_batch_with_caches_says_what_each_episode_alone_would(nano):
    policy = LocalPolicy(nano, "nano", context=4096, reply_tokens=12, batch=2)
    torch.manual_seed(0)
    for parameter in policy.model.parameters():  # sharper than at birth, so that argmax is not decided by rounding
        parameter.data.mul_(3.0)
    episodes = [start(level, seed) for level in LEVELS for seed in (0, 1)]
    for turn in range(4):
        replies = policy.act(episodes)
        assert replies == [alone_without_cache(policy, episode) for episode in episodes]
        for episode, reply in zip(episodes, replies, strict=True):
            advance(episode, reply)
        if turn == 1:
            episodes = [episodes[4], episodes[1], start("Open", 3), episodes[2]]  # some end, one joins, order changes
    assert policy.exchanges_dropped == 0


def test_a_long_history_is_cut_but_goal_and_first_observation_stay(nano):
    policy = LocalPolicy(nano, "nano", context=900, reply_tokens=8)
    episode = start("GoToRedBallGrey", 0)
    for _ in range(20):
        (reply,) = policy.act([episode])
        advance(episode, reply)
    session = policy._sessions[episode.task.id]
    assert policy.exchanges_dropped > 0
    assert len(session.ids) <= 900
    text = policy.tokenizer.decode(session.ids)
    assert f"Goal: {episode.environment.goal}" in text
    assert episode.observation[:40] in text


def test_random_plays_valid_actions_and_repeats_itself():
    episode = start("PickupLoc", 5)
    first, again = RandomPolicy(seed=1).act([episode]), RandomPolicy(seed=1).act([episode])
    assert first == again
    assert first[0].split("Action: ")[1] in episode.environment.valid_actions()


@pytest.mark.parametrize("level", LEVELS)
def test_expert_reaches_the_goal(level):
    episode, expert = start(level, 7), ExpertPolicy()
    for _ in range(30):
        (reply,) = expert.act([episode])
        result = episode.environment.step(reply.split("Action: ")[1])
        advance(episode, reply)
        if result.done:
            break
    assert result.success


def test_a_context_too_small_for_the_task_is_refused(nano):
    with pytest.raises(ValueError, match="raise context"):
        LocalPolicy(nano, "nano", context=100, reply_tokens=8).act([start("GoToDoor", 0)])
