"""Jericho: our games are winnable, say what they refuse, play the same everywhere, and match their sources."""

import hashlib
import lzma
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrefine_lib.environments import EngineMissingError, make_environment
from agentrefine_lib.schema import Task

pytest.importorskip("jericho")

from agentrefine_lib.environments.jericho.environment import Jericho
from agentrefine_lib.environments.jericho.generate import compile_game
from agentrefine_lib.environments.jericho.quest import FOLDER, GAMES, load_quest
from agentrefine_lib.environments.jericho.story import Story

STEP_LIMIT = 30


def start(name: str, seed: int = 0) -> Jericho:
    env = Jericho()
    env.reset(Task(engine="jericho", name=name, seed=seed))
    return env


def follow(env: Jericho, commands: str) -> list[str | None]:
    """Play commands separated by slashes; the error of each."""
    return [env.step(command).error for command in commands.split("/")]


def signatures(env: Jericho, action: str) -> list[str]:
    """The signatures that this action can be read as."""
    return [
        signature
        for signature in env.commands
        if re.fullmatch(re.sub(r"\\{\w+\\}", "(.+)", re.escape(signature)), action)
    ]


@pytest.mark.parametrize("name", GAMES)
def test_the_expert_wins_with_every_subgoal_within_the_step_limit(name: str) -> None:
    for seed in range(3):
        env, credited = start(name, seed), set()
        for taken, (thought, action) in enumerate(env.expert(), start=1):
            assert seed or action in env.valid_actions()
            assert thought[0].isupper() and thought[-1] in ".?!" and "{" not in thought
            result = env.step(action)
            assert result.error is None and taken <= STEP_LIMIT
            credited.add(result.progress)
        assert result.success and result.done and result.progress == 1.0
        assert len(credited - {0.0}) == len(load_quest(name).subgoals)


@pytest.mark.parametrize("name", GAMES)
def test_every_valid_action_is_accepted_and_has_one_signature(name: str) -> None:
    env, rng, progress = start(name, 1), random.Random(name), 0.0
    for _ in range(12):
        offered = env.valid_actions()
        assert offered == sorted(set(offered)) and "look" in offered
        assert all(len(signatures(env, action)) == 1 for action in offered)
        result = env.step(rng.choice(offered))
        assert result.error is None and not result.observation.startswith("(")  # the parser had nothing to guess
        assert progress <= result.progress <= 1.0
        progress = result.progress
        if result.done:
            break


def test_the_seed_decides_the_facts() -> None:
    cards = set()
    for seed in range(8):
        cards.add(start("bakery", seed).step("examine recipe card").observation)
    assert len(cards) == 3


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("dance", "format"),
        ("", "format"),
        ("!?", "format"),
        ("go", "format"),
        ("save", "format"),
        ("_survey", "format"),
        ("examine plaque please", "format"),
        ("take the moon", "parameter"),
        ("give lamp to nobody", "parameter"),
        ("open window", "parameter"),
        ("go east", "logic"),
        ("drop scarf then go north", "parameter"),  # only the first clause counts
        ("take plaque", "logic"),
    ],
)
def test_each_refusal_has_its_kind_and_changes_nothing(action: str, kind: str) -> None:
    env = start("museum")
    before = env.valid_actions()
    result = env.step(action)
    assert (result.error, result.progress, result.done) == (kind, 0.0, False)
    assert result.observation and env.valid_actions() == before


def test_spelling_is_forgiven_and_the_list_can_be_asked_for() -> None:
    env = start("museum")
    assert env.step("  Examine  PLAQUE. ").progress > 0
    assert "examine plaque, go north" in env.step("check valid actions").observation
    assert env.step("go north, then go west").observation.startswith("Long Gallery: Moonlight")


def test_observations_have_no_banner_prompt_or_status_line() -> None:
    observation = start("lighthouse").step("look").observation
    assert observation == Jericho().reset(Task(engine="jericho", name="lighthouse"))
    assert observation.startswith("Jetty: Wet planks") and observation.endswith("is dark.")


def test_things_must_be_in_hand_before_they_are_used() -> None:
    env = start("museum")
    follow(env, "go north/go west")
    assert env.step("put memo in safe").error == "logic"
    assert follow(env, "take memo/drop memo") == [None, None]


