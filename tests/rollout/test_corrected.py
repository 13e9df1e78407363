"""On-policy errors: a model errs in the worlds of a training set, and the expert goes on from there."""

import asyncio
import random
from collections import Counter

import pytest

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.rollout import roll_out_corrected
from agentrefine_lib.schema import PlayerTurn, Trajectory, format_reply, read_jsonl
from agentrefine_lib.verify import check_trajectory, count_refinements


class Stumbling:
    """A model that says all sorts of things: nonsense, a list's request, what is possible, half a command, nothing."""

    name, batch_size = "stumbling", 8

    async def act(self, episodes):
        return [await self._say(episode) for episode in episodes]

    async def _say(self, episode):
        rng = random.Random(f"{episode.task.id} {len(episode.steps)}")
        possible = await episode.engine.valid_actions()
        said = rng.choice(["dance", "Check this", rng.choice(possible), rng.choice(possible).title() + ".", "open", ""])
        return format_reply("I know.", said) if rng.random() < 0.8 else f"  {said}   {said} " + "go to " * 40


@pytest.fixture(scope="module")
def corrected(trajectories, tmp_path_factory):
    folder = tmp_path_factory.mktemp("learner")
    return list(read_jsonl(asyncio.run(roll_out_corrected(Stumbling(), trajectories, folder)), Trajectory))


def test_the_worlds_are_those_of_the_set_and_the_errors_the_models(corrected, trajectories):
    assert [(t.id, t.script) for t in corrected] == [(t.id, t.script) for t in trajectories]
    played = [t for t in corrected if t.teacher == "learner"]
    assert len(played) > 0.6 * len(trajectories)
    errors = Counter[str]()
    for trajectory in played:
        assert (
            check_trajectory(trajectory.model_dump(by_alias=True)) is None and count_refinements(trajectory.turns) > 1
        )
        errors.update(asked.action for asked, answer in exchanges(trajectory) if answer.is_error)
    assert {"dance", "open"} <= set(errors)
    flags = Counter(flag for t in played for _, answer in exchanges(t) for flag in answer.flags)
    assert flags["parameter_error"] == flags.total()  # nothing else is wrong with such commands


def test_refused_turns_are_masked_and_the_next_trained_reply_is_another_action(corrected):
    longest = 0
    for trajectory in corrected:
        replies = [m for m in to_conversation(trajectory).conversations if m.sender == "gpt"]
        refused: list[str] = []
        for (asked, answer), message in zip(exchanges(trajectory), replies, strict=True):
            assert message.loss == (not answer.is_error)
            if answer.is_error:
                refused.append(asked.action)
                longest = max(longest, len(refused))
            else:
                assert asked.action not in refused and asked.thought != "I know."
                refused = []
    assert 2 < longest <= 7


def exchanges(trajectory):
    assert isinstance(trajectory.turns[1], PlayerTurn)
    return list(zip(trajectory.turns[1::2], trajectory.turns[2::2], strict=True))


def test_a_world_of_another_teacher_is_refused(three_turns, tmp_path):
    with pytest.raises(ValueError, match="hand: its world is not the embedded teacher's"):
        asyncio.run(roll_out_corrected(Stumbling(), [three_turns], tmp_path))
