"""The embedded teacher: properties of generated plays of every mechanic; a new one is tested by being there."""

import asyncio
import random
import re
import subprocess
import sys
from collections import Counter
from functools import cache

import pytest

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.schema import (
    COMPLETED,
    DMTurn,
    Match,
    PlayerTurn,
    Script,
    Trajectory,
    format_example,
    match_action,
    parse_reply,
)
from agentrefine_lib.synthesis import Job, Limits, synthesize_one
from agentrefine_lib.teachers import MECHANICS, Brief, EmbeddedTeacher, embedded_persona, load_costumes
from agentrefine_lib.teachers.embedded.errors import FLAG_OF, KINDS
from agentrefine_lib.teachers.embedded.game import MOVES, draw_game
from agentrefine_lib.teachers.embedded.grammar import FORMS
from agentrefine_lib.teachers.embedded.mechanics import load_mechanic
from agentrefine_lib.teachers.embedded.names import load_words, with_pronouns
from agentrefine_lib.teachers.embedded.rendering import Rendering
from agentrefine_lib.teachers.learner import spec_behind
from agentrefine_lib.verify import check_script, check_turns, count_refinements, parse_turns

PLAYS = 60  # of each mechanic
UGLY = r"\bthe (?:the|a|an)\b|\ban? (?:the|an?)\b|  |\bNone\b|\bTrue\b|\bFalse\b| ,|\.\.|\?\.|[{}]|\bis it is\b"
UNGRAMMATICAL = r"\bI (?:are|were|is)\b|\b(?:of|to|with|at|by|brings|tells) I\b|\bme (?:am|can|have)\b|\byourself\b"


def brief_of(seed):
    return Brief(embedded_persona(seed), seed)


def play(teacher, brief, script=None, prefix=()):
    script = script or teacher.game(brief).script
    turns, finding = parse_turns(asyncio.run(teacher.play(brief, script, list(prefix))))
    assert finding is None
    return turns


def exchanges(turns):
    """Each action with its answer; the dungeon master opens the play."""
    return list(zip(turns[1::2], turns[2::2], strict=True))


@cache
def plays(mechanic, **settings):
    """Games, as at their start, and their turns."""
    teacher = EmbeddedTeacher([mechanic], **settings)
    return [(teacher.game(brief_of(seed)), play(teacher, brief_of(seed))) for seed in range(PLAYS)]


every_mechanic = pytest.mark.parametrize("mechanic", MECHANICS)


@every_mechanic
def test_plays_are_verified_and_flagged_as_the_world_says(mechanic):
    """Replayed in a fresh world: errors carry their refusal's flag, the rest is accepted; kinds are mixed."""
    teacher, kinds = EmbeddedTeacher([mechanic]), Counter()
    for seed, (game, turns) in enumerate(plays(mechanic)):
        assert isinstance(check_script(game.script.model_dump(by_alias=True)), Script)
        assert check_turns(game.script, turns) is None
        assert game.moves in MOVES
        replayed = teacher.game(brief_of(seed))
        for asked, answer in exchanges(turns):
            refusal = replayed.answer(asked.action).verdict.refusal
            assert answer.flags == ([FLAG_OF[refusal.kind]] if refusal else [])
            kinds.update([refusal.kind] if refusal else [])
        assert replayed.done
    assert len(set(kinds) & set(KINDS)) >= 5  # in some mechanics nothing is absent, or everything is in reach
    assert max(kinds.values()) < 0.6 * kinds.total()


@every_mechanic
def test_nearly_every_play_mends_two_errors_at_the_first_attempt(mechanic):
    assert sum(count_refinements(turns) >= 2 for _, turns in plays(mechanic)) >= 0.97 * PLAYS


@every_mechanic
def test_the_player_names_only_what_it_was_told(mechanic):
    """In thoughts and in trained actions, at every step; wrong names are made by bending those that were told."""
    free = load_mechanic(mechanic).words.get("free", ())
    for game, turns in plays(mechanic, examples=0.0):
        slots = {kind for kinds in game.slots.values() for kind in kinds if kind not in free}
        names = {
            name: re.compile(rf"(?<!\w){re.escape(name.lower())}(?!\w)")
            for kind in slots
            for name in game.world.names(kind)
        }
        told = to_conversation(Trajectory(id="a", script=game.script, turns=turns)).conversations[0].value.lower()
        for asked, answer in exchanges(turns):
            spoken = f"{asked.thought}\n{'' if answer.is_error else asked.action}".lower()
            assert [n for n, said in names.items() if said.search(spoken) and not said.search(told)] == []
            told += f"\n{asked.action}\n{answer.observation}".lower()