def test_a_game_won_another_way_is_a_success() -> None:
    env = start("museum")  # neither plaque nor memo is read: the three years are tried in turn
    follow(
        env, "go north/go west/set dial to 1742/set dial to 1816/set dial to 1893/open safe/take mask/go east/go east"
    )
    follow(
        env, "open tall cabinet/open paint box/open tool chest/take brass key/go west/unlock case with key/open case"
    )
    result = env.step("put mask in case")
    assert result.success and result.done and result.progress == 1.0
    assert env.valid_actions() == [] and env.step("look") == result._replace(
        observation="The episode is over.", error="logic"
    )


def test_death_ends_the_episode_without_success() -> None:
    env = start("mine")
    for _ in range(STEP_LIMIT):
        result = env.step("wait")
        if result.done:
            break
    assert result.done and not result.success and result.progress == 0.0 and "drowned" in result.observation


def test_the_expert_replans_after_somebody_elses_actions() -> None:
    env = start("goat", 3)
    expert = env.expert()
    next(expert)
    follow(env, "go east/take carrot/go west/go north/go north/go south/go east")
    for _, action in expert:
        result = env.step(action)
        assert result.error is None
    assert result.success


def test_the_expert_gives_up_where_the_quest_is_lost() -> None:
    env = start("bakery")
    follow(env, "go north/go west/take flour bag/go east/put flour bag in bowl/take jug/go east/fill jug/go west")
    follow(env, "pour jug into bowl/knead dough/take dough/put dough in oven/wait")  # without any seeds
    assert list(env.expert()) == []


@given(text=st.text() | st.from_regex(r"(take|put|set|talk to|g|oops|undo|say) [\w ]* (in|to|\d+) \w*", fullmatch=True))
@settings(max_examples=150, deadline=None)
def test_no_text_raises(text: str) -> None:
    result = GARBAGE_EATER.step(text)
    assert result.observation and result.error in (None, "format", "parameter", "logic")


GARBAGE_EATER = start("clock_tower")

ROLLOUT = """
import hashlib, random, sys
from agentrefine_lib.environments.jericho.environment import Jericho
from agentrefine_lib.schema import Task
env, seen = Jericho(), hashlib.sha256()
for name in ("shipwreck", "barter"):
    seen.update(env.reset(Task(engine="jericho", name=name, seed=5)).encode())
    seen.update(repr(list(zip(range(3), env.expert()))).encode())
    rng = random.Random(0)
    for _ in range(10):
        actions = env.valid_actions()
        seen.update(repr((actions, env.step(rng.choice(actions)))).encode())
assert not {"spacy", "textworld"} & set(sys.modules)
print(seen.hexdigest())
"""


def test_an_episode_is_the_same_in_every_process_and_needs_neither_spacy_nor_textworld() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", ROLLOUT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(outputs) == 1 and len(outputs.pop()) == 65


def test_a_name_that_is_no_game_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown game 'zork9': expected one of bakery, .*, or the path"):
        start("zork9")


def test_without_jericho_the_engine_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("agentrefine_lib.environments.jericho")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "jericho", None)
    with pytest.raises(EngineMissingError, match="jericho cannot be played here"):
        make_environment(Task(engine="jericho", name="bakery"))


def test_a_shipped_story_is_what_its_source_compiles_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("textworld")
    monkeypatch.setenv("HOME", str(tmp_path))  # the compiler leaves a folder there
    shipped = lzma.decompress((FOLDER / "lighthouse.z8.xz").read_bytes())
    assert compile_game("lighthouse") == shipped


SOURCE = """"The Hall" by Nobody

The Hall is a room. "A dusty hall. Stairs lead down." The Cellar is down from the Hall. The Attic is up from the Hall.
"The oak door is closed here." The brass lamp is in the Hall. The chest is an openable closed container in the Hall.
The description of the chest is "The chest is closed." The ring is in the chest.
After taking the ring: say "Yours."; end the story finally.
"""
POINTS = """"The Points" by Nobody

Use scoring. The maximum score is 10. The Hall is a room. The coin is in the Hall. The bomb is in the Hall.
After taking the coin: increase the score by 5; say "Got it."
To break down: (- @throw 0 9999; -). After taking the bomb: say "Boom."; break down.
After jumping: end the story saying "Nobody wonders, and you won't".
"""


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """The story file of a source in Inform 7."""
    inform = pytest.importorskip("textworld.generator.inform7")
    monkeypatch.setenv("HOME", str(tmp_path))  # the compiler leaves a folder there

    def compiled(source: str) -> Path:
        inform.compile_inform7_game(source, str(tmp_path / "story.z8"))
        return tmp_path / "story.z8"

    return compiled


