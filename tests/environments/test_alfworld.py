"""AlfWorld: the text of TextWorld's own engine, AgentBoard's rules, one game per task, an expert that solves them."""

import json
import os
import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrefine_lib.environments.protocol import Environment
from agentrefine_lib.environments.signature import parse_command
from agentrefine_lib.schema import Task

if not all(map(find_spec, ("alfworld", "textworld", "fast_downward"))):  # importing alfworld itself writes to HOME
    pytest.skip("the engines are not installed", allow_module_level=True)

from agentrefine_lib.environments.alfworld.bundle import DOMAIN, GRAMMAR
from agentrefine_lib.environments.alfworld.engine import Engine
from agentrefine_lib.environments.alfworld.environment import AlfWorld
from agentrefine_lib.environments.alfworld.games import TASK_TYPES, TRAINING_SEEDS, generate
from agentrefine_lib.environments.alfworld.goal import read_goal, subgoals

OFFICIAL = Path(__file__).resolve().parents[3] / "shared" / "benchmarks" / "alfworld"
STEP_LIMIT = 30
TREATMENTS = ("clean", "heat", "cool")
CLEAN_A_SPOON = ("pick_clean_then_place_in_recep", 1000)


def task(name: str, seed: int = 0) -> Task:
    return Task(engine="alfworld", name=name, seed=seed)


def start(name: str, seed: int = 0) -> AlfWorld:
    env = AlfWorld()
    env.reset(task(name, seed))
    return env


def solve(env: AlfWorld) -> int | None:
    """Let the expert play; the number of steps to success, or None."""
    for taken, (thought, action) in enumerate(env.expert(), start=1):
        assert thought.endswith(".") and "{" not in thought and "  " not in thought and " the ." not in thought
        result = env.step(action)
        assert result.error is None
        if result.done or taken == STEP_LIMIT:
            return taken if result.success and result.progress == 1.0 else None
    return None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seed"),
    [("look_at_obj_in_light", 0), ("pick_clean_then_place_in_recep", 1), ("pick_cool_then_place_in_recep", 2)],
)
def test_text_and_commands_are_those_of_textworlds_own_engine(name: str, seed: int) -> None:
    from alfworld.agents.environment.alfred_tw_env import AlfredDemangler
    from textworld import EnvInfos
    from textworld.envs import PddlEnv

    game = generate(name, seed)
    stock = AlfredDemangler(PddlEnv(EnvInfos(admissible_commands=True)))
    stock.load({"pddl_domain": DOMAIN, "grammar": GRAMMAR, "pddl_problem": game.problem})
    state = stock.reset()
    engine, rng, played = Engine(), random.Random(seed), set()
    engine.load(game.problem)
    assert engine.text("look.feedback") in state.feedback
    for number in range(20):
        possible = engine.operations()
        assert state["admissible_commands"] == sorted(possible)
        rare = sorted(command for command in possible if command.split()[0] not in played)
        command = rng.choice(rare if rare and number % 2 else sorted(possible))
        state, _, done = stock.step(command)
        assert (engine.apply(possible[command]), engine.won) == (state.feedback, done)
        played.add(command.split()[0])
        if done:
            break
    assert len(played) >= 6
    engine.close()


@pytest.mark.slow
@pytest.mark.skipif(not OFFICIAL.exists(), reason="no official games on this machine")
def test_official_games_are_won_by_their_walkthrough_and_by_the_expert() -> None:
    tasks, env = [task(str(path)) for path in sorted(OFFICIAL.rglob("game.tw-pddl"))], AlfWorld()
    assert len(tasks) == 24
    for item in tasks:
        first = env.reset(item)
        assert first.startswith("You are in the middle of a room. Looking quickly around you, you see a ")
        for command in json.loads(Path(item.name).read_text())["walkthrough"]:
            assert not env.step("look").done
            result = env.step(command)
        assert result.success and result.progress == 1.0
        env.reset(item)
        assert solve(env) is not None, item.name


@pytest.mark.skipif(not OFFICIAL.exists(), reason="no official games on this machine")
def test_goals_of_official_games_are_those_of_their_folders() -> None:
    for path in OFFICIAL.rglob("game.tw-pddl"):
        kind, thing, _, place, _ = path.parts[-3].lower().split("-")
        goal = read_goal(json.loads(path.read_text())["pddl_problem"])
        assert (goal.thing, goal.place or goal.lamp) == (thing, place)
        assert goal.treatment == next((word for word in TREATMENTS if word in kind), "")
        assert (goal.amount == 2) == ("two" in kind) and bool(goal.lamp) == ("light" in kind)


