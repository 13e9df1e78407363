"""Rollouts on the real engine in its own processes: whole, resumed, the same again, and with engines that fail."""

import asyncio
import functools
import gc
import os
import signal
import subprocess
import sys
import threading
import time

import engines
import pytest

from agentrefine_lib.environments import make_environment, panel
from agentrefine_lib.environments.process import EngineFailure, EngineProcess, TimeLimits
from agentrefine_lib.policies import ExpertPolicy, RandomPolicy
from agentrefine_lib.rollout import Limits, UnplayedError, roll_out, roll_out_on_ray
from agentrefine_lib.schema import Episode, Task, read_jsonl

TASKS = panel({"babyai": {"GoToRedBallGrey": range(4), "Pickup": range(4)}})
QUICK = TimeLimits(start=20, step=2)


def play(policy, path, tasks=TASKS, make=make_environment, **limits):
    done = asyncio.run(roll_out(policy, tasks, path, Limits(**({"steps": 12} | limits)), make))
    return sorted(read_jsonl(done, Episode), key=lambda e: e.id)


class BatchPolicy(RandomPolicy):
    """Plays at random, for as many episodes at a time as a model would; remembers its batches."""

    crew = 3

    def __init__(self, seed=0):
        super().__init__(seed)
        self.batches = []

    async def act(self, episodes):
        self.batches.append([(e.task.id, len(e.steps)) for e in episodes])
        return await super().act(episodes)


def test_expert_wins_and_episodes_say_so(tmp_path):
    episodes = play(ExpertPolicy(), tmp_path / "e.jsonl", in_flight=3)
    assert {e.task.id for e in episodes} == {t.id for t in TASKS}
    assert all(e.success and e.progress == 1.0 and len(e.steps) <= 12 for e in episodes)
    assert all("minigrid" in e.engine_version and e.retries == e.dropped == 0 for e in episodes)


def test_batches_do_not_depend_on_how_fast_engines_are_and_hold_all_that_is_live(tmp_path):
    first, second = BatchPolicy(), BatchPolicy()
    one = play(first, tmp_path / "1.jsonl", in_flight=6)
    assert one == play(second, tmp_path / "2.jsonl", in_flight=6, make=engines.uneven)
    assert one == play(RandomPolicy(), tmp_path / "alone.jsonl", in_flight=2)
    assert sorted(first.batches) == sorted(second.batches)
    assert max(map(len, first.batches)) == 3 and len(first.batches) < sum(len(e.steps) for e in one) / 2


class PowerError(Exception):
    """The machine goes down."""


class DyingPolicy(RandomPolicy):
    """Plays at random until it has been asked often enough."""

    calls = 0

    async def act(self, episodes):
        self.calls += 1
        if self.calls > 40:
            raise PowerError("the machine goes down")
        return await super().act(episodes)


@pytest.mark.parametrize("crew", [1, 4])
def test_a_run_cut_off_goes_on_to_the_same_episodes(tmp_path, crew):
    whole = play(RandomPolicy(), tmp_path / "whole.jsonl")
    dying = DyingPolicy()
    dying.crew = crew
    with pytest.raises(PowerError):
        play(dying, tmp_path / "cut.jsonl", in_flight=2)
    finished = len((tmp_path / "cut.jsonl").read_text().splitlines())
    assert 0 < finished < len(TASKS)
    resumed = play(RandomPolicy(), tmp_path / "cut.jsonl", in_flight=3)
    assert resumed == whole
    assert play(RandomPolicy(), tmp_path / "cut.jsonl") == resumed


def test_a_reply_without_an_action_is_counted(tmp_path):
    class Chatty(RandomPolicy):
        async def act(self, episodes):
            return ["turn left"] * len(episodes)

    for episode in play(Chatty(), tmp_path / "c.jsonl"):
        assert {(step.error, step.well_formed) for step in episode.steps} == {(None, False)}  # accepted all the same


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("dies", marks=pytest.mark.fault("rollouts", "engine crash", "costs one try of one episode")),
        pytest.param("hangs", marks=pytest.mark.fault("rollouts", "engine hang", "costs one try of one episode")),
        "raises",
    ],
)
@pytest.mark.parametrize("policy", [RandomPolicy, BatchPolicy])
def test_an_engine_that_fails_once_costs_one_try_and_nothing_else(tmp_path, how, policy):
    whole = play(RandomPolicy(), tmp_path / "whole.jsonl")
    make = functools.partial(engines.faulty, how, tmp_path / "failed-once")
    episodes = play(policy(), tmp_path / "e.jsonl", make=make, in_flight=4, time=QUICK)
    assert [e.retries for e in episodes] == [int(e.task == TASKS[2]) for e in episodes]
    assert [e.model_copy(update={"retries": 0}) for e in episodes] == whole


async def is_cancelled(policy, tasks, path, after: float) -> bool:
    """Whether a run ends when it is cancelled so many seconds after its start."""
    run = asyncio.create_task(roll_out(policy, tasks, path, Limits(in_flight=4)))
    await asyncio.sleep(after)
    run.cancel()
    await asyncio.wait({run}, timeout=3)
    return run.done() and run.cancelled()


