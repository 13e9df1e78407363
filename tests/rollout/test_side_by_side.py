"""Policies dealt out to processes: one file each, the same episodes as alone, engines kept between policies."""

import asyncio
from functools import partial

import pytest

from agentrefine_lib.environments import panel
from agentrefine_lib.policies import ExpertPolicy, RandomPolicy
from agentrefine_lib.rollout import Limits, roll_out, roll_out_all
from agentrefine_lib.rollout.engines import EnginePool
from agentrefine_lib.schema import Episode, read_jsonl

TASKS = panel({"babyai": {"GoToDoor": [1, 2]}, "embedded": {"places": [0]}})
POLICIES = {"random": partial(RandomPolicy, 3), "expert": ExpertPolicy, "other": partial(RandomPolicy, 4, "other")}


def episodes(path):
    return sorted(read_jsonl(path, Episode), key=lambda episode: episode.id)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_each_policy_plays_as_if_alone(processes, tmp_path):
    limits = Limits(steps=6)
    paths = asyncio.run(roll_out_all(POLICIES, TASKS, tmp_path, limits, processes=processes))
    assert [path.name for path in paths] == ["random.jsonl", "expert.jsonl", "other.jsonl"]
    for path, policy in zip(paths, POLICIES.values(), strict=True):
        alone = asyncio.run(roll_out(policy(), TASKS, tmp_path / "alone" / path.name, limits))
        assert episodes(path) == episodes(alone)


def test_engines_that_are_lent_stay_alive(tmp_path):
    limits = Limits(steps=2, in_flight=1)
    from agentrefine_lib.environments import make_environment

    with EnginePool(make_environment, limits.time) as engines:
        pids = []
        for seed in (0, 1):
            asyncio.run(roll_out(RandomPolicy(seed), TASKS[2:], tmp_path / f"{seed}.jsonl", limits, engines=engines))
            with engines.lend("embedded") as process:
                pids.append(process.pid)
    assert pids[0] == pids[1]
