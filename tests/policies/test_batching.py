"""Continuous batching by transformers says what the model alone says; on a processor here, where it is slow."""

import asyncio

import pytest
from test_local import LEVELS, alone, sure  # noqa: F401

from agentrefine_lib.policies import LocalPolicy, Sampling, generation
from agentrefine_lib.policies.batching import Batching
from agentrefine_lib.tuning.export import load_merged


@pytest.fixture
def policy(sure, monkeypatch):  # noqa: F811
    def load(model, tokenizer, *, context, device, dtype):
        return Batching(load_merged(model, dtype=dtype).eval(), tokenizer, context, num_blocks=16, max_batch_tokens=512)

    monkeypatch.setattr("agentrefine_lib.policies.local.load_generator", load)
    return LocalPolicy(sure, "sure", context=1024, reply_tokens=6, dtype="float32")


def test_a_running_batch_says_what_each_episode_alone_would(policy, sure, start, advance):  # noqa: F811
    episodes = [start(level) for level in LEVELS]
    for _ in range(2):
        replies = asyncio.run(policy.act(episodes))
        assert replies == [alone(sure, episode, 6, policy.tokenizer) for episode in episodes]
        for episode, reply in zip(episodes, replies, strict=True):
            advance(episode, reply)
        episodes = episodes[1:][::-1]
    assert policy.batch_size is None and generation.TOGETHER == 48


def test_what_is_sampled_is_that_of_the_seed(policy, start):
    def sample(seed):
        return asyncio.run(policy.again("s", sampling=Sampling(1.0, seed=seed)).act([start(level) for level in LEVELS]))

    first = sample(0)
    assert sample(0) == first != sample(1)
