"""ScienceWorld: the same episode whatever was played before, the engine's grammar, an expert, no JVM left over."""

import gc
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("scienceworld")

from agentrefine_lib.environments.protocol import Environment
from agentrefine_lib.environments.scienceworld import actions, expert, jvm
from agentrefine_lib.environments.scienceworld.environment import _SOLUTIONS, ScienceWorld
from agentrefine_lib.environments.signature import parse_command
from agentrefine_lib.environments.words import load_words
from agentrefine_lib.schema import Task

LABELS = Path(__file__).resolve().parents[3] / "shared" / "benchmarks" / "scienceworld.jsonl"
STEP_LIMIT = 30
PANEL = {  # task → variations that the expert solves in 30 steps; the other six tasks take it 73 to 300
    "boil": [7],
    "change-the-state-of-matter-of": [6],
    "chemistry-mix": [6],
    "chemistry-mix-paint-secondary-color": [5],
    "chemistry-mix-paint-tertiary-color": [6],
    "find-animal": [5],
    "find-living-thing": [6],
    "find-non-living-thing": [5],
    "find-plant": [225],
    "freeze": [6],
    "grow-plant": [96],
    "identify-life-stages-1": [7],
    "identify-life-stages-2": [7],
    "lifespan-longest-lived": [5],
    "lifespan-longest-lived-then-shortest-lived": [6],
    "lifespan-shortest-lived": [5],
    "measure-melting-point-known-substance": [6],
    "measure-melting-point-unknown-substance": [0],
    "melt": [6],
    "power-component": [16],
    "power-component-renewable-vs-nonrenewable-energy": [16],
    "test-conductivity": [676],
    "test-conductivity-of-unknown-substances": [450],
    "use-thermometer": [6],
}


def task(name: str, seed: int) -> Task:
    return Task(engine="scienceworld", name=name, seed=seed)


def start(name: str, seed: int) -> ScienceWorld:
    env = ScienceWorld()
    env.reset(task(name, seed))
    return env


@pytest.fixture
def boil() -> Iterator[ScienceWorld]:
    env = start("boil", 0)
    yield env
    env.close()


def test_the_first_observation_is_the_room_then_the_inventory() -> None:
    env = ScienceWorld()
    room, carried = env.reset(task("find-plant", 225)).split("\nIn your inventory, you see:\n")
    assert room.startswith("This room is called the art studio. In it, you see: \n\tthe agent\n")
    assert "\tA door to the hallway (that is open)" in room and carried == "\tan orange\n"
    assert env.goal == (
        "Your task is to find a(n) plant. First, focus on the thing. "
        "Then, move it to the orange box in the living room."
    )
    assert "connect {terminal} to {other}" not in env.commands
    env.reset(task("power-component", 16))
    assert "connect {terminal} to {other}" in env.commands
    env.close()


@pytest.mark.parametrize(
    ("name", "seed", "message"),
    [
        ("boil-water", 0, "unknown ScienceWorld task 'boil-water': expected one of boil, change-"),
        ("boil", 30, "no variation 30 of boil: expected a seed from 0 to 29"),
        ("boil", -1, "no variation -1 of boil"),
    ],
)
def test_an_unknown_task_is_named(name: str, seed: int, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        start(name, seed)


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("dance", "format"),
        ("", "format"),
        ("use orange", "format"),
        ("0", "parameter"),  # nothing was asked
        ("pick up dragon", "parameter"),
        ("take dragon", "parameter"),  # the engine knows more words than the commands use
        ("put dragon in orange", "parameter"),
        ("connect orange to agent", "parameter"),  # no electrical actions in this task
        ("reset task", "format"),
        ("reset the task", "format"),
        ("\ud800 look around", "format"),
        ("activate orange", "logic"),
        ("open door to kitchen", "logic"),
        ("pick up agent", "logic"),
        ("go to agent", "logic"),
        ("read orange", "logic"),
        ("mix orange", None),  # tried in vain, but the engine calls it valid
        ("look around", None),
        ("help", None),
    ],
)
def test_each_refusal_has_its_kind(boil: ScienceWorld, action: str, kind: str | None) -> None:
    before = boil.valid_actions()
    result = boil.step(action)
    assert (result.error, result.progress, result.done) == (kind, 0.0, False) and result.observation
    if kind in ("format", "parameter"):  # a "logic" one takes time, in which animals walk in and out
        assert boil.valid_actions() == before


def test_spelling_is_forgiven(boil: ScienceWorld) -> None:
    assert boil.step("  Go TO  the kitchen. ").observation == "You move to the kitchen."
    assert boil.step("examine stove").observation == boil.step("look at stove").observation


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("examine cup", "look at cup"),
        ("put cup on table", "move cup to table"),
        ("put down cup", "put down cup"),
        ("focus cup", "focus on cup"),
        ("turn on stove", "activate stove"),
        ("go outside", "go to outside"),
        ("pour jug in box in cup in sink", "pour jug in box into cup in sink"),
        ("use thermometer on cup on table", "use thermometer on cup on table"),
        ("3", "choose 3"),
        ("dance", "dance"),
    ],
)
def test_other_words_are_written_as_the_signatures_have_them(text: str, expected: str) -> None:
    assert actions.spelled(text, ["jug", "jug in box", "cup in sink", "sink"]) == expected