def test_subgoals_are_agentboards() -> None:
    env, progress = AlfWorld(), []
    env.reset(task("pick_heat_then_place_in_recep", 0))
    assert env.goal == "put a hot tomato in garbagecan."
    script = ["go to microwave 1", "open microwave 1", "take tomato 1 from microwave 1"]
    script += ["heat tomato 1 with microwave 1", "go to garbagecan 1", "move tomato 1 to garbagecan 1"]
    for command in script:
        result = env.step(command)
        progress.append(result.progress)
    assert progress == [0, 0.25, 0.5, 0.75, 0.75, 1] and result.success and result.done
    assert env.valid_actions() == [] and env.step("look") == (
        *result._replace(observation="The episode is over.")[:4],
        "logic",
    )
    three = subgoals(read_goal(generate("pick_two_obj_and_place", 0).problem))
    assert three[2].search("You move the creditcard 2 to the safe 1.")
    assert not three[2].search("You move the creditcard 2 to the shelf 1.")
    assert not three[0].search("You are carrying: a creditcard 2.")


def test_arriving_looking_and_checking_follow_agentboard() -> None:
    env = AlfWorld()
    first = env.reset(task("pick_heat_then_place_in_recep", 0))
    assert env.step("look").observation == first
    there = env.step("go to microwave 1").observation
    assert there == "The microwave 1 is closed."
    env.step("inventory")
    assert env.step("look").observation == there
    assert env.step("open microwave 1").observation.startswith(
        "You open the microwave 1. The microwave 1 is open. In it,"
    )
    listed = env.step("Check valid actions")
    assert listed.error is None and all(action in listed.observation for action in env.valid_actions())


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("dance", "format"),
        ("", "format"),
        ("go to", "format"),
        ("put spoon 1 in/on countertop 1", "format"),  # the words of before alfworld 0.4
        ("go to moon 1", "parameter"),
        ("take spoon from countertop 1", "parameter"),  # without its number
        ("heat spoon 99 with microwave 1", "parameter"),
        ("open fridge 1", "logic"),  # from afar
        ("take spoon 1 from fridge 1", "logic"),
        ("go to spoon 1", "logic"),
    ],
)
def test_each_refusal_has_its_kind_and_changes_nothing(action: str, kind: str) -> None:
    before = SPOONS.valid_actions()
    result = SPOONS.step(action)
    assert result == ("Nothing happens.", 0.0, False, False, kind)
    assert SPOONS.valid_actions() == before


SPOONS = start(*CLEAN_A_SPOON)


def test_spelling_is_forgiven_where_the_meaning_is_plain() -> None:
    result = start(*CLEAN_A_SPOON).step("  Go to  FRIDGE 1. ")
    assert (result.observation, result.error) == ("The fridge 1 is closed.", None)


@given(text=st.text() | st.from_regex(r"(go to|take|move|open|examine|use) \w* ?\d? ?(from|to|with)? \w* ?\d?"))
@settings(max_examples=150, deadline=None)
def test_no_text_raises(text: str) -> None:
    result = GARBAGE_EATER.step(text)
    assert result.observation and result.error in (None, "format", "parameter", "logic")


GARBAGE_EATER = start("pick_two_obj_and_place")


@pytest.mark.parametrize("name", TASK_TYPES)
def test_every_valid_action_is_accepted_and_is_one_signature_and_progress_never_falls(name: str) -> None:
    env: Environment = AlfWorld()
    env.reset(task(name, 1))
    rng, progress = random.Random(name), 0.0
    for _ in range(2 * STEP_LIMIT):
        offered = env.valid_actions()
        assert offered == sorted(set(offered))
        assert [str(parse_command(action, env.commands)) for action in offered] == offered
        moving = [action for action in offered if action.startswith(("take", "open", "move", "use"))]
        result = env.step(rng.choice(moving if moving and rng.random() < 0.5 else offered))
        assert result.error is None and progress <= result.progress <= 1.0
        progress = result.progress
        if result.done:
            break


@pytest.mark.slow
@pytest.mark.parametrize("name", TASK_TYPES)
def test_the_expert_solves_generated_games_within_the_step_limit(name: str) -> None:
    env = AlfWorld()
    for seed in (0, 1, TRAINING_SEEDS, TRAINING_SEEDS + 1):
        env.reset(task(name, seed))
        first = env.step("look")
        assert (first.success, first.progress) == (False, 0.0)
        assert solve(env) is not None, f"{name} {seed}: {env.goal}"