def test_any_story_file_plays_by_its_path(compiled: Callable[[str], Path]) -> None:
    path, env = compiled(SOURCE), Jericho()
    first = env.reset(Task(engine="jericho", name=str(path), seed=0))
    assert first == "Hall A dusty hall. Stairs lead down. You can see a brass lamp and a chest (closed) here."
    assert re.fullmatch(r"jericho [\d.]+, story [0-9a-f]{8}, score unknown", env.version) and "points" not in env.goal
    offered = {
        "examine chest",
        "examine lamp",
        "go down",
        "go up",
        "inventory",
        "look",
        "open chest",
        "take lamp",
        "wait",
    }
    assert offered <= set(env.valid_actions()) and not {"open lamp", "go west"} & set(env.valid_actions())
    assert follow(env, "dance/take moon/take/go west/open chest") == ["format", "parameter", "format", "logic", None]
    assert follow(env, "open chest/examine chest/x moon/go up/look/go down") == [
        "logic",
        None,
        "parameter",
        None,
        None,
        None,
    ]
    assert list(env.expert()) == [] and env.step("look").progress == 0.0
    result = env.step("take ring")
    assert result.success and result.done and result.observation == "Yours. *** The End ***"


def test_a_story_that_tells_its_score_has_progress_and_one_that_breaks_its_interpreter_is_no_loss(
    compiled: Callable[[str], Path],
) -> None:
    path = compiled(POINTS)
    env = start(str(path))
    assert env.version.endswith(f"story {hashlib.md5(path.read_bytes()).hexdigest()[:8]}") and "points" in env.goal
    assert env.step("take coin").progress == 0.5
    offered = env.valid_actions()
    assert "examine bomb" in offered and "take bomb" not in offered  # which was tried, and the story goes on:
    assert env.step("inventory").observation == "You are carrying: a coin"
    with pytest.raises(RuntimeError, match=r"story.z8: the interpreter halts at 'take bomb'"):
        env.step("take bomb")
    env = start(str(path))
    result = env.step("jump")
    assert result.done and not result.success and result.progress == 0.0


@pytest.mark.parametrize(
    ("raw", "changed", "command", "error"),
    [
        ("It is already open, so you break it.", True, "open mailbox", None),  # what was done overrules the wording
        ("It is already open.", False, "open mailbox", "logic"),
        ("The small mailbox is closed.", False, "examine mailbox", None),
        ("The small mailbox is closed.", False, "take leaflet", "logic"),
        ("You can't see any moon here!", False, "examine moon", "parameter"),
        ("Beg pardon?", False, "open", "format"),
        ("I beg your pardon?", False, "open", "format"),
        ("North of House\nThe windows are locked.", False, "go north", None),
    ],
)
def test_in_a_game_that_jericho_knows_the_world_has_the_last_word(
    raw: str, changed: bool, command: str, error: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(FOLDER / "lighthouse.z8.xz", 0)
    monkeypatch.setattr(story, "supported", True)
    monkeypatch.setattr(story._frotz, "step", lambda _: (f"\n{raw}\n\n>", 0, False, {}))
    monkeypatch.setattr(story._frotz, "_world_changed", lambda: changed)
    assert story.send(command).error == error


def spoilt(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value]) + data[at + 1 :]


WHOLE = lzma.decompress((FOLDER / "lighthouse.z8.xz").read_bytes())


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "found an empty file"),
        (b"not a story" * 20, "found version byte 110, no Z-machine story"),
        (spoilt(WHOLE, 0, 6), "found version byte 6, no Z-machine story of versions 3, 4, 5, 7, 8"),
        (spoilt(WHOLE, 0, 5), r"found the checksum \d+, its header says"),  # another unit of length
        (bytes([5]) + bytes(263), "the interpreter halts before the first command"),
        (WHOLE[:100_000], r"found 100,000 bytes, its header says \d+,\d+: the end is missing"),
        (
            spoilt(WHOLE, 50_000, WHOLE[50_000] ^ 1),
            r"found the checksum \d+, its header says \d+: the file was altered",
        ),
    ],
)
def test_a_file_that_is_no_whole_story_is_refused(data: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "s.z8").write_bytes(data)
    with pytest.raises(ValueError, match=rf"s\.z8: {told}"):
        start(str(tmp_path / "s.z8"))
    (tmp_path / "s.z8").write_bytes(WHOLE + bytes(300))  # filled up, as on old disks
    start(str(tmp_path / "s.z8"))
