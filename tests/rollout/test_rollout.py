"""Rollouts on the real engine in its own processes: whole, resumed, the same again, and with engines that fail."""

import asyncio
import functools
import gc
import json
import os
import re
import signal
import subprocess
import sys

import engines
import pytest
from pydantic import ValidationError

from agentrefine_lib.environments import make_environment, panel
from agentrefine_lib.environments.process import EngineFailure, EngineProcess, TimeLimits
from agentrefine_lib.policies import ExpertPolicy, RandomPolicy
from agentrefine_lib.rollout import Limits, UnplayedError, roll_out, roll_out_on_ray
from agentrefine_lib.rollout.cluster import play_batch
from agentrefine_lib.schema import Episode, Task, read_jsonl

TASKS = panel({"babyai": {"GoToRedBallGrey": range(4), "Pickup": range(4)}})
QUICK = TimeLimits(start=20, step=2)


def play(policy, path, tasks=TASKS, make=make_environment, **limits):
    done = asyncio.run(roll_out(policy, tasks, path, Limits(**({"steps": 12} | limits)), make))
    return sorted(read_jsonl(done, Episode), key=lambda e: e.id)


class BatchPolicy(RandomPolicy):
    """Plays at random, for as many episodes at a time as a model would; remembers its batches."""

    batch_size = 3

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


def test_a_run_cut_off_goes_on_to_the_same_episodes(tmp_path):
    whole = play(RandomPolicy(), tmp_path / "whole.jsonl")
    with pytest.raises(PowerError):
        play(DyingPolicy(), tmp_path / "cut.jsonl", in_flight=2)
    finished = len((tmp_path / "cut.jsonl").read_text().splitlines())
    assert 0 < finished < len(TASKS)
    resumed = play(RandomPolicy(), tmp_path / "cut.jsonl", in_flight=3)
    assert resumed == whole
    assert play(RandomPolicy(), tmp_path / "cut.jsonl") == resumed