@every_mechanic
def test_the_expert_has_no_way_to_the_world(mechanic):
    for game, _ in plays(mechanic):
        assert not any(type(value) is type(game.world) or value is game for value in vars(game.expert).values())


@every_mechanic
@pytest.mark.parametrize("loops", [0.0, 0.7])
def test_after_a_refusal_another_action_is_trained(mechanic, loops):
    longest = 0
    for _, turns in plays(mechanic, loops=loops) if loops else plays(mechanic):
        refused: Counter[str] = Counter()
        for asked, answer in exchanges(turns):
            if answer.is_error:
                refused[asked.action] += 1
                longest = max(longest, refused[asked.action])
            else:
                assert asked.action not in refused
                refused.clear()
    assert longest == (4 if loops else 1)


def test_mistakes_are_as_frequent_as_the_papers_and_anywhere():
    """Figure 13: of all turns 0.16 are single errors, 0.018 stand in runs of two, 0.003 in runs of three."""
    runs, thirds, total, first = Counter(), Counter(), 0, 0
    everything = [turns for mechanic in MECHANICS for _, turns in plays(mechanic)]
    for turns in everything:
        verdicts = "".join(str(int(answer.is_error)) for _, answer in exchanges(turns))
        total += len(verdicts)
        first += verdicts[0] == "1"
        for run in re.findall("1+", verdicts):
            runs[len(run)] += len(run)
        thirds.update(3 * index // len(verdicts) for index, error in enumerate(verdicts) if error == "1")
    assert 0.13 < runs[1] / total < 0.23
    assert 0.008 < runs[2] / total < 0.04
    assert runs[3] / total < 0.015
    assert all(0.2 < thirds[third] / thirds.total() < 0.5 for third in range(3))
    assert first / len(everything) < 0.4


@every_mechanic
def test_without_errors_the_same_scripts_are_played_by_an_expert(mechanic):
    purposes = [load_words("thoughts")[purpose] for purpose in ("mend", "baffled", "ask", "review")]
    starts = {style.split("{")[0] for styles in purposes for style in styles}
    mending = tuple(start for start in starts if len(start) > 12)
    for (expert, turns), (game, _) in zip(plays(mechanic, errors=(0, 0)), plays(mechanic), strict=True):
        assert expert.script == game.script
        assert not any(answer.is_error for _, answer in exchanges(turns))
        assert len(exchanges(turns)) == expert.moves
        assert turns[-1].observation.endswith(COMPLETED)
        assert not any(asked.thought.startswith(mending) for asked, _ in exchanges(turns))


@every_mechanic
def test_every_command_is_read_as_what_it_is(mechanic):
    for game, _ in plays(mechanic)[:30]:
        slots = {name: kinds for name, kinds in game.slots.items() if name not in game.world.unused}
        for command in game.world.commands(slots):
            form = game.speech.grammar.forms[command[0]]
            assert game.judge(form.write(command)).command == command[: 1 + len(form.order)]
            assert isinstance(match_action(game.script, form.write(command)), Match)


@every_mechanic
@pytest.mark.parametrize("form", FORMS)
def test_a_trained_action_is_read_from_its_reply_as_it_was_written(mechanic, form):
    """What a player's reply is cleaned of (brackets around it, quotation marks) is no part of any command."""
    teacher = EmbeddedTeacher([mechanic], grammars=[form])
    for seed in range(4):
        for said, answer in exchanges(play(teacher, brief_of(seed))):
            if not answer.flags:
                assert parse_reply(f"Thought: {said.thought}\nAction: {said.action}").action == said.action


@every_mechanic
def test_texts_are_well_formed_and_short(mechanic):
    words = []
    for game, turns in plays(mechanic):
        texts = [game.script.goal, game.script.rules, *(t.observation for t in turns if isinstance(t, DMTurn))]
        for asked, _ in exchanges(turns):
            assert parse_reply(f"Thought: {asked.thought}\nAction: {asked.action}").thought == asked.thought
            assert asked.thought[0].isupper() or asked.thought[0] == '"' or not asked.thought[0].isalpha()
            assert asked.thought[-1] in '.?!"' and "\n" not in asked.thought
            words.append(len(asked.thought.split()))
            texts.append(asked.thought)
        for text in texts:
            plain = re.sub(r'"[^"]*"', "Q", text)
            for signature in game.script.available_actions:
                plain = plain.replace(signature, "S")
            assert not re.search(UGLY, plain), text
        for asked, _ in exchanges(turns):
            assert not re.search(UNGRAMMATICAL, re.sub(r'"[^"]*"', "Q", asked.thought)), asked.thought
    assert 9 < sum(words) / len(words) < 20


@every_mechanic
def test_half_of_the_scripts_show_an_example_of_another_world_in_the_same_words(mechanic):
    shown = [game for game, _ in plays(mechanic) if game.script.example]
    assert 0.3 < len(shown) / PLAYS < 0.7
    for game in shown:
        goal, observation, steps = read_example(game.script.example)
        assert format_example(goal, observation, steps) == game.script.example
        assert 1 <= len(steps) <= 8
        heads = tuple(signature.split("{")[0] for signature in game.script.available_actions)
        assert all(action.startswith(heads) for _, action, _ in steps)


def read_example(text):
    """Goal, first observation and steps of the play that an example shows."""
    first, observation, *rest = re.split(r"\n(?=Observation: |Thought: )", text.removesuffix("\nEnd of the example."))
    steps = []
    for said, answer in zip(rest[::2], rest[1::2], strict=True):
        thought, _, action = said.removeprefix("Thought: ").partition("\nAction: ")
        steps.append((thought, action, answer.removeprefix("Observation: ")))
    goal = first.removeprefix("An example, in another place:\nGoal: ")
    return goal, observation.removeprefix("Observation: "), steps


@every_mechanic
def test_the_words_of_a_mechanic_are_complete(mechanic):
    words = load_mechanic(mechanic).words
    for name, entry in words["operations"].items():
        slots, optional = entry["slots"], entry.get("optional", 0)
        assert len(set(entry["verbs"])) >= 3 and all(isinstance(verb, str) for verb in entry["verbs"]), name
        assert entry["means"] and set(slots) <= set(load_words("grammar")["slots"]), name
        needed = [max(map(int, re.findall(r"\{(\d)", phrase)), default=-1) for phrase in entry["do"]]
        assert min(needed) < len(slots) - optional, f"{name}: no phrase without the argument that may be left out"
        assert len(entry.get("prepositions", ())) == max(len(slots) - 1, 0), name
        assert all(isinstance(word, str) for group in entry.get("prepositions", ()) for word in group), name
    for name, entry in words["facts"].items():
        assert all(isinstance(clause, str) for clause in (entry if isinstance(entry, list) else entry["say"])), name


def test_a_fact_without_words_is_named_with_its_file():
    with pytest.raises(KeyError, match=r"mechanics/places\.yaml: facts: found no 'flies', expected a list of clauses"):
        Rendering(random.Random(0), "places").clause(("flies", "the cup"))


def test_spellings_and_wordings_vary_between_scripts():
    games = [game for mechanic in MECHANICS for game, _ in plays(mechanic)]
    assert len({game.speech.grammar.form for game in games}) >= len(FORMS) - 2
    assert {game.speech.rendering.style for game in games} == set(load_words("rendering")["styles"])
    assert {game.speech.goal for game in games} == set(load_words("goals")["forms"])
    tables = Counter(tuple(sorted(game.script.available_actions)) for game in games)
    assert tables.most_common(1)[0][1] <= 3


def test_there_are_twenty_styles_for_every_purpose():
    for purpose in ("explore", "act", "mend", "finish"):
        styles = load_words("thoughts")[purpose]
        assert len(set(styles)) >= 20
        assert all(re.search(r"\{(fact|why|lack|target|quote|fault|said|refused|do)\}", s.lower()) for s in styles)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("The hall may hold the key, so I go to the hall.", "The hall may hold the key, so I go there."),
        ("I need the key, so I pick up the key.", "I need the key, so I pick it up."),
        ('I see "the key is here", "the key".', 'I see "the key is here", "the key".'),
        ("I need the key. The key is here.", "I need the key. It is here."),
        ("I need the key, so I walk up to the key.", "I need the key, so I walk up to it."),
        ("The key is in the hall. The hall is far, the key not.", "The key is in the hall. It is far, the key not."),
    ],
)
def test_what_is_named_again_is_a_pronoun_for_one_thing_at_most(text, said):
    assert with_pronouns(text, ["hall", "key"]) == said


