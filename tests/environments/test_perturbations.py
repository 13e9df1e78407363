"""Renamed commands: a bijection of wordings, the same episode beneath, and no way back to the memorised command."""

import functools
import random
import re
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrefine_lib.environments import EngineMissingError, Environment, StepResult, get_engine, make_environment
from agentrefine_lib.environments.check import check_environment
from agentrefine_lib.environments.jericho.quest import GAMES
from agentrefine_lib.environments.pddl.problems import DOMAINS
from agentrefine_lib.environments.perturbations import (
    Perturbed,
    Renaming,
    make_perturbed,
    perturbations,
    read_renamings,
)
from agentrefine_lib.environments.perturbations.wording import Wording
from agentrefine_lib.environments.signature import parse_command, shape
from agentrefine_lib.schema import Task
from agentrefine_lib.schema.actions import fill, placeholders

TASKS = {
    "alfworld": ["alfworld/pick_heat_then_place_in_recep/0", "alfworld/look_at_obj_in_light/1"],
    "babyai": ["babyai/GoToObjDoor/1235", "babyai/BlockedUnlockPickup/1234"],
    "hotpotqa": ["hotpotqa/bridge-engineer-birthplace/0", "hotpotqa/imber-river-bay/0"],
    "jericho": ["jericho/bakery/1", "jericho/clock_tower/2"],
    "pddl": ["pddl/barman/2", "pddl/gripper/1"],
    "scienceworld": ["scienceworld/find-plant/225", "scienceworld/find-living-thing/225"],
}
SLOW = "scienceworld"  # a JVM per environment: marked, and played under two perturbations only
ENGINES = [pytest.param(name, marks=[pytest.mark.slow] if name == SLOW else []) for name in TASKS]
PERTURBATIONS = ("synonyms", "prepositions", "order", "nonsense", "swapped", "functions")
PAPERS = ("P1", "P2", "P3", "P4")  # the paper's, for AlfWorld
CASES = [(engine, name) for engine in TASKS if engine != SLOW for name in PERTURBATIONS]
CASES += [("alfworld", "P4")]
CASES += [pytest.param(SLOW, name, marks=pytest.mark.slow) for name in ("nonsense", "swapped")]
STEP_LIMIT = 60
HOTPOTQA = ("search[{title}]", "lookup[{keyword}]", "finish[{answer}]")


def made(task: Task, name: str | None) -> Environment:
    """The environment of a task under a perturbation, or as it is (None)."""
    try:
        return make_environment(task) if name is None else make_perturbed(name, task)
    except EngineMissingError as error:
        pytest.skip(str(error))


def started(engine: str, name: str | None, number: int = 0) -> Environment:
    """One of TASKS at its first observation."""
    task = Task.from_id(TASKS[engine][number])
    env = made(task, name)
    env.reset(task)
    return env


def played_by_the_expert(env: Environment) -> list[tuple[str, StepResult]]:
    with closing(env):
        choices = zip(range(STEP_LIMIT), env.expert(), strict=False)
        return [(action, env.step(action)) for _, (_, action) in choices]


@functools.cache
def unperturbed(engine: str, number: int) -> list[tuple[str, StepResult]]:
    return played_by_the_expert(started(engine, None, number))


def words_of(signature: str) -> set[str]:
    return set(re.findall(r"\w+", signature.lower()))


def test_every_engine_ships_the_same_perturbations() -> None:
    for engine in TASKS:
        assert list(perturbations(engine)) == [*PERTURBATIONS, *(PAPERS if engine == "alfworld" else ())]


@pytest.mark.parametrize("engine", list(TASKS))
def test_no_line_of_a_table_is_lost_to_a_second_one_of_its_key(engine: str) -> None:
    text = get_engine(engine).perturbations.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) == sum(1 + len(table.signatures) for table in perturbations(engine).values())


@pytest.mark.parametrize("engine", list(TASKS))
def test_tables_name_commands_of_the_engine_and_nonsense_renames_every_one(engine: str) -> None:
    env = made(Task.from_id(TASKS[engine][0]), None)
    commands = set(env.commands)
    for name in {"jericho": GAMES, "pddl": DOMAINS}.get(engine, ()):  # which have commands of their own for each task
        env.reset(Task(engine=engine, name=name, seed=1))
        commands |= set(env.commands)
    tables = {name: set(table.signatures) for name, table in perturbations(engine).items()}
    assert tables["nonsense"] == {command for command in commands if "check" not in command}
    assert all(table <= commands for table in tables.values())