def test_an_ambiguous_request_can_be_answered(boil: ScienceWorld) -> None:
    asked = boil.step("look at door")
    assert asked.error is None and asked.observation.startswith("Ambiguous request")
    numbered = re.findall(r"^(\d+):\tlook at door \(in (.+) to", asked.observation, re.MULTILINE)
    assert boil.valid_actions() == sorted(f"choose {number}" for number in range(6)), numbered
    assert "choose 5" in boil.step("check valid actions").observation
    assert boil.step("choose 1").observation.startswith("A door to the ")
    boil.step("look at door")
    assert boil.step("1").observation.startswith("A door to the ")
    boil.step("look at door")
    assert boil.step("look around").error == "format"  # swallowed: the engine wanted a number


def test_a_wrong_focus_fails_the_task_and_nothing_revives_it(boil: ScienceWorld) -> None:
    boil.step("go to kitchen")
    progress = boil.step("activate stove").progress
    assert 0 < progress < 1
    failed = boil.step("focus on table")
    assert (failed.progress, failed.success, failed.done, failed.error) == (progress, False, True, None)
    assert boil.valid_actions() == [] and boil.step("reset task") == failed._replace(
        observation="The episode is over.", error="logic"
    )


def test_check_lists_commands_and_things(boil: ScienceWorld) -> None:
    result = boil.step("check valid actions")
    assert "pick up {object}" in result.observation and "reset" not in result.observation
    assert "door to kitchen" in result.observation and result.error is None


@pytest.mark.parametrize("name", ["find-animal", "chemistry-mix", "power-component", "grow-plant"])
def test_every_valid_action_has_one_signature_and_is_accepted(name: str) -> None:
    env: Environment = start(name, PANEL[name][0])
    patterns = [re.compile(re.sub(r"\\{\w+\\}", ".+", re.escape(signature))) for signature in env.commands]
    rng, progress = random.Random(name), 0.0
    for _ in range(6):
        offered = env.valid_actions()
        assert offered == sorted(set(offered)) and "reset task" not in offered
        assert {sum(bool(pattern.fullmatch(action)) for pattern in patterns) for action in offered} == {1}
        result = env.step(rng.choice([action for action in offered if not action.startswith("focus")]))
        assert result.error is None and progress <= result.progress <= 1.0
        progress = result.progress
    env.close()


def test_valid_actions_leave_the_episode_alone() -> None:
    def play(ask: bool) -> list[str]:
        env = start("lifespan-longest-lived", 93)  # in the greenhouse, with bees
        seen = []
        for _ in range(8):
            if ask:
                assert env.valid_actions() == env.valid_actions()
            seen += [env.step("wait").observation, env.step("look around").observation]
        env.close()
        return seen

    watched = play(ask=True)
    assert len(set(watched[1::2])) > 1, "nothing moved: the comparison shows nothing"
    assert watched == play(ask=False)


EPISODES = """
import hashlib, random, sys
from agentrefine_lib.environments.scienceworld.environment import ScienceWorld
from agentrefine_lib.environments.words import load_words
from agentrefine_lib.environments.signature import parse_command
from agentrefine_lib.schema import Task
for name in sys.argv[1].split(","):
    env, rng, seen = ScienceWorld(), random.Random(0), hashlib.sha256()
    seen.update(env.reset(Task(engine="scienceworld", name=name, seed=2)).encode())
    seen.update(repr(next(env.expert())).encode())
    for _ in range(12):
        offered = [action for action in env.valid_actions() if not action.startswith("focus")]
        seen.update(repr((offered, env.step(rng.choice(offered)))).encode())
    env.close()
print(seen.hexdigest())
"""


