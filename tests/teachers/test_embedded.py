"""The embedded teacher: deterministic, solvable, honest flags, and spellings that vary."""

import asyncio
import random
import subprocess
import sys

import pytest

from agentrefine_lib.schema import DMTurn, PlayerTurn
from agentrefine_lib.teachers import COMPLETED, Brief, EmbeddedTeacher, embedded_persona, load_domains
from agentrefine_lib.teachers.embedded.errors import read_command
from agentrefine_lib.teachers.embedded.world import FLAG_OF, Refusal


@pytest.mark.parametrize("domain", sorted(load_domains()))
def test_every_world_is_solved_by_its_player(domain):
    teacher = EmbeddedTeacher([domain], errors=(0, 0))
    for seed in range(150):
        brief = Brief(embedded_persona(seed, (domain,)), seed)
        game = teacher.game(brief)
        turns = asyncio.run(teacher.play(brief, game.script, []))
        assert turns[-1]["Observation"].endswith(COMPLETED)
        assert not any(turn.get("logic_error") for turn in turns)


def test_flags_are_what_the_rules_of_the_world_say(trajectories):
    """Replay every accepted play in a fresh world: errors change nothing and carry the flag of their refusal."""
    teacher, kinds = EmbeddedTeacher(), set()
    for trajectory in trajectories:
        games = (teacher.game(Brief(trajectory.persona, trajectory.seed, attempt)) for attempt in range(5))
        game = next(g for g in games if g.script == trajectory.script)
        for asked, answer in zip(trajectory.turns[1::2], trajectory.turns[2::2], strict=True):
            assert isinstance(asked, PlayerTurn) and isinstance(answer, DMTurn)
            try:
                operation, arguments = read_command(game, asked.action)
                game.world.check(operation, arguments)
            except Refusal as refusal:
                kinds.add(refusal.kind)
                assert getattr(answer, FLAG_OF[refusal.kind])
            else:
                assert not answer.is_error
                game.world.apply(operation, arguments)
        assert game.world.done()
    assert kinds == set(FLAG_OF)  # all six kinds of error occur


def test_spellings_vary_between_scripts():
    teacher = EmbeddedTeacher(["household"])
    persona = embedded_persona(0, ("household",))
    signatures = {teacher.game(Brief(persona, seed)).forms["take"].signature for seed in range(40)}
    assert len(signatures) >= 15


def test_the_same_seed_is_the_same_play_in_another_process():
    program = (
        "import asyncio, hashlib, json\n"
        "from agentrefine_lib.teachers import Brief, EmbeddedTeacher, embedded_persona\n"
        "t = EmbeddedTeacher(slip_rate=0.2); out = []\n"
        "for s in range(30):\n"
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


def test_unknown_domain_is_named():
    with pytest.raises(ValueError, match="no such moonbase; expected some of household"):
        EmbeddedTeacher(["moonbase"])


def test_a_play_is_continued_from_its_prefix(trajectories):
    rng = random.Random(0)
    teacher = EmbeddedTeacher()
    for trajectory in trajectories[:10]:
        briefs = (Brief(trajectory.persona, trajectory.seed, attempt) for attempt in range(5))
        brief = next(b for b in briefs if teacher.game(b).script == trajectory.script)
        cut = 1 + 2 * rng.randrange(len(trajectory.turns) // 2)
        rest = asyncio.run(teacher.play(brief, trajectory.script, trajectory.turns[:cut]))
        assert rest[0]["turn"] == trajectory.turns[cut].turn
        assert rest[-1]["Observation"].endswith(COMPLETED)