@pytest.mark.parametrize("engine", list(TASKS))
@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_renamed_command_reads_as_what_was_written(engine: str, data: st.DataObject) -> None:
    renamings = perturbations(engine)
    every = sorted({shape(old): old for renaming in renamings.values() for old in renaming.signatures}.values())
    renaming = renamings[data.draw(st.sampled_from(sorted(renamings)))]
    reserved = {word for s in [*every, *renaming.signatures.values()] for word in words_of(s)}
    word = st.text("abcdefghij0123456789", min_size=1, max_size=6).filter(lambda word: word not in reserved)
    argument = st.lists(word, min_size=1, max_size=3).map(" ".join)
    signature = data.draw(st.sampled_from(every))
    action = fill(signature, {name: data.draw(argument) for name in placeholders(signature)})

    wording = Wording(every, renaming.signatures)
    renamed = wording.write(action)
    assert wording.read(renamed) == action
    assert (renamed == action) == (wording.new[signature] == signature)
    assert wording.read(f"  {renamed.upper()}. ".replace(" ", "  ")).lower() == action


@pytest.mark.parametrize(("engine", "name"), CASES)
def test_the_expert_solves_the_same_tasks_in_the_same_steps(engine: str, name: str) -> None:
    for number in range(len(TASKS[engine])):
        plain, renamed = unperturbed(engine, number), played_by_the_expert(started(engine, name, number))
        assert plain[-1][1].success
        assert [result[1:] for _, result in renamed] == [result[1:] for _, result in plain]  # all but the observation
        assert [action for action, _ in renamed] != [action for action, _ in plain]


@pytest.mark.parametrize(("engine", "name"), CASES)
def test_every_valid_action_goes_there_and_back_in_random_play(engine: str, name: str) -> None:
    rng = random.Random(name)
    with closing(started(engine, None, 1)) as plain, closing(started(engine, name, 1)) as env:
        wording = perturbations(engine)[name].wording(plain.commands)
        for _ in range(5):
            old, new = plain.valid_actions(), env.valid_actions()
            assert new == sorted(set(new)) and sorted(str(wording.read(action)) for action in new) == old
            action = rng.choice(old)
            result = plain.step(action)
            assert env.step(wording.write(action))[1:] == result[1:]
            if result.done:
                break


@pytest.mark.parametrize(("engine", "name"), CASES)
def test_a_memorised_command_is_refused_and_changes_nothing(engine: str, name: str) -> None:
    renaming = perturbations(engine)[name]
    with closing(started(engine, None)) as plain, closing(started(engine, name)) as env:
        offered = env.valid_actions()
        by_signature = {parse_command(action, plain.commands).signature: action for action in plain.valid_actions()}
        read = renaming.wording(plain.commands).read
        memorised = [action for action in by_signature.values() if read(action) is None]
        assert len(memorised) >= (0 if name == "swapped" else 1)
        refused = env.step("dance")
        assert (refused.error, refused.done) == ("format", False)
        for action in memorised:
            assert renaming.joined or parse_command(action, renaming.signatures), "only a renamed command is refused"
            assert env.step(action)[1:] == refused[1:]  # just as any word that the engine does not know
        assert env.valid_actions() == offered


@pytest.mark.parametrize("engine", ENGINES)
def test_a_perturbed_environment_keeps_the_contract(engine: str) -> None:
    started(engine, "nonsense").close()  # skips where the engine is missing
    check_environment(functools.partial(make_perturbed, "nonsense"), Task.from_id(TASKS[engine][0]))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_old_wording_is_not_shown(engine: str) -> None:
    with closing(started(engine, None)) as plain, closing(started(engine, "nonsense")) as env:
        old = {*plain.commands, *plain.valid_actions()} - {*env.commands, *env.valid_actions()}
        old = {action for action in old if " " in action or "[" in action}  # a single word may be one of the language
        listed = env.step("check valid actions")
        templates = [command for command in env.commands if command in listed.observation]  # ScienceWorld names these
        assert listed.error is None and (templates or all(a in listed.observation for a in env.valid_actions()))
        refusals = [env.step(text).observation for text in ("", "dance", env.valid_actions()[-1] + " 77")]
        for text in [listed.observation, *refusals, env.rules, *env.commands.values()]:
            assert [action for action in old if re.search(rf"(?<!\w){re.escape(action)}(?!\w)", text)] == []