def test_a_cancelled_run_ends_at_once_whatever_it_is_waiting_for(tmp_path):
    """asyncio.wait_for loses a cancellation that meets an answer (Python 3.11): the run went on to its end."""
    many = [Task(engine="embedded", name="plain-ship", seed=seed) for seed in range(5_000)]
    for number in range(4):
        assert asyncio.run(is_cancelled(RandomPolicy(), many, tmp_path / f"{number}.jsonl", 1.5 + 0.01 * number))


def test_a_run_that_is_cancelled_while_the_policy_answers_leaves_nothing_that_nobody_waits_for(tmp_path):
    """asyncio tells of an exception that nobody has asked for only when its future is thrown away."""
    said: list[str] = []
    many = panel({"babyai": {"GoToRedBallGrey": range(2_000)}})

    async def listen(number: int) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context["message"]))
        assert await is_cancelled(ExpertPolicy(), many, tmp_path / f"{number}.jsonl", 1.0 + 0.05 * number)
        gc.collect()

    for number in range(3):
        asyncio.run(listen(number))
    assert said == []


def test_a_task_that_never_plays_is_named_and_the_others_are_kept(tmp_path):
    make = functools.partial(engines.faulty, "dies", None)
    with pytest.raises(
        UnplayedError, match=r"1 of 8 tasks .* in 2 tries.*babyai/GoToRedBallGrey/2: .*died during step"
    ):
        play(RandomPolicy(), tmp_path / "e.jsonl", make=make, tries=2)
    assert len((tmp_path / "e.jsonl").read_text().splitlines()) == len(TASKS) - 1
    assert len(play(RandomPolicy(), tmp_path / "e.jsonl")) == len(TASKS)


def test_an_unknown_task_ends_the_run_with_its_own_message(tmp_path):
    with pytest.raises(ValueError, match="unknown BabyAI level 'GoToMars'"):
        play(RandomPolicy(), tmp_path / "e.jsonl", tasks=[Task(engine="babyai", name="GoToMars")])


def test_an_engine_killed_from_outside_in_the_middle(tmp_path):
    pids = []

    class Watching(RandomPolicy):
        async def act(self, episodes):
            pids.extend(e.engine.pid for e in episodes if len(e.steps) == 4)
            if len(pids) == 1:
                os.kill(pids[0], signal.SIGKILL)
                pids.append(0)
            return await super().act(episodes)

    whole = play(RandomPolicy(), tmp_path / "whole.jsonl")
    episodes = play(Watching(), tmp_path / "e.jsonl", in_flight=4)
    assert sum(e.retries for e in episodes) == 1
    assert [e.model_copy(update={"retries": 0}) for e in episodes] == whole


def test_engines_step_while_the_model_thinks(tmp_path):
    """Two crews: while one's engines are slow, the policy answers the other."""
    thinking, overlaps = threading.Event(), []

    class Thinker(BatchPolicy):
        async def act(self, episodes):
            overlaps.append(thinking.is_set())
            thinking.set()
            await asyncio.sleep(0.05)
            thinking.clear()
            return await super().act(episodes)

    began = time.perf_counter()
    play(Thinker(), tmp_path / "e.jsonl", tasks=TASKS[:6], steps=6, in_flight=6, make=engines.slow)
    took = time.perf_counter() - began
    assert took < 2 * 6 * (0.05 + engines.SLOW)  # one after the other: six rounds of two crews


def test_a_closed_engine_leaves_no_process():
    async def use():
        engine = EngineProcess(make_environment, QUICK)
        await engine.start(TASKS[0])
        engine.close()
        with pytest.raises(EngineFailure):
            await engine.step("turn left")
        return engine.pid

    pid = asyncio.run(use())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


SCRIPT = """
import asyncio, sys
from pathlib import Path
from agentrefine_lib.environments import panel
from agentrefine_lib.policies import RandomPolicy
from agentrefine_lib.rollout import Limits, roll_out
print("the script runs")
tasks = panel({"babyai": {"Pickup": range(3)}})
asyncio.run(roll_out(RandomPolicy(), tasks, Path(sys.argv[1]), Limits(steps=3)))
"""


def test_a_callers_script_needs_no_guard_and_runs_once(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "script.py", str(tmp_path / "e.jsonl")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "the script runs\n"), done.stderr
    assert len((tmp_path / "e.jsonl").read_text().splitlines()) == 3


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_ray_cluster_of_two_nodes_plays_the_same_episodes(two_nodes, tmp_path):
    limits, there = Limits(steps=12), tmp_path / "there.jsonl"
    here = play(RandomPolicy(), tmp_path / "here.jsonl")
    roll_out_on_ray(RandomPolicy, TASKS[:5], there, limits, batch=2)  # then goes on
    roll_out_on_ray(RandomPolicy, TASKS, there, limits, batch=2)
    assert sorted(read_jsonl(there, Episode), key=lambda e: e.id) == here
