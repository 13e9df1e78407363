"""The floor and the ceiling, on a real engine in its own process."""

import asyncio

import pytest

from agentrefine_lib.environments import make_environment
from agentrefine_lib.environments.process import EngineProcess
from agentrefine_lib.policies import AfterMistake, ExpertPolicy, LiveEpisode, RandomPolicy
from agentrefine_lib.schema import Step, Task, parse_reply


async def play(policy, task, steps):
    """The replies, and whether the last one won."""
    with EngineProcess(make_environment) as engine:
        episode, replies = LiveEpisode(task, engine, await engine.start(task)), []
        while len(replies) < steps:
            replies += await policy.act([episode])
            result = await engine.step(parse_reply(replies[-1]).action)
            assert result.error is None
            episode.steps.append(Step(reply="", thought="", action="", observation="", progress=0))
            if result.done:
                break
        return replies, result.success


@pytest.mark.parametrize("level", ["GoToRedBallGrey", "PickupLoc", "GoToDoor"])
def test_the_expert_reaches_the_goal(level):
    assert asyncio.run(play(ExpertPolicy(), Task(engine="babyai", name=level, seed=7), 30))[1]


def test_random_plays_valid_actions_and_repeats_itself():
    task = Task(engine="babyai", name="GoToImpUnlock", seed=5)
    first, again, other = (asyncio.run(play(RandomPolicy(seed), task, 8))[0] for seed in (1, 1, 2))
    assert first == again != other


def test_with_nothing_to_do_both_say_so(start):
    class Idle:
        async def valid_actions(self):
            return []

        async def expert_action(self):
            return None

    episode = start("GoToDoor")
    episode.engine = Idle()
    for policy in (RandomPolicy(), ExpertPolicy()):
        (reply,) = asyncio.run(policy.act([episode]))
        assert parse_reply(reply).action == "wait"


def test_after_a_mistake_the_other_policy_goes_on(start, advance):
    class Counting:
        name, batch_size = "counting", 7

        async def act(self, episodes):
            assert episodes, "a policy is not asked about nothing"
            return [f"reply {len(e.steps)}" for e in episodes]

    policy = AfterMistake(Counting(), {"babyai/GoToDoor/0": "wrong", "babyai/GoToDoor/1": "wrong, too"})
    assert (policy.name, policy.batch_size) == ("counting", 7)
    early, late = start("GoToDoor", 0), start("GoToDoor", 1)
    assert asyncio.run(policy.act([early, late])) == ["wrong", "wrong, too"]
    advance(late, "wrong, too")
    assert asyncio.run(policy.act([early, late])) == ["wrong", "reply 1"]
