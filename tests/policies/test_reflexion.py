"""Reflexion on real engines: a note after a try that failed, another try that has read it, and its own stop."""

import asyncio
from functools import partial

import pytest

from agentrefine_lib.policies import LocalPolicy, Reflexion
from agentrefine_lib.policies.reflexion import ASK
from agentrefine_lib.rollout import Limits, roll_out
from agentrefine_lib.schema import Episode, Task, format_reply, read_jsonl

TASKS = [Task(engine="babyai", name="GoToRedBallGrey", seed=seed) for seed in (1, 2)]
NOTE = "That is no command here."


class Learner:
    """Says nonsense until it reads its own note, and then plays the expert's moves; ``learns`` False: never."""

    name, batch_size = "learner", None

    def __init__(self, learns: bool = True) -> None:
        self.learns = learns
        self.asked: list[int] = []

    async def act(self, episodes):
        self.asked.append(len(episodes))
        return [await self.answer(episode) for episode in episodes]

    async def answer(self, episode):
        if episode.steps and ASK in episode.steps[-1].observation:
            return format_reply(NOTE, "zzz")
        if self.learns and NOTE in episode.opening.rules:
            return format_reply(*await episode.engine.expert_action())
        return format_reply("Hm.", "zzz")


def played(policy, path, **limits):
    asyncio.run(roll_out(policy, TASKS, path, Limits(**limits)))
    return list(read_jsonl(path, Episode))


def test_what_was_noted_after_a_try_is_read_in_the_next(tmp_path):
    inside = Learner()
    episodes = played(Reflexion(inside, tries=2), tmp_path / "e.jsonl", steps=60)
    for episode in episodes:
        assert episode.success and episode.progress == 1.0
        assert [step.action for step in episode.steps[:4]].count("zzz") == 3  # the same answer three times: it is stuck
        assert all(ASK not in step.observation for step in episode.steps)
    assert inside.asked[:5] == [2] * 5  # both in one call: three steps, the notes, the first step of the second tries


def test_it_stops_by_itself_when_its_tries_are_used_up(tmp_path):
    episodes = played(Reflexion(Learner(learns=False), tries=2), tmp_path / "stuck.jsonl", steps=60)
    assert [(len(e.steps), e.success) for e in episodes] == [(6, False)] * 2
    short = Reflexion(Learner(learns=False), tries=3, try_steps=2)
    assert [len(e.steps) for e in played(short, tmp_path / "short.jsonl", steps=60)] == [6, 6]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_local_model_reflects_in_batches_and_repeats_itself(tiny, tmp_path):
    first, again = (
        played(
            Reflexion(LocalPolicy(tiny, "tiny", context=2048, reply_tokens=8), tries=2, try_steps=2),
            tmp_path / f"{name}.jsonl",
            steps=4,
        )
        for name in "ab"
    )
    by_id = partial(sorted, key=lambda episode: episode.id)  # they end in the same round, in any order
    assert by_id(first) == by_id(again)
    assert [len(episode.steps) for episode in first] == [4, 4]