def test_parts_can_be_chosen_and_unknown_ones_are_named():
    teacher = EmbeddedTeacher(["places"], ["ship"], ["brackets"])
    games = [teacher.game(brief_of(seed)) for seed in range(20)]
    assert all(game.speech.mechanic is load_mechanic("places") for game in games)
    assert {game.speech.costume for game in games} <= {"ship", ""}
    assert all("[" in signature for game in games for signature in game.script.available_actions)
    for what in ("mechanics", "costumes", "grammars"):
        with pytest.raises(ValueError, match=f"{what}: no such x; expected some of "):
            EmbeddedTeacher(**{what: ["x"]})


def test_the_same_seed_is_the_same_play_in_another_process():
    program = (
        "import asyncio, hashlib, json\n"
        "from agentrefine_lib.teachers import Brief, EmbeddedTeacher, embedded_persona\n"
        "t = EmbeddedTeacher(slip_rate=0.2, loops=0.2); out = []\n"
        "for s in range(100):\n"
        "    b = Brief(embedded_persona(s), s); out.append(asyncio.run(t.write_script(b)))\n"
        "    out.append(asyncio.run(t.play(b, t.game(b).script, [])))\n"
        "print(hashlib.sha256(json.dumps(out).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": hash_seed, "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for hash_seed in ("0", "1")
    }
    assert len(digests) == 1


