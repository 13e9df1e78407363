"""kill -9 and Ctrl-C: what is finished stays, no process does, and the next run ends as if undisturbed."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from agentrefine_lib.dataset import read_conversations, write_conversations
from agentrefine_lib.policies import RandomPolicy
from agentrefine_lib.schema import write_jsonl
from agentrefine_lib.teachers import EmbeddedTeacher
from agentrefine_lib.verify import check_trajectories


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def press_at(monkeypatch, owner, method, number):
    """Ctrl-C at the n-th call of a coroutine method."""
    original, calls = getattr(owner, method), []

    async def watched(self, *given):
        calls.append(1)
        if len(calls) == number:
            signal.raise_signal(signal.SIGINT)
        return await original(self, *given)

    monkeypatch.setattr(owner, method, watched)


@pytest.mark.parametrize(
    ("name", "owner", "method", "call"),
    [
        pytest.param(
            *("synthesis", EmbeddedTeacher, "write_script", 25),
            marks=pytest.mark.fault("synthesis", "SIGINT", "finished trajectories stay; goes on"),
        ),
        pytest.param(
            *("rollouts", RandomPolicy, "act", 25),
            marks=pytest.mark.fault("rollouts", "SIGINT", "finished episodes stay, engines end; goes on"),
        ),
    ],
)
def test_ctrl_c_keeps_what_is_finished(operations, undisturbed, tmp_path, monkeypatch, name, owner, method, call):
    whole = undisturbed(name)
    before = set(psutil.Process().children(recursive=True))
    press_at(monkeypatch, owner, method, call)
    with pytest.raises(KeyboardInterrupt):
        operations[name].run(tmp_path)
    assert set(psutil.Process().children(recursive=True)) <= before
    finished = (tmp_path / operations[name].file).read_bytes().splitlines()
    assert finished
    operations[name].run(tmp_path)
    assert operations[name].result(tmp_path) == whole
    assert set(finished) <= set((tmp_path / operations[name].file).read_bytes().splitlines())


@pytest.mark.fault("training", "SIGINT", "goes on from the last checkpoint to the same weights")
def test_ctrl_c_in_a_training(operations, undisturbed, tmp_path, at_step):
    at_step(9, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        operations["training"].run(tmp_path)
    operations["training"].run(tmp_path)
    assert operations["training"].result(tmp_path) == undisturbed("training")


WRITER = """
import os, signal, sys
from pathlib import Path
from agentrefine_lib.dataset import read_conversations, write_conversations
rows = list(read_conversations(sys.argv[1]))
def spoilt():
    yield from rows[:30]
    os.kill(os.getpid(), int(sys.argv[3]))
    yield from rows[30:]
write_conversations(sys.argv[2], spoilt())
"""


@pytest.mark.parametrize(
    "sign",
    [
        pytest.param(signal.SIGKILL, marks=pytest.mark.fault("dataset", "kill -9", "the old file stays whole")),
        pytest.param(signal.SIGINT, marks=pytest.mark.fault("dataset", "SIGINT", "the old file stays whole")),
    ],
)
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_file_is_the_old_one_or_the_new_one(conversations, tmp_path, sign, suffix):
    path = tmp_path / f"c.{suffix}"
    write_conversations(tmp_path / "all.jsonl", conversations)
    write_conversations(path, conversations[:2])
    words = [sys.executable, "-c", WRITER, str(tmp_path / "all.jsonl"), str(path), str(int(sign))]
    assert subprocess.run(words, capture_output=True, timeout=120, check=False).returncode == -sign
    assert list(read_conversations(path)) == conversations[:2]
    write_conversations(path, conversations)
    assert list(read_conversations(path)) == conversations
    assert {p.name for p in tmp_path.iterdir()} == {"all.jsonl", path.name}


PLAYER = """
import asyncio, sys, time
from pathlib import Path
from agentrefine_lib.environments import panel
from agentrefine_lib.policies import RandomPolicy
from agentrefine_lib.rollout import Limits, roll_out
class Slow(RandomPolicy):
    async def act(self, episodes):
        await asyncio.sleep(0.05)
        return await super().act(episodes)
tasks = panel({"babyai": {"GoToRedBallGrey": range(3), "Pickup": range(3)}})
asyncio.run(roll_out(Slow(), tasks, Path(sys.argv[1], "episodes.jsonl"), Limits(steps=8, in_flight=2)))
"""


@pytest.mark.fault("rollouts", "kill -9", "finished episodes stay, engines end by themselves; goes on")
def test_a_killed_rollout_leaves_no_engine_and_goes_on(operations, undisturbed, tmp_path):
    file = tmp_path / "episodes.jsonl"
    run = psutil.Popen([sys.executable, "-c", PLAYER, str(tmp_path)], stderr=subprocess.DEVNULL)
    wait_for(lambda: file.exists() and file.read_bytes().count(b"\n") >= 2)
    engines = run.children(recursive=True)
    run.kill()
    run.wait()
    _, alive = psutil.wait_procs(engines, timeout=20)
    assert engines and not alive
    finished = file.read_bytes().splitlines()[:2]
    assert file.read_bytes().count(b"\n") < 6
    operations["rollouts"].run(tmp_path)
    assert operations["rollouts"].result(tmp_path) == undisturbed("rollouts")
    assert file.read_bytes().splitlines()[:2] == finished


@pytest.fixture(scope="module")
def many(trajectories, tmp_path_factory):
    path = tmp_path_factory.mktemp("many") / "t.jsonl"
    write_jsonl(path, (t for _ in range(100) for t in trajectories))
    return path


@pytest.mark.fault("verification", "kill -9", "the file is named with a way out; nothing was written")
def test_a_verifying_process_that_the_system_ends_is_told(many):
    words = [sys.executable, "-m", "agentrefine_lib.verify", "--trajectories", str(many)]
    run = psutil.Popen(words, stdout=subprocess.PIPE, text=True)

    def workers():
        return [p for p in run.children() if "spawn_main" in " ".join(p.cmdline())]

    wait_for(lambda: workers() or run.poll() is not None)
    workers()[0].kill()
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 1
    assert said.endswith(
        f"\n{many}: the system killed a process, perhaps out of memory; run again with --processes 1\n"
    )
    assert all(verdict.finding is None for verdict in check_trajectories(many, processes=1))


@pytest.mark.fault("verification", "SIGINT", "ends at once with all its processes; nothing was written")
def test_ctrl_c_ends_a_verification_with_all_its_processes(many):
    words = [sys.executable, "-m", "agentrefine_lib.verify", "--trajectories", str(many)]
    run = psutil.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(lambda: sum(p.cpu_times().user for p in run.children()) > 1)  # at work, as a terminal would find them
    workers = run.children()
    os.killpg(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=30)
    assert run.returncode == 130
    assert said.endswith(
        f"\n{many}: interrupted; nothing was written\n"
    )  # before it, a process may say what it imported
    assert not psutil.wait_procs(workers, timeout=5)[1]
