"""Policies one after the other: one file each, the same episodes as alone, engines kept between policies."""

import asyncio
from functools import partial

import engines
import pandas as pd
import pytest

from agentrefine_lib.agent import Prompting
from agentrefine_lib.environments import make_environment, panel
from agentrefine_lib.policies import Decoding, ExpertPolicy, Models, RandomPolicy, Served
from agentrefine_lib.rollout import Limits, UnplayedError, roll_out, roll_out_all
from agentrefine_lib.rollout.engines import EnginePool
from agentrefine_lib.schema import Episode, read_jsonl

TASKS = panel({"babyai": {"GoToDoor": [1, 2]}, "embedded": {"places": [0]}})
POLICIES = {"random": partial(RandomPolicy, 3), "expert": ExpertPolicy, "other": partial(RandomPolicy, 4, "other")}


def episodes(path):
    return sorted(read_jsonl(path, Episode), key=lambda episode: episode.id)


def test_each_policy_plays_as_if_alone(tmp_path):
    limits = Limits(steps=6)
    paths = asyncio.run(roll_out_all(POLICIES, TASKS, tmp_path, limits))
    assert [path.name for path in paths] == ["random.jsonl", "expert.jsonl", "other.jsonl"]
    for path, policy in zip(paths, POLICIES.values(), strict=True):
        alone = asyncio.run(roll_out(policy(), TASKS, tmp_path / "alone" / path.name, limits))
        assert episodes(path) == episodes(alone)
    nobody = dict.fromkeys(POLICIES, partial(pytest.fail, "made, though nothing is left to play"))
    assert asyncio.run(roll_out_all(nobody, TASKS, tmp_path, limits)) == paths


def test_engines_that_are_lent_stay_alive(tmp_path):
    limits = Limits(steps=2, in_flight=1)
    with EnginePool(make_environment, limits.time) as engines:
        pids = []
        for seed in (0, 1):
            asyncio.run(roll_out(RandomPolicy(seed), TASKS[2:], tmp_path / f"{seed}.jsonl", limits, engines=engines))
            with engines.lend("embedded") as process:
                pids.append(process.pid)
    assert pids[0] == pids[1]


def test_a_task_that_cannot_be_played_stops_no_policy_and_is_named_by_each(tmp_path):
    tasks, limits = panel({"babyai": {"GoToRedBallGrey": [1, 2, 3], "GoToMars": [0]}}), Limits(steps=6, tries=1)
    make = partial(engines.broken, "step", "ValueError", None)
    for _ in range(2):  # a resumed run goes past it, too
        with pytest.raises(UnplayedError) as error:
            asyncio.run(roll_out_all(POLICIES, tasks, tmp_path, limits, make))
        assert {line.partition(": ")[0] for line in str(error.value).split("\n")} == set(POLICIES)
        assert str(error.value).count(f"{engines.CHOSEN}: the engine failed in step: ValueError") == 3
        assert str(error.value).count("unknown BabyAI level 'GoToMars'") == 3
        assert [len(episodes(tmp_path / f"{name}.jsonl")) for name in POLICIES] == [2, 2, 2]


def test_a_task_that_cannot_be_played_stops_no_served_policy(tmp_path):
    tasks, served = panel({"babyai": {"GoToRedBallGrey": [1, 2]}}), {"a": "model-a", "b": "model-b"}
    make, limits = partial(engines.broken, "step", "ValueError", None), Limits(steps=6, tries=1)
    endpoint = Served(base_url="http://127.0.0.1:9/v1", policies=served)
    models = Models(tmp_path, pd.DataFrame({"policy": []}), Prompting(), Decoding(), endpoint)
    wrap = lambda policy: RandomPolicy(name=policy.name)  # noqa: E731  (asks no endpoint)
    with pytest.raises(UnplayedError, match=rf"(?s)a: 1 of 2 .*{engines.CHOSEN}.*\nb: 1 of 2 .*{engines.CHOSEN}"):
        asyncio.run(roll_out_all(models.policies(wrap=wrap), tasks, tmp_path, limits, make))
    assert [len(episodes(tmp_path / f"{name}.jsonl")) for name in served] == [1, 1]