def test_an_episode_is_the_same_in_a_fresh_process_and_after_others() -> None:
    plays = (("0", "lifespan-longest-lived,find-animal"), ("1", "find-animal"))
    outputs = {
        subprocess.run(
            [sys.executable, "-c", EPISODES, names],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, names in plays
    }
    assert len(outputs) == 1 and len(outputs.pop()) == 65


@pytest.fixture(scope="module")
def garbage_eater() -> Iterator[ScienceWorld]:
    env = start("chemistry-mix", 6)
    yield env
    env.close()


@given(
    text=st.text() | st.from_regex(r"(move|use|pour|go to|open|look in|choose) \w* ?(in|to|on)? ?\w*", fullmatch=True)
)
@settings(max_examples=100, deadline=None)
def test_no_text_raises(garbage_eater: ScienceWorld, text: str) -> None:
    result = garbage_eater.step(text)
    assert result.observation and result.error in (None, "format", "parameter", "logic")


def test_the_expert_takes_up_an_episode_where_it_is_and_stops_off_its_path() -> None:
    env, twin = start("use-thermometer", 6), start("use-thermometer", 6)
    plan = [env.step(action) and action for _, action in env.expert()]
    assert env.step("wait").observation == "The episode is over."
    for action in plan[:4]:
        twin.step(action)
    _SOLUTIONS.clear()  # the next line computes it anew, in the middle of the episode
    assert [twin.step(action) and action for _, action in twin.expert()] == plan[4:]
    env.reset(task("use-thermometer", 6))
    env.step("wait")
    assert list(env.expert()) == []
    env.close()
    twin.close()


def test_thoughts_exist_for_every_command_and_name_the_aim() -> None:
    assert set(load_words(expert.__file__)["thoughts"]) == set(actions.COMMANDS)
    assert expert.aim("Your task is to find a(n) animal. First, focus on it.") == "find an animal"
    thought = expert.think("pick up metal pot", "Your task is to boil water. First, focus.", 0)
    assert "metal pot" in thought and "{" not in thought


def solve(env: ScienceWorld) -> list[str] | None:
    """Let the expert play; its observations if that succeeds within the step limit."""
    seen = []
    for thought, action in env.expert():
        assert thought.endswith(".") and "{" not in thought and "  " not in thought
        assert parse_command(action, env.commands)
        result = env.step(action)
        assert result.error is None
        seen.append(result.observation)
        if result.success or len(seen) == STEP_LIMIT:
            return seen if result.success and result.done and result.progress == 1.0 else None
    return None


@pytest.mark.slow
def test_the_expert_solves_the_panel_within_the_step_limit() -> None:
    failed = []
    for name, seeds in PANEL.items():
        for seed in seeds:
            env = start(name, seed)
            failed += [] if solve(env) else [(name, seed)]
            env.close()
    assert len(PANEL) == 24 and failed == []


@pytest.mark.skipif(not LABELS.exists(), reason="AgentBoard's labels are not on this machine")
@pytest.mark.parametrize(
    ("name", "seed"), [("find-animal", 5), ("measure-melting-point-known-substance", 6), ("lifespan-shortest-lived", 5)]
)
def test_the_expert_reaches_every_subgoal_of_the_labels(name: str, seed: int) -> None:
    labels = [json.loads(line) for line in LABELS.read_text(encoding="utf-8").splitlines()]
    wanted = next(x for x in labels if x["additional_info"] == {"env_name": name, "var": seed})["subgoals"]
    env = start(name, seed)
    seen = solve(env)
    env.close()
    assert seen and all(any(re2.search(subgoal, observation) for observation in seen) for subgoal in wanted)


def test_the_jvm_is_reused_and_a_second_one_does_not_stay() -> None:
    jvm.close_idle()
    first, second = start("boil", 0), start("boil", 1)
    kept, ended = first._jvm, second._jvm
    assert kept and ended and kept is not ended
    first.close()
    second.close()
    assert kept.process.poll() is None and ended.process.poll() is not None
    again = start("melt", 0)
    assert again._jvm is kept
    del again  # forgotten rather than closed
    gc.collect()
    assert jvm.acquire() is kept
    kept.close()


def test_a_jvm_that_died_is_replaced(boil: ScienceWorld) -> None:
    assert boil._jvm
    boil._jvm.process.kill()
    boil._jvm.process.wait()
    boil.close()
    env = start("boil", 0)
    assert env.step("inventory").error is None
    env.close()


HOLDER = """
import time
from agentrefine_lib.environments.scienceworld.environment import ScienceWorld
from agentrefine_lib.environments.words import load_words
from agentrefine_lib.environments.signature import parse_command
from agentrefine_lib.schema import Task
env = ScienceWorld()
env.reset(Task(engine="scienceworld", name="boil", seed=0))
print(env._jvm.process.pid, flush=True)
time.sleep({seconds})
"""


@pytest.mark.parametrize("killed", [True, False])
def test_the_jvm_ends_with_python_and_leaves_no_trace(killed: bool, tmp_path: Path) -> None:
    code = HOLDER.format(seconds=60 if killed else 0)
    environ = {**os.environ, "JAVA_TOOL_OPTIONS": "-Dgreeting=1"}  # Java answers "Picked up JAVA_TOOL_OPTIONS"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], env=environ, cwd=tmp_path, **pipes) as holder:
        assert holder.stdout and holder.stderr
        pid = int(holder.stdout.readline())
        if killed:
            holder.send_signal(signal.SIGKILL)
        assert holder.stderr.read() == ""
    deadline = time.monotonic() + 20
    while runs(pid):
        assert time.monotonic() < deadline, f"JVM {pid} outlives Python"
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")  # an orphan that nobody waits for stays as a zombie
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def test_a_java_that_does_not_start_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jvm, "OPTIONS", ("-Xbogus",))
    with pytest.raises(RuntimeError, match="Unrecognized option: -Xbogus"):
        jvm.Jvm()


def test_a_java_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sleeper = tmp_path / "java"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(jvm, "java", lambda: str(sleeper))
    monkeypatch.setattr(jvm, "START_SECONDS", 0.2)
    with pytest.raises(RuntimeError, match=r"did not start within 0\.2 s"):
        jvm.Jvm()
