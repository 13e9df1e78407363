"""The embedded worlds as an environment: the contract, its kinds of errors, and an expert that always wins."""

import asyncio
import random

import pytest

from agentrefine_lib.agent import Prompting
from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.environments.check import check_environment
from agentrefine_lib.environments.embedded import Embedded, first_mistake, worlds_of
from agentrefine_lib.environments.process import Opening
from agentrefine_lib.environments.signature import parse_command
from agentrefine_lib.schema import Task, Trajectory, format_reply, parse_reply, read_jsonl
from agentrefine_lib.synthesis import Job, synthesize
from agentrefine_lib.teachers import MECHANICS, EmbeddedTeacher, embedded_persona
from agentrefine_lib.teachers.embedded.grammar import FORMS
from agentrefine_lib.teachers.embedded.names import load_words

NAMES = [*MECHANICS, *(f"{mechanic}-any-brackets" for mechanic in MECHANICS), "places-ship-natural"]


def task(name: str, seed: int = 0) -> Task:
    return Task(engine="embedded", name=name, seed=seed)


def make(_: Task) -> Embedded:
    return Embedded()


def start(name: str, seed: int = 0) -> Embedded:
    environment = Embedded()
    environment.reset(task(name, seed))
    return environment


@pytest.mark.parametrize("name", MECHANICS)
def test_it_keeps_the_contract(name):
    for seed in range(3):
        check_environment(make, task(name, seed), other_process=False)  # test_contract does that for every engine


@pytest.mark.parametrize("name", NAMES)
def test_the_expert_wins_with_valid_actions_only(name):
    for seed in range(8):
        environment = start(name, seed)
        result = None
        for taken, (thought, action) in enumerate(environment.expert(), start=1):
            assert thought and action in environment.valid_actions()
            result = environment.step(action)
            assert result.error is None and taken <= 20
        assert result is not None and result.success and result.progress == 1.0


@pytest.mark.parametrize("name", MECHANICS)
def test_the_expert_goes_on_when_somebody_else_has_acted(name):
    for seed in range(8):
        environment = start(name, seed)
        for action in [*environment.valid_actions()[:2], *environment.valid_actions()[-2:]]:
            environment.step(action)
        result = None
        for taken, (_, action) in enumerate(environment.expert()):
            result = environment.step(action)
            assert result.error is None and taken < 60
        assert result is None or result.success
        assert environment.step("look").observation == "The episode is over."


def test_where_the_expert_sees_no_way_the_world_still_answers_and_lists_what_is_possible():
    environment, rng = start("strips", 273), random.Random(273)
    for _ in range(4):
        result = environment.step(rng.choice(environment.valid_actions()))
    listed = result.observation.removesuffix(".").rpartition(": ")[2].split("; ")
    assert result.error is None and len(listed) > 1 and set(listed) <= set(environment.valid_actions())
    assert list(environment.expert()) == []


def test_refusals_say_which_kind_of_error_they_are():
    environment = start("places-ship-natural")
    signature = next(s for s, meaning in environment.commands.items() if meaning.startswith("walk"))
    before, after = signature.partition("{")[0], signature.partition("}")[2]
    way = next(a for a in environment.valid_actions() if parse_command(a, environment.commands).signature == signature)
    assert environment.step("dance on the roof").error == "format"
    assert environment.step(f"{before}nowhere at all{after}").error == "parameter"
    assert environment.step(way).error is None
    assert environment.step(way).error == "logic"  # there already


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_is_refused_and_changes_nothing(name):
    for seed in range(8):
        environment = start(name, seed)
        thought, action = environment.mistake()
        before = environment.valid_actions()
        assert thought and environment.step(action).error in ("format", "parameter", "logic")
        assert environment.valid_actions() == before and first_mistake(task(name, seed)) == (thought, action)
        for _, right in environment.expert():
            assert environment.step(right).error is None


def test_only_the_embedded_teacher_errs():
    with pytest.raises(ValueError, match="babyai/GoToDoor/0: found a task of babyai, expected one of embedded"):
        first_mistake(Task(engine="babyai", name="GoToDoor", seed=0))


def test_spelling_is_tolerated_and_check_lists_what_is_possible():
    environment = start("places-ship-natural")
    action = environment.valid_actions()[0]
    assert environment.step(f"  {action.upper().replace(' ', '   ')}. ").error is None
    listed = environment.step("check valid actions").observation
    assert all(action in listed for action in environment.valid_actions())


@pytest.mark.parametrize("name", NAMES)
def test_every_valid_action_reads_as_one_signature(name):
    environment = start(name)
    for action in environment.valid_actions():
        assert parse_command(action, environment.commands) is not None


@pytest.mark.parametrize(
    ("name", "found"), [("moon", "moon"), ("places-moon", "moon"), ("places-any-moon", "moon"), ("places-a-b-c", "a")]
)
def test_unknown_worlds_are_named(name, found):
    with pytest.raises(ValueError, match=f"unknown world '{name}': found '{found}', expected one of "):
        start(name)


@pytest.mark.parametrize("mechanic", MECHANICS)
def test_the_world_of_a_trajectory_is_found_again_and_asked_for_in_the_words_of_the_data(mechanic, tmp_path):
    teacher = EmbeddedTeacher([mechanic], costumes=["ship"])
    path = asyncio.run(synthesize(teacher, [Job("one", embedded_persona(7, ("ship",)), 7)], tmp_path))
    (trajectory,) = read_jsonl(path, Trajectory)
    tasks, made = worlds_of([trajectory])
    world = made(task := tasks["one"])
    opening = Opening(world.reset(task), world.goal, world.rules, world.commands, world.version)
    learned = to_conversation(trajectory).conversations[0].value
    assert Prompting().chat(task, opening, [])[0]["content"] == learned  # word for word: a small model reads every one


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_grammar_can_be_played_by_whoever_writes_replies(form):
    """What a reply says is read before the world gets it: no mark of a command may be lost on the way."""
    for seed in range(3):
        environment, result = start(f"places-any-{form}", seed), None
        for thought, action in environment.expert():
            result = environment.step(parse_reply(format_reply(thought, action)).action)
            assert result.error is None
        assert result is not None and result.success


@pytest.mark.parametrize("name", MECHANICS)
def test_after_a_refusal_the_expert_says_what_was_wrong_and_does_something_else(name):
    starts = {style.split("{")[0] for purpose in ("mend", "baffled") for style in load_words("thoughts")[purpose]}
    thoughts = []
    for seed in range(8):
        environment = start(name, seed)
        _, refused = environment.mistake()
        environment.step(refused)
        thought, action = next(environment.expert())
        assert action != refused
        thoughts.append(thought)
    assert any(thought.startswith(tuple(start for start in starts if len(start) > 5)) for thought in thoughts)
