"""The embedded teacher: deterministic, solvable, honest flags, readable commands, and spellings that vary."""

import asyncio
import random
import re
import subprocess
import sys
from collections import Counter

import pytest

from agentrefine_lib.schema import DMTurn, PlayerTurn, Script, placeholders
from agentrefine_lib.teachers import COMPLETED, Brief, EmbeddedTeacher, embedded_persona, load_domains
from agentrefine_lib.teachers.embedded.build import CODES, FULL, KEYS, NOTES, PLAIN
from agentrefine_lib.teachers.embedded.errors import judge, read_command
from agentrefine_lib.teachers.embedded.grammar import FORMS
from agentrefine_lib.teachers.embedded.invented import LISTS, invent
from agentrefine_lib.teachers.embedded.player import Player
from agentrefine_lib.teachers.embedded.rules import FLAG_OF, change, check
from agentrefine_lib.teachers.embedded.voice import load_wording
from agentrefine_lib.verify import check_turns, count_refinements, parse_turns

DOMAINS = sorted(load_domains())


def play(teacher, brief, script=None, prefix=()):
    script = script or teacher.game(brief).script
    turns, finding = parse_turns(asyncio.run(teacher.play(brief, script, list(prefix))))
    assert finding is None
    return turns


def exchanges(turns):
    """Each action with its answer; the dungeon master opens the play."""
    return list(zip(turns[1::2], turns[2::2], strict=True))


def readings(script, action):
    """Every action of the script that this text is an instance of, with its arguments."""
    found = []
    for signature, spec in script.available_actions.items():
        match = re.fullmatch(spec.verification_code, action)
        arguments = dict(zip(placeholders(signature), match.groups(), strict=True)) if match else {}
        if match and all(value in spec.parameters[name] for name, value in arguments.items()):
            found.append((signature, arguments))
    return found


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_world_is_solved_in_commands_that_can_be_read_in_one_way_only(domain):
    teacher = EmbeddedTeacher([domain])
    for seed in range(200):
        game = teacher.game(Brief(embedded_persona(seed, (domain,)), seed))
        assert all(len(set(ways)) == len(ways) for ways in game.world.ways.values())
        player, moves = Player(game.world), 0
        for move in player.moves():
            form = game.forms[move.operation]
            [(signature, arguments)] = readings(game.script, form.write(move.arguments))
            assert signature == form.signature
            assert form.read(arguments.values()) == move.arguments
            check(game.world, move.operation, move.arguments)
            change(game.world, move.operation, move.arguments)
            player.notice()
            moves += 1
        assert game.world.done()
        assert moves == game.moves
        assert moves in FULL.moves


@pytest.mark.parametrize("domain", DOMAINS)
def test_flags_are_what_the_rules_of_the_world_say(domain):
    """Replay plays in fresh worlds: errors change nothing and carry their refusal's flag; all six kinds occur."""
    teacher, kinds = EmbeddedTeacher([domain]), set()
    for seed in range(60):
        brief = Brief(embedded_persona(seed, (domain,)), seed)
        game = teacher.game(brief)
        for asked, answer in exchanges(play(teacher, brief)):
            refusal = judge(game, asked.action)
            flags = {flag for flag in FLAG_OF.values() if getattr(answer, flag)}
            if refusal is None:
                assert not flags
                change(game.world, *read_command(game, asked.action))
            else:
                kinds.add(refusal.kind)
                assert flags == {FLAG_OF[refusal.kind]}
        assert game.world.done()
    assert kinds == set(FLAG_OF)


