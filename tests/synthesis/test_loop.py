"""Algorithm 1 as a loop: regenerate, continue, give up; and survive kill -9."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from agentrefine_lib.schema import Script, Trajectory, read_jsonl
from agentrefine_lib.synthesis import Limits, synthesize, synthesize_one
from agentrefine_lib.teachers import EmbeddedTeacher
from agentrefine_lib.verify import Rejection, check_turns

PROGRAM = """
import asyncio, sys
from pathlib import Path
from agentrefine_lib.synthesis import Job, synthesize
from agentrefine_lib.teachers import EmbeddedTeacher, embedded_persona
jobs = [Job(f"t-{s:04d}", embedded_persona(s), s) for s in range(int(sys.argv[2]))]
asyncio.run(synthesize(EmbeddedTeacher(slip_rate=0.3), jobs, Path(sys.argv[1])))
"""


def test_slips_are_found_and_mended(jobs, tmp_path):
    path = asyncio.run(synthesize(EmbeddedTeacher(slip_rate=0.5), jobs(80), tmp_path))
    accepted = list(read_jsonl(path, Trajectory))
    reasons = Counter(r.reason for r in read_jsonl(tmp_path / "rejections.jsonl", Rejection))
    assert {"code_invalid", "error_unflagged", "goal_not_reached", "too_few_refinements"} <= set(reasons)
    assert all(check_turns(t.script, t.turns) is None for t in accepted)
    assert len(accepted) + reasons["given_up"] == 80


class Scripted:
    """A teacher whose plays are handed to it; it records the prefixes that it is asked to continue."""

    name = "scripted"

    def __init__(self, script: Script, plays: list[list[dict]]) -> None:
        self.script, self.plays, self.prefixes = script, plays, []

    def domain(self, brief):
        return "by hand"

    async def write_script(self, brief):
        return self.script.model_dump(by_alias=True)

    async def play(self, brief, script, prefix):
        self.prefixes.append(len(prefix))
        return self.plays.pop(0)


def test_a_failing_play_is_continued_from_its_verified_prefix(jobs, three_turns):
    raw = [turn.model_dump(by_alias=True) for turn in three_turns.turns]
    careless = [*raw[:4], raw[4] | {"Observation": "Yes."}, raw[5] | {"Action": "boil cup"}, raw[6]]
    teacher = Scripted(three_turns.script, [careless, raw[5:]])
    trajectory, rejections = asyncio.run(synthesize_one(teacher, jobs(1)[0], Limits(min_refinements=1)))
    assert teacher.prefixes == [0, 5]
    assert [(r.reason, r.turn) for r in rejections] == [("error_unflagged", 5)]
    assert [t.turn for t in trajectory.turns] == list(range(7))


def test_an_action_that_nobody_answered_is_played_again(jobs, three_turns):
    raw = [turn.model_dump(by_alias=True) for turn in three_turns.turns]
    teacher = Scripted(three_turns.script, [[*raw[:4], *raw[5:]], raw[3:]])  # the answer to turn 3 is missing
    trajectory, rejections = asyncio.run(synthesize_one(teacher, jobs(1)[0], Limits(min_refinements=1)))
    assert teacher.prefixes == [0, 3]
    assert [(r.reason, r.turn) for r in rejections] == [("order_broken", 3)]
    assert trajectory.turns == three_turns.turns


def test_trajectories_of_other_settings_stay_and_a_warning_names_what_differs(jobs, tmp_path, caplog):
    for teacher in (EmbeddedTeacher(), EmbeddedTeacher()):
        path = asyncio.run(synthesize(teacher, jobs(4), tmp_path))
    made = path.read_bytes()
    assert not caplog.records
    asyncio.run(synthesize(EmbeddedTeacher(errors=(4, 4), loops=0.5), jobs(5), tmp_path))
    (told,) = caplog.messages
    assert told.startswith(f"{tmp_path}: made with errors=[2, 6], now [4, 4]; loops=0.0, now 0.5. What is")
    assert path.read_bytes().startswith(made)


def test_too_few_refinements_cost_an_attempt_and_attempts_are_bounded(jobs, three_turns):
    raw = [turn.model_dump(by_alias=True) for turn in three_turns.turns]
    teacher = Scripted(three_turns.script, [raw, raw, raw])
    trajectory, rejections = asyncio.run(synthesize_one(teacher, jobs(1)[0], Limits(attempts=3)))
    assert trajectory is None
    assert [r.reason for r in rejections] == ["too_few_refinements"] * 3 + ["given_up"]


def test_the_papers_algorithm_keeps_the_script_and_begins_a_play_with_too_few_errors_anew(jobs, three_turns):
    """Four calls: a script, a play of one error, another play with an unflagged error, and its rest."""
    raw = [turn.model_dump(by_alias=True) for turn in three_turns.turns]
    slip = [
        *raw[:4],
        raw[4] | {"logic_error": True, "Observation": "Error: wait."},
        raw[5] | {"Action": "boil cup"},
        raw[6],
    ]
    ended = raw[6] | {"Observation": "It is hot. Task Succeed", "progress_rate": 1, "finished": True}
    teacher = Scripted(three_turns.script, [raw, slip, [raw[5], ended]])
    trajectory, rejections = asyncio.run(synthesize_one(teacher, jobs(1)[0], Limits(calls=4)))
    assert teacher.prefixes == [0, 0, 5]
    assert [r.reason for r in rejections] == ["too_few_refinements", "error_unflagged"]
    assert trajectory.turns[-1].finished and '"progress_rate":1.0' in trajectory.to_json()
    teacher = Scripted(three_turns.script, [raw, raw])
    assert [r.reason for r in asyncio.run(synthesize_one(teacher, jobs(1)[0], Limits(calls=3)))[1]][-1] == "given_up"


@pytest.mark.slow
@pytest.mark.fault("synthesis", "kill -9", "again and again: in the end the same files, byte for byte")
def test_killed_runs_end_in_the_same_file(tmp_path):
    """Kill -9 again and again, then let it finish: byte for byte the file of a run that nobody disturbed."""
    count = "600"
    subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path / "whole"), count], check=True, timeout=120)
    kills = 0
    for _ in range(40):
        run = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "killed"), count], stderr=subprocess.DEVNULL
        )
        try:
            run.wait(timeout=2.0 + 0.37 * (kills % 4))
            break
        except subprocess.TimeoutExpired:
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
            kills += 1
            time.sleep(0.05)
    assert kills >= 1
    assert run.returncode == 0
    for name in ("trajectories.jsonl", "rejections.jsonl"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()