def test_the_expert_goes_on_after_somebody_elses_actions() -> None:
    env = start("pick_two_obj_and_place", 3)
    rng, expert, wrong = random.Random(0), env.expert(), 0
    for _ in range(40):
        tempting = [action for action in env.valid_actions() if action.startswith(("take", "close"))]
        if tempting and wrong < 4:
            wrong += 1
            result = env.step(rng.choice(tempting))
        else:
            result = env.step(next(expert)[1])
        if result.done:
            break
    assert wrong == 4 and result.success


ROLLOUT = """
import hashlib, json, random, sys
from agentrefine_lib.environments.alfworld.environment import AlfWorld
from agentrefine_lib.schema import Task
env, seen = AlfWorld(), hashlib.sha256()
for name in ("pick_two_obj_and_place", "look_at_obj_in_light"):
    seen.update(env.reset(Task(engine="alfworld", name=name, seed=2)).encode())
    rng = random.Random(0)
    seen.update(repr([(step, env.step(step[1])) for step, _ in zip(env.expert(), range(4))]).encode())
    for _ in range(20):
        seen.update(repr(env.step(rng.choice(env.valid_actions() or ["look"]))).encode())
print(seen.hexdigest(), sys.argv)
"""


def test_an_episode_is_the_same_in_every_process_and_leaves_no_trace(tmp_path: Path) -> None:
    clean = {key: value for key, value in os.environ.items() if key != "ALFWORLD_DATA"}
    outputs = {
        subprocess.run(
            [sys.executable, "-c", ROLLOUT],
            env={**clean, "PYTHONHASHSEED": seed, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(outputs) == 1 and outputs.pop()[64:].strip() == "['-c']"
    assert list(tmp_path.rglob("*")) == []


def test_two_environments_do_not_disturb_each_other_and_a_closed_one_starts_again() -> None:
    one, other = start("pick_and_place_simple", 1), start("pick_and_place_simple", 1)
    before = other.valid_actions()
    one.step(next(action for action in before if action.startswith("go to")))
    assert other.valid_actions() == before != one.valid_actions()
    one.close()
    one.close()
    third = start("look_at_obj_in_light", 1)
    assert other.valid_actions() == before and one.step("look").error == "logic"
    one.reset(task("pick_and_place_simple", 1))
    assert one.valid_actions() == before != third.valid_actions()


def official(folder: Path, name: str = "game", solvable: bool = True, **changes: str) -> Path:
    """A file as ALFWorld's, of a generated game; its grammar is code that must not run."""
    sentence = "Your task is to: put {1/0} spoon in #task#."
    grammar = f'grammar :: """{{"task": [{{"rhs": "{sentence}"}}], "x": [{{"rhs": "{{exit(1)}}"}}]}}""";'
    data = {"pddl_domain": "(junk", "grammar": grammar, "pddl_problem": generate(*CLEAN_A_SPOON).problem, **changes}
    path = folder / name / "trial" / "game.tw-pddl"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({**data, "solvable": solvable, "walkthrough": []}))
    return path


def test_the_grammar_and_domain_of_a_game_file_are_not_run(tmp_path: Path) -> None:
    path, env = official(tmp_path), AlfWorld()
    assert env.reset(task(str(path))) == env.reset(task(str(path.parent))) == AlfWorld().reset(task(*CLEAN_A_SPOON))
    assert env.goal == "put {1/0} spoon in #task#." and env.version.endswith("official games")
    assert "{" not in env.step("go to fridge 1").observation
    assert solve(env) is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pddl_problem": "(define (problem x)"}, "none of the six task types"),
        ({"pddl_problem": generate(*CLEAN_A_SPOON).problem.replace("openable", "opened")[:-40]}, "no PDDL problem"),
        ({"pddl_problem": generate(*CLEAN_A_SPOON).problem.replace("isClean", "isSliced")}, "sliced things"),
        ({"grammar": "no sentence"}, "Your task is to"),
    ],
)
def test_a_game_file_that_cannot_be_played_is_refused(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        start(str(official(tmp_path, **changes)))


def test_an_unknown_task_is_named() -> None:
    with pytest.raises(ValueError, match="unknown AlfWorld task 'pick_nothing': expected a task type such as pick_and"):
        start("pick_nothing")