def test_mistakes_are_as_many_as_wished_spread_over_the_play_and_mended():
    teacher, first_time, thirds, quoted, errors = EmbeddedTeacher(), 0, Counter(), 0, 0
    for seed in range(400):
        brief = Brief(embedded_persona(seed), seed)
        turns = play(teacher, brief)
        assert check_turns(teacher.game(brief).script, turns) is None
        first_time += count_refinements(turns) >= 2
        pairs = exchanges(turns)
        wrong = [index for index, (_, answer) in enumerate(pairs) if answer.is_error]
        assert 2 <= len(wrong) <= 5
        for index in wrong:
            errors += 1
            thirds[3 * index // len(pairs)] += 1
            feedback = game_feedback(teacher, brief, pairs[index][1].observation)
            quoted += f'"{feedback}"' in pairs[index + 1][0].thought
    assert first_time >= 0.9 * 400
    assert all(0.2 < thirds[third] / errors < 0.5 for third in range(3))
    assert 0.3 < quoted / errors < 0.7  # the others say it in their own words


def game_feedback(teacher, brief, observation):
    start, end = teacher.game(brief).voice.prefix.split("{}")
    assert observation.startswith(start) and observation.endswith(end)
    return observation[len(start) :]


@pytest.mark.parametrize("domain", ["household", "shell", "museum"])
def test_without_errors_the_same_worlds_are_played_by_an_expert(domain):
    expert = EmbeddedTeacher([domain], errors=(0, 0))
    for seed in range(30):
        brief = Brief(embedded_persona(seed, (domain,)), seed)
        turns = play(expert, brief)
        assert not any(turn.is_error for turn in turns[::2])
        assert turns[-1].observation.endswith(COMPLETED)
        assert expert.game(brief).script == EmbeddedTeacher([domain]).game(brief).script


def test_spellings_and_wordings_vary_between_scripts():
    teacher = EmbeddedTeacher(["household"])
    games = [teacher.game(Brief(embedded_persona(0, ("household",)), seed)) for seed in range(60)]
    assert len({game.forms["take"].signature for game in games}) >= 15
    assert len({game.voice.prefix for game in games}) == len(load_wording()["prefixes"])
    assert len({game.voice.layout["room"] for game in games}) == len(load_wording()["layouts"])
    assert {game.voice.refusals["not_here"] for game in games} == set(load_wording()["refusals"]["not_here"]["say"])


@pytest.mark.parametrize("invented", [False, True])
@pytest.mark.parametrize("domain", DOMAINS)
def test_a_plain_teacher_draws_small_worlds_and_says_a_thing_in_one_way(domain, invented):
    teacher = EmbeddedTeacher([domain], errors=(1, 2), plain=True, invented=invented)
    for seed in range(20):
        brief = Brief(embedded_persona(seed, (domain,)), seed)
        game, turns = teacher.game(brief), play(teacher, brief)
        assert game.moves in PLAIN.moves and len(game.world.places) == 2 and len(game.world.goal) == 1
        assert check_turns(game.script, turns) is None
        pairs = list(exchanges(turns))
        assert 1 <= sum(answer.is_error for _, answer in pairs) <= 2
        wanted = re.escape(game.script.completion_conditions[0])
        begin = re.compile(rf"(That was wrong\. )?I hold [^;]+\. I want that {wanted}; ")
        assert all(
            begin.match(asked.thought) for asked, _ in pairs
        )  # a mistake as well: it is the thought that is refined


def test_invented_names_are_other_words_for_the_same_rules():
    real, invented = (
        load_domains()["garden"],
        [invent(random.Random(seed), load_domains()["garden"]) for seed in range(200)],
    )
    kept = [name in real["items"] for domain in invented for name in domain["items"]]
    assert 0.3 < sum(kept) / len(kept) < 0.6
    assert sum(not domain.get("article", True) for domain in invented) in range(15, 50)
    for domain in invented:
        names = [name for key in LISTS for name in domain[key]]
        assert len(names) == len(set(names)) == sum(len(real[key]) for key in LISTS)
        for ours, known in zip(domain["treatments"], real["treatments"], strict=True):
            assert ours.keys() == known.keys()
        first, second = domain["treatments"][:2]
        assert second["before"] == first["after"]  # what is fertilised was watered before


def test_with_a_fixed_grammar_every_script_of_a_domain_says_things_alike():
    fixed, free = EmbeddedTeacher(["ship"], fixed_grammar=True), EmbeddedTeacher(["ship"])
    spelled, told = {}, set()
    for seed in range(40):
        brief = Brief(embedded_persona(seed, ("ship",)), seed)
        game = fixed.game(brief)
        assert game.script.environment == free.game(brief).script.environment  # only the words differ
        for operation, form in game.forms.items():
            assert spelled.setdefault(operation, form) == form
        told.add((game.voice.prefix, *game.voice.layout.values(), *game.voice.refusals.values()))
        turns = play(fixed, brief)
        assert check_turns(game.script, turns) is None
    assert len(told) == 1
    assert fixed.game(brief).forms != free.game(brief).forms


def test_worlds_have_depth():
    """Order, nesting, both kinds of lock, several conditions and things that are easily mixed up: all are common."""
    common = Counter()
    for domain in DOMAINS:
        teacher = EmbeddedTeacher([domain], errors=(0, 0))
        for seed in range(25):
            brief = Brief(embedded_persona(seed, (domain,)), seed)
            world = teacher.game(brief).world
            holders, items = world.holders.values(), world.items.values()
            nouns = Counter(re.split("[ -]", item.name)[-1] for item in items if item.states)
            used = [read_command(teacher.game(brief), a.action)[0] for a, _ in exchanges(play(teacher, brief))]
            common["nested"] += any(holder.inside for holder in holders)
            common["key"] += any(holder.key for holder in holders)
            common["code"] += any(holder.code for holder in holders)
            common["code entered"] += "enter" in used and "read" in used
            common["unlocked"] += "unlock" in used
            common["conditions"] += len(world.goal) > 1
            common["treated twice"] += sum(":" in operation for operation in used) > 1
            common["alike"] += nouns.most_common(1)[0][1] > 1
    runs = 25 * len(DOMAINS)
    least = {"nested": 0.3, "key": 0.2, "code": 0.2, "code entered": 0.1, "unlocked": 0.1, "conditions": 0.6}
    assert {key: common[key] / runs >= share for key, share in least.items()} == dict.fromkeys(least, True)
    assert common["treated twice"] / runs >= 0.2
    assert common["alike"] / runs >= 0.8


@pytest.mark.parametrize("domain", DOMAINS)
def test_names_are_unique_and_hold_no_word_of_the_grammar(domain):
    entry = load_domains()[domain]
    treatments = entry["treatments"]
    fixed = [*entry["places"], *entry["surfaces"], *entry["containers"], *entry["cases"], *entry["devices"]]
    fixed += [name for t in treatments for name in (*t.get("station", ()), *t.get("tool", ()))]
    fixed += [*entry["items"], *entry.get("keys", KEYS), *entry.get("notes", NOTES), *CODES]
    assert [name for name, count in Counter(fixed).items() if count > 1] == []
    spelled = [text for verbs, shapes in FORMS.values() for text in (*verbs, *shapes)]
    spelled += [verb for t in treatments for verb in t["verbs"]]
    grammar = {word for text in spelled for word in re.findall(r"[a-z]+", re.sub(r"\{\w+\}", "", text))}
    assert [n for n in (*fixed, *entry["traits"]) if grammar & set(re.findall(r"[a-z]+", n.lower()))] == []
    assert not {t[when] for t in treatments for when in ("before", "after")} & set(
        entry["traits"]
    )  # no dirty clean mug
    assert len(entry["places"]) >= 6 and len(entry["surfaces"]) >= 5 and len(entry["containers"]) >= 5
    assert len(entry["traits"]) >= 9 and len(entry["roles"]) >= 6


def test_there_are_at_least_sixteen_domains_of_different_shape():
    entries = load_domains().values()
    assert len(entries) >= 16
    assert {entry["map"] for entry in entries} == {"hub", "line", "ring", "open", "tree"}
    assert {entry["carry"] for entry in entries} == {0, 1, 2}


def test_everything_can_be_said_in_at_least_three_ways():
    wording = load_wording()
    lists = [*wording["thoughts"].values(), *wording["mistakes"].values(), *wording["effects"].values()]
    lists += [ways for entry in wording["refusals"].values() for ways in entry.values()]
    assert min(len(set(ways)) for ways in lists) >= 3


def test_nothing_is_said_with_a_name_or_an_article_missing():
    for seed in range(300):
        teacher = EmbeddedTeacher()
        for turn in play(teacher, Brief(embedded_persona(seed), seed)):
            text = f"{turn.thought} {turn.observation if isinstance(turn, DMTurn) else turn.action}"
            assert not re.search(
                r"\bthe the\b|\ba the\b|\ba [aeiou]|\ban [^aeiou]|  |\bNone\b| ,|\.\.|\. the\b", text
            ), text


def test_the_same_seed_is_the_same_play_in_another_process():
    program = (
        "import asyncio, hashlib, json\n"
        "from agentrefine_lib.teachers import Brief, EmbeddedTeacher, embedded_persona\n"
        "t = EmbeddedTeacher(slip_rate=0.2); out = []\n"
        "for s in range(60):\n"
        "    b = Brief(embedded_persona(s), s); out.append(asyncio.run(t.write_script(b)))\n"
        "    out.append(asyncio.run(t.play(b, t.game(b).script, [])))\n"
        "print(hashlib.sha256(json.dumps(out).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": hash_seed, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for hash_seed in ("0", "1")
    }
    assert len(digests) == 1


def test_playing_a_game_does_not_change_the_next_one():
    teacher, brief = EmbeddedTeacher(), Brief(embedded_persona(1), 1)
    assert play(teacher, brief) == play(teacher, brief) == play(EmbeddedTeacher(), brief)


def test_unknown_domain_is_named():
    with pytest.raises(ValueError, match="no such moonbase; expected some of archive, "):
        EmbeddedTeacher(["moonbase"])


def test_only_the_teachers_own_script_can_be_played(three_turns):
    with pytest.raises(ValueError, match="only play the script that it wrote"):
        play(EmbeddedTeacher(), Brief(embedded_persona(0), 0), three_turns.script)


def test_slips_of_the_teacher_are_of_several_kinds():
    teacher, seen = EmbeddedTeacher(slip_rate=1.0), Counter()
    for seed in range(60):
        brief = Brief(embedded_persona(seed), seed)
        turns = play(teacher, brief)
        finding = check_turns(teacher.game(brief).script, turns)
        seen[finding.reason if finding else count_refinements(turns) >= 2] += 1
        assert Script.model_validate(asyncio.run(teacher.write_script(brief)))
    assert {"error_unflagged", "goal_not_reached", False} <= set(seen)


def test_a_play_is_continued_from_its_prefix():
    rng, teacher = random.Random(0), EmbeddedTeacher()
    for seed in range(60):
        brief = Brief(embedded_persona(seed), seed)
        turns = play(teacher, brief)
        cut = 1 + 2 * rng.randrange(len(turns) // 2)
        rest = play(teacher, brief, prefix=turns[:cut])
        assert isinstance(rest[0], PlayerTurn) and rest[0].turn == turns[cut].turn
        assert check_turns(teacher.game(brief).script, [*turns[:cut], *rest]) is None