def test_playing_a_game_does_not_change_the_next_one():
    teacher, brief = EmbeddedTeacher(), brief_of(1)
    assert play(teacher, brief) == play(teacher, brief) == play(EmbeddedTeacher(), brief)


def test_only_the_teachers_own_script_can_be_played(three_turns):
    with pytest.raises(ValueError, match="only play the script that it wrote"):
        play(EmbeddedTeacher(), brief_of(0), three_turns.script)


def test_slips_of_the_teacher_are_of_several_kinds():
    teacher, seen = EmbeddedTeacher(slip_rate=1.0), Counter()
    for seed in range(60):
        turns = play(teacher, brief_of(seed))
        finding = check_turns(teacher.game(brief_of(seed)).script, turns)
        seen[finding.reason if finding else count_refinements(turns) >= 2] += 1
        assert Script.model_validate(asyncio.run(teacher.write_script(brief_of(seed))))
    assert {"error_unflagged", "goal_not_reached", False} <= set(seen)


def test_a_play_is_continued_from_its_prefix():
    rng, teacher = random.Random(0), EmbeddedTeacher()
    for seed in range(60):
        turns = play(teacher, brief_of(seed))
        cut = 1 + 2 * rng.randrange(len(turns) // 2)
        rest = play(teacher, brief_of(seed), prefix=turns[:cut])
        assert isinstance(rest[0], PlayerTurn) and rest[0].turn == turns[cut].turn
        assert check_turns(teacher.game(brief_of(seed)).script, [*turns[:cut], *rest]) is None


def test_there_are_at_least_sixteen_costumes():
    assert len(load_costumes()) >= 16
    for entry in load_costumes().values():
        assert len(entry["rooms"]) >= 6 and len(entry["things"]) >= 9 and len(entry["roles"]) >= 6


@every_mechanic
def test_a_goal_may_name_kinds_of_numbered_things(mechanic):
    """Such a game is found again; until a thing was seen, its number is in no thought."""
    teacher, named = EmbeddedTeacher([mechanic], kinds=1.0, slip_rate=0.0, examples=0.0), 0
    for seed in range(4):
        trajectory, *_ = asyncio.run(synthesize_one(teacher, Job("p", embedded_persona(seed), seed), Limits()))
        spec = spec_behind(trajectory)
        assert spec.kinds and draw_game(spec).script == trajectory.script
        game, told = draw_game(spec), trajectory.script.rules
        assert not set(game._kinds).intersection(re.findall(r"[^.,:;]+? \d+", trajectory.script.goal))
        named += any(kind in trajectory.script.goal for kind in game._kinds.values())
        for turn in trajectory.turns:
            if turn.role == "DM":
                told += turn.observation
            else:
                unseen = [name for name in game._kinds if name.lower() not in told.lower()]
                assert not [name for name in unseen if re.search(rf"\b{name}\b", turn.thought, re.IGNORECASE)]
    assert named or mechanic not in ("places", "cells", "rooms", "sorting", "routes")


@every_mechanic
def test_plain_games_are_told_in_few_words_and_found_again(mechanic):
    teacher = EmbeddedTeacher([mechanic], plain=1.0)
    for seed in range(3):
        trajectory, *_ = asyncio.run(synthesize_one(teacher, Job("p", embedded_persona(seed), seed), Limits()))
        spec = spec_behind(trajectory)
        assert spec.plain and spec.form == "natural"
        assert draw_game(spec).script == trajectory.script
        speech = draw_game(spec).speech
        assert (speech.rendering.style, speech.rendering.refusing) == ("prose", "informative")
