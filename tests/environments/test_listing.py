"""A list of what is possible, after every observation: its words, its draw, and who else is told."""

import asyncio
import os
import subprocess
import sys
from functools import partial

import pytest

from agentrefine_lib.agent import Prompting
from agentrefine_lib.environments import make_environment
from agentrefine_lib.environments.check import check_environment
from agentrefine_lib.environments.embedded import Embedded
from agentrefine_lib.environments.listing import make_listed
from agentrefine_lib.environments.perturbations import make_perturbed
from agentrefine_lib.environments.process import Opening
from agentrefine_lib.policies import RandomPolicy
from agentrefine_lib.rollout import roll_out
from agentrefine_lib.schema import Episode, Task, parse_reply, read_jsonl

TASK = Task(engine="babyai", name="PickupLoc", seed=1234)


def listed(observation):
    """The actions that an observation lists."""
    head, _, line = observation.rpartition("\n")
    assert line.startswith("You can: ") and line.endswith(".") and "You can: " not in head
    return line.removeprefix("You can: ").removesuffix(".").split("; ")


def test_the_list_is_the_last_line_and_all_that_is_valid_where_that_is_little():
    plain, told = make_environment(TASK), make_listed(20, TASK)
    first = plain.reset(TASK)
    assert told.reset(TASK) == f"{first}\nYou can: {'; '.join(plain.valid_actions())}."
    assert (told.goal, told.rules, told.commands) == (plain.goal, plain.rules, plain.commands)
    assert told.version == f"{plain.version}, 20 valid actions listed"
    for action in ("turn left", "dance"):  # after a refusal, too
        expected = plain.step(action)
        observation = f"{expected.observation.rstrip()}\nYou can: {'; '.join(plain.valid_actions())}."
        assert told.step(action) == expected._replace(observation=observation)
    assert type(make_listed(0, TASK)) is type(plain)


def test_it_reads_as_in_a_world_of_the_teacher_that_lists_what_is_possible():
    for seed in range(80):
        world = Embedded()
        world.reset(task := Task(engine="embedded", name="places", seed=seed))
        rendering = world._game.speech.rendering
        if rendering.lists_actions and rendering.help == "You can: {0}.":
            said = world.step(next(world.expert())[1]).observation
            assert set(listed(said)) <= set(world.valid_actions()), task.id
            return
    pytest.fail("no such world among these seeds")


def test_a_world_of_the_teacher_says_what_it_says():
    task = Task(engine="embedded", name="places", seed=0)
    assert make_listed(20, task).reset(task) == make_environment(task).reset(task)


def test_nothing_is_listed_when_the_play_is_over_and_the_checker_finds_no_fault():
    told, said = make_listed(3, TASK), []
    told.reset(TASK)
    for _, action in told.expert():
        assert len(told.valid_actions()) <= 3
        said.append(told.step(action))
    assert said[-1].success and "You can" not in said[-1].observation and told.valid_actions() == []
    check_environment(partial(make_listed, 1000), TASK)


def test_the_list_of_a_renamed_engine_has_the_new_words():
    told = make_listed(20, TASK, make=partial(make_perturbed, "nonsense"))
    found = listed(told.reset(TASK))
    assert found == told.valid_actions() and not {"turn left", "turn right"} & set(found)


def test_a_draw_is_the_same_in_every_process():
    code = (
        "from agentrefine_lib.environments.listing import make_listed\n"
        "from agentrefine_lib.schema import Task\n"
        f"env = make_listed(2, task := Task.from_id({TASK.id!r}))\n"
        "print(env.reset(task), *(env.step('turn left').observation for _ in range(4)), sep='\\n')"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    draws = [line for line in said.pop().decode().splitlines() if line.startswith("You can")]
    assert len(draws) == 5 and len(set(draws)) > 1


def test_random_plays_what_is_listed_and_the_record_holds_what_a_model_reads(tmp_path):
    path = asyncio.run(roll_out(RandomPolicy(0), [TASK], tmp_path / "random.jsonl", make=partial(make_listed, 2)))
    (episode,) = read_jsonl(path, Episode)
    before = [episode.observation, *(step.observation for step in episode.steps)]
    for said, step in zip(before, episode.steps, strict=False):
        assert parse_reply(step.reply).action in listed(said) and len(listed(said)) == 2
    opening = Opening(episode.observation, episode.goal, episode.rules, episode.commands, episode.engine_version)
    first, *later = Prompting().chat(TASK, opening, episode.steps[:1])
    assert first["content"].endswith(f"Observation: {episode.observation}")
    assert later[1]["content"] == f"Observation: {episode.steps[0].observation}"