def test_a_batch_that_was_cut_off_is_played_again_as_a_whole(tmp_path):
    """What a model is asked together decides how it rounds: a resumed run asks the same, and keeps what is on disk."""
    first, again = BatchPolicy(), BatchPolicy()
    whole = play(first, tmp_path / "e.jsonl")
    lines = (tmp_path / "e.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if Episode.model_validate_json(line).task not in (TASKS[1], TASKS[7])]
    (tmp_path / "e.jsonl").write_text("".join(kept))
    assert play(again, tmp_path / "e.jsonl") == whole
    assert (tmp_path / "e.jsonl").read_text().startswith("".join(kept))
    middle = {task.id for task in TASKS[3:6]}  # the second of three batches misses nothing
    assert again.batches == [batch for batch in first.batches if not middle & {name for name, _ in batch}]


def test_an_episode_that_is_on_disk_is_not_missed_where_it_fails_in_a_batch_that_is_played_again(tmp_path):
    whole = play(BatchPolicy(), tmp_path / "e.jsonl")
    lines = (tmp_path / "e.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if Episode.model_validate_json(line).task != TASKS[1]]
    (tmp_path / "e.jsonl").write_text("".join(kept))
    assert play(BatchPolicy(), tmp_path / "e.jsonl", make=functools.partial(engines.faulty, "raises", None)) == whole


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
    many = [Task(engine="embedded", name="places-ship", seed=seed) for seed in range(5_000)]
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
    with pytest.raises(UnplayedError, match=r"1 of 8 tasks .*babyai/GoToRedBallGrey/2: .*died during step .*tries: 2"):
        play(RandomPolicy(), tmp_path / "e.jsonl", make=make, tries=2)
    assert len((tmp_path / "e.jsonl").read_text().splitlines()) == len(TASKS) - 1
    assert len(play(RandomPolicy(), tmp_path / "e.jsonl")) == len(TASKS)


@pytest.mark.parametrize(
    ("steps_in", "told"), [({"hotpot": 8}, "no such 'hotpot'; expected one of alfworld, "), ({"pddl": 0}, "pddl")]
)
def test_steps_of_an_engine_are_some_and_of_an_engine_that_there_is(steps_in, told):
    with pytest.raises(ValidationError, match=f"(?s)steps_in.*{told}"):
        Limits(steps_in=steps_in)
    assert Limits(steps_in={"hotpotqa": 8}).steps_in == {"hotpotqa": 8}


def test_an_unknown_task_is_named_with_its_own_message_and_the_others_are_played(tmp_path):
    tasks = [Task(engine="babyai", name="GoToMars"), Task(engine="chess", name="any"), *TASKS[:2]]
    with pytest.raises(
        UnplayedError, match=r"2 of 4 .*babyai/GoToMars/0: .*unknown BabyAI level 'GoToMars'.*chess"
    ) as e:
        play(RandomPolicy(), tmp_path / "e.jsonl", tasks=tasks)
    assert set(e.value.reasons) == {"babyai/GoToMars/0", "chess/any/0"}
    assert len((tmp_path / "e.jsonl").read_text().splitlines()) == 2


POLICIES = {"step": BatchPolicy, "valid_actions": BatchPolicy, "expert": ExpertPolicy, "reset": RandomPolicy}


@pytest.mark.parametrize("method", POLICIES)
@pytest.mark.parametrize("how", engines.RAISES)
def test_whatever_an_engine_raises_wherever_costs_tries_of_its_own_task_only(tmp_path, method, how):
    make, path = functools.partial(engines.broken, method, how, None), tmp_path / "e.jsonl"
    with pytest.raises(UnplayedError, match=rf"1 of 4 .*{engines.CHOSEN}: the engine failed in .*{how}.*tries: 2"):
        play(POLICIES[method](), path, tasks=TASKS[:4], make=make, tries=2, steps=4)
    assert [e.retries for e in read_jsonl(path, Episode)] == [0, 0, 0]


@pytest.mark.parametrize("how", engines.BAD)
def test_a_result_that_no_episode_can_hold_is_its_engines_fault(tmp_path, how):
    once = functools.partial(engines.broken, "step", how, tmp_path / "once")
    episodes = play(BatchPolicy(), tmp_path / "once.jsonl", tasks=TASKS[:4], make=once, steps=4)
    assert [e.retries for e in episodes] == [0, 0, 1, 0]
    always = functools.partial(engines.broken, "step", how, None)
    with pytest.raises(
        UnplayedError, match=re.escape(f"{engines.CHOSEN}: the engine failed in step: a bad answer, ")
    ) as e:
        play(BatchPolicy(), tmp_path / "e.jsonl", tasks=TASKS[:4], make=always, steps=4)
    assert how in str(e.value) and len((tmp_path / "e.jsonl").read_text().splitlines()) == 3


def test_an_episode_that_no_reader_would_take_is_named_and_the_others_can_be_read_again(tmp_path):
    make = functools.partial(engines.broken, "step", "endless", None)
    with pytest.raises(UnplayedError, match=rf"1 of 4 .*{engines.CHOSEN}: .*found a record of \d+ bytes, expected"):
        play(RandomPolicy(), tmp_path / "e.jsonl", tasks=TASKS[:4], make=make, steps=5)
    assert len(play(RandomPolicy(), tmp_path / "e.jsonl", tasks=TASKS[:4], steps=5)) == 4


@pytest.mark.parametrize("policy", [RandomPolicy, BatchPolicy])
def test_a_task_that_is_listed_twice_is_played_once_and_named(tmp_path, policy, caplog):
    assert len(play(policy(), tmp_path / "e.jsonl", tasks=[*TASKS[:3], *TASKS[:2]], in_flight=10, steps=2)) == 3
    assert f"played once: {TASKS[0].id}, {TASKS[1].id}" in caplog.text


def test_half_a_surrogate_pair_in_a_reply_does_not_stop_the_run(tmp_path):
    class Torn(RandomPolicy):
        async def act(self, episodes):
            return ["Thought: \ud83d\nAction: turn left"] * len(episodes)

    assert play(Torn(), tmp_path / "e.jsonl", tasks=TASKS[:1], steps=1)[0].steps[0].thought == "?"


@pytest.mark.parametrize("replies", [["Action: turn left"], [None, None]])
def test_a_policy_that_gives_no_text_for_an_episode_is_named(tmp_path, replies):
    class Short(RandomPolicy):
        batch_size = 2

        async def act(self, episodes):
            return replies

    with pytest.raises(TypeError, match=r"policy random: act returned \[.*\], expected 2 texts, one for each episode"):
        play(Short(), tmp_path / "e.jsonl", tasks=TASKS[:2], steps=1)


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


def test_an_engine_sees_no_gpu_and_ours_stays_visible(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")

    async def told():
        with EngineProcess(engines.seeing) as engine:
            return json.loads((await engine.start(Task(engine="babyai", name="GoToDoor", seed=0))).observation)

    assert asyncio.run(told()) == [{"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}] * 3
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"


def test_an_engine_that_is_killed_while_it_is_asked_leaves_the_next_one_heard():
    """The next pipe may get the number of the one that was closed, which the loop still listened to."""

    async def use():
        first = EngineProcess(make_environment, QUICK)
        waiting = asyncio.create_task(first.start(TASKS[0]))
        await asyncio.sleep(0)
        first.kill()
        with pytest.raises(EngineFailure):
            await waiting
        with EngineProcess(make_environment, QUICK) as second:
            return await second.start(TASKS[0])

    assert asyncio.run(use()).observation


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
    with pytest.raises(UnplayedError, match=r"1 of 6 .*babyai/GoToMars/0: .*unknown BabyAI level"):
        roll_out_on_ray(RandomPolicy, [Task(engine="babyai", name="GoToMars"), *TASKS[:5]], there, limits, batch=3)
    assert len(list(read_jsonl(there, Episode))) == 5

    class Dying(RandomPolicy):  # of this function: the cluster does not know this module
        async def act(self, episodes):
            return 1 / 0 if episodes[0].task == TASKS[7] else await super().act(episodes)

    with pytest.raises(RuntimeError, match=r"(?s)what was made is kept.*ZeroDivisionError"):
        roll_out_on_ray(Dying, TASKS, there, Limits(steps=12, in_flight=1), batch=8)
    assert len(list(read_jsonl(there, Episode))) == 7
    roll_out_on_ray(RandomPolicy, TASKS, there, limits, batch=2)  # then goes on
    assert sorted(read_jsonl(there, Episode), key=lambda e: e.id) == here


def test_a_batch_that_is_stopped_brings_home_what_it_has_played():
    limits = Limits(steps=12, in_flight=2)
    lines, reasons, stopped = play_batch(DyingPolicy, limits, make_environment, TASKS)
    assert 0 < len(lines) < len(TASKS) and reasons == {} and "PowerError: the machine goes down" in stopped
    make = functools.partial(engines.faulty, "dies", None)
    lines, reasons, stopped = play_batch(RandomPolicy, limits, make, [*TASKS[:3], *TASKS[:3]])
    assert (len(lines), list(reasons), stopped) == (2, [engines.CHOSEN], "")
    assert play_batch(lambda: 1 / 0, limits, make, TASKS)[:2] == ([], {})