def test_swapped_words_play_the_other_command() -> None:
    plain, env = started("babyai", None), started("babyai", "swapped")
    assert env.step("turn left").observation == plain.step("turn right").observation


@pytest.mark.parametrize(
    ("text", "renamed"),
    [
        ("Valid: go to cup 1, drop, take cup 1 from shelf 2.", "Valid: walk to cup 1, let go, shelf 2: grab cup 1."),
        ("- drop\n- go to {object}", "- let go\n- walk to {object}"),
        ("You cannot 'drop' here; try \"go to cup 1\".", "You cannot 'let go' here; try \"walk to cup 1\"."),
        ("drop: find[it]\ngo to (object): go to an object", "let go: find[it]\nwalk to (object): go to an object"),
        ("Try: find[Springfield, Ohio], find[a], drop", "Try: [Springfield, Ohio]find, [a]find, let go"),
        ("You cannot go to cup 7 now, nor drop.", "You cannot walk to cup 7 now, nor drop."),
        ("You drop it and go to bed, then take care, and return from town.", None),
        ("Take care, go to what you see, drop, and look around: you may go to bed.", None),
        ("Go to cup 1. The drop falls.", None),
    ],
)
def test_only_whole_quoted_commands_are_rewritten(text: str, renamed: str | None) -> None:
    commands = ["go to {object}", "drop", "take {object} from {place}", "find[{title}]"]
    new = ["walk to {object}", "let go", "{place}: grab {object}", "[{title}]find"]
    assert Wording(commands, dict(zip(commands, new, strict=True))).rewrite(text, ["go to cup 7"]) == (renamed or text)


@pytest.mark.parametrize(
    ("name", "action", "meant"),
    [
        ("synonyms", "find [Kell]", "search[Kell]"),
        ("prepositions", "search for  [Kell [river]].", "search[Kell [river]]"),
        ("order", "[Kell [river]]search", "search[Kell [river]]"),
        ("synonyms", "search [Kell]", None),
        ("functions", "search(title=Kell [river])", "search[Kell [river]]"),
    ],
)
def test_a_blank_before_a_bracket_does_not_matter(name: str, action: str, meant: str | None) -> None:
    assert perturbations("hotpotqa")[name].wording(HOTPOTQA).read(action) == meant


def test_an_old_command_is_not_let_in_through_a_wider_one() -> None:
    wording = Wording(["go to {place}", "go {direction}"], {"go to {place}": "walk to {place}"})
    assert wording.read("walk to bed") == "go to bed"
    assert wording.read("go north") == "go north"
    assert wording.read("go to bed") is None  # "go {direction}" fits, but the engine would read "go to {place}"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("- go to {object}", "found list, expected perturbation"),
        ("bold:", r"bold: found None, expected one or more lines"),
        ("bold: {drop: 7}", r"bold: found {'drop': 7}"),
        ("bold: {'go to {object}': 'go to {thing}'}", r"bold: 'go to {object}' and 'go to {thing}' have different"),
        ("bold: {'go to {object}': 'go'}", "have different parameters"),
        ("bold: {'go to {object}': 'x {object}', 'pickup {object}': 'X {object}'}", "cannot be told apart from"),
    ],
)
def test_a_table_that_is_not_sound_is_refused_with_its_place(table: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "babyai.yaml"
    path.write_text(table)
    with pytest.raises(ValueError, match=message) as caught:
        read_renamings(path)
    assert str(path) in str(caught.value)


def test_a_renaming_that_does_not_fit_the_engine_is_refused() -> None:
    task = Task.from_id(TASKS["babyai"][0])
    for table, message in [
        ({"fly to {object}": "soar to {object}"}, "no command 'fly to"),
        ({"drop": "toggle"}, "perturbation bold: .* cannot be told apart"),
    ]:
        with pytest.raises(ValueError, match=message):
            Perturbed(make_environment(task), Renaming("bold", table)).reset(task)
    with pytest.raises(ValueError, match="babyai has no 'bold'; expected one of synonyms"):
        make_perturbed("bold", task)
    with pytest.raises(ValueError, match="no such 'chess'"):
        perturbations("chess")
