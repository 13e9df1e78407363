"""The embedded teacher: a procedural dungeon master and Player, free, offline and deterministic."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from pydantic import JsonValue

from agentrefine_lib.schema import PlayerTurn, Script, Turn
from agentrefine_lib.teachers.embedded.build import FULL, Game, build_game
from agentrefine_lib.teachers.embedded.errors import Moment, draw_blunder, judge, read_command, recover
from agentrefine_lib.teachers.embedded.invented import invent
from agentrefine_lib.teachers.embedded.personas import domain_of, load_domains
from agentrefine_lib.teachers.embedded.player import Move, Player, count_moves, think
from agentrefine_lib.teachers.embedded.rules import FLAG_OF, Refusal, change
from agentrefine_lib.teachers.embedded.voice import load_wording
from agentrefine_lib.teachers.protocol import COMPLETED, Brief

STUBBORN = 0.15  # how often a play with three mistakes or more has two of them in a row


class EmbeddedTeacher:
    """Writes and plays scripts of the given domains (all by default).

    ``errors``: how many mistakes a play is meant to hold, least and most; (0, 0) for error-free expert data.
    ``slip_rate``: how often, per script and per play, the teacher makes a mistake *as a teacher*, the way a language
    model does: a broken verification code, an error it does not flag, an end short of the goal, a play too smooth.
    The verifier has to find them.
    ``fixed_grammar``: every script of a domain has the same spelling and wording, as in a hand-made environment. The
    worlds stay the same, so that what a model learns from both kinds of data can be compared.
    ``plain``: worlds of two places and one condition that take two to five moves, and one wording for each kind of
    thought: for models that are too small, or tuned too shortly, to learn from more.
    ``invented``: half of the names in a world are invented words, so that they have to be read and cannot be known.
    """

    name = "embedded"

    def __init__(
        self,
        domains: Sequence[str] = (),
        errors: tuple[int, int] = (2, 5),
        slip_rate: float = 0.0,
        fixed_grammar: bool = False,
        plain: bool = False,
        invented: bool = False,
    ) -> None:
        unknown = sorted(set(domains) - set(load_domains()))
        if unknown:
            raise ValueError(
                f"domains: no such {', '.join(unknown)}; expected some of {', '.join(sorted(load_domains()))}"
            )
        self.domains = tuple(domains) or tuple(sorted(load_domains()))
        self.errors = errors
        self.slip_rate = slip_rate
        self.fixed_grammar = fixed_grammar
        self.plain = plain
        self.invented = invented

    def game(self, brief: Brief) -> Game:
        """The world, grammar and script of a brief, as at the start of the play."""
        drawn = _draw_game(brief.key, self.domain(brief), self.fixed_grammar, self.plain, self.invented)
        return drawn._replace(world=drawn.world.copy())

    def domain(self, brief: Brief) -> str:
        """That of the persona's role; for a persona without a role of ours, one drawn for the brief."""
        named = domain_of(brief.persona, self.domains)
        return named or random.Random(f"domain {brief.key}").choice(self.domains)

    async def write_script(self, brief: Brief) -> JsonValue:
        script = self.game(brief).script.model_dump(by_alias=True)
        rng = random.Random(f"script slip {brief.key}")
        if rng.random() < self.slip_rate:
            action = rng.choice(sorted(script["Available Actions"]))
            script["Available Actions"][action]["verification code"] = rf"^\s*{action.split()[0]}\s+(.+"
        return script

    async def play(self, brief: Brief, script: Script, prefix: list[Turn]) -> JsonValue:
        game = self.game(brief)
        if script.goal != game.script.goal:
            raise ValueError("the embedded teacher can only play the script that it wrote for the same brief")
        turns = _Play(game, random.Random(f"play {len(prefix)} {brief.key}"), self).run(prefix)
        return list[JsonValue](turns)


@lru_cache(maxsize=256)
def _draw_game(key: str, domain: str, fixed_grammar: bool, plain: bool, invented: bool) -> Game:
    """Games are asked for twice, to write the script and to play it; many may be under way at once."""
    speech = random.Random(f"speech {domain}" if fixed_grammar else f"speech {key}")
    words = load_domains()[domain]
    if invented:
        words = invent(random.Random(f"words {key}"), words)
    return build_game(random.Random(f"world {key}"), speech, words, plain)


class _Play:
    """One play in progress: the turns so far, and the mistakes that are still to be made."""

    def __init__(self, game: Game, rng: random.Random, teacher: EmbeddedTeacher) -> None:
        self.game = game
        self.rng = rng
        self.turns: list[dict[str, JsonValue]] = []
        self.number = 0
        self.played: list[tuple[str, dict[str, str]]] = []
        self.made: list[str] = []  # kinds of the mistakes so far
        self.errors = rng.randint(*teacher.errors)
        self.slip = rng.choice(("unflagged", "unfinished", "smooth")) if rng.random() < teacher.slip_rate else ""
        if self.slip == "smooth":
            self.errors = min(self.errors, 1)

    def run(self, prefix: list[Turn]) -> list[dict[str, JsonValue]]:
        """The turns after ``prefix``, to the end of the play."""
        player = Player(self.game.world)
        for turn in prefix:
            if isinstance(turn, PlayerTurn):
                self._repeat(turn.action)
                player.notice()
        if prefix:
            self.number = prefix[-1].turn + 1
        else:
            self._dm(self._judging("begin"), self.game.voice.room(self.game.world))
        planned = self._plan(count_moves(player, FULL.moves.stop) if prefix else self.game.moves)
        due = 0
        for position, move in enumerate(player.moves()):
            due += planned[position]
            moment = Moment(self.rng, self.game, player, move, self.played)
            made = len(self.made)
            thought = self._stumble(moment, due)
            due -= len(self.made) - made
            self._succeed(move, thought)
            player.notice()
            if self.slip == "unfinished" and len(self.turns) > 6:
                break
        return self.turns

    def _plan(self, moves: int) -> Counter[int]:
        """How many mistakes come before each move: spread over the play, because two in a row are one refinement."""
        count = min(self.errors - len(self.made), moves)
        positions = self.rng.sample(range(moves), max(count, 0))
        if len(positions) > 2 and self.rng.random() < STUBBORN:
            positions[0] = positions[1]
        return Counter(positions)

    def _repeat(self, action: str) -> None:
        """Bring the world to where a verified action left it; its errors changed nothing."""
        refusal = judge(self.game, action)
        if refusal is None:
            command = read_command(self.game, action)
            change(self.game.world, *command)
            self.played.append(command)
        else:
            self.made.append(refusal.kind)

    def _stumble(self, moment: Moment, times: int) -> str:
        """Mistakes before a move, as many as fit the moment. Returns the thought that recovers and leads on."""
        intention = think(
            self.rng, self.game.voice, self.game.world, moment.move, self.game.forms[moment.move.operation].signature
        )
        refusal, feedback = None, ""
        for _ in range(times):
            blunder = draw_blunder(moment, self.made)
            if blunder is None:
                break
            thought = blunder.thought or intention
            self._player(recover(moment, refusal, feedback, thought) if refusal else thought, blunder.action)
            refusal = blunder.refusal
            feedback = self._refuse(refusal)
            self.made.append(refusal.kind)
        return recover(moment, refusal, feedback, intention) if refusal else intention

    def _refuse(self, refusal: Refusal) -> str:
        feedback = self.game.voice.refuse(self.game.world, refusal)
        flag = FLAG_OF[refusal.kind]
        if self.slip == "unflagged" and flag == "parameter_error":
            self.slip = ""
            self._dm("The Player goes on.", feedback)
        else:
            self._dm(self._judging("refuse").format(feedback), self.game.voice.prefix.format(feedback), flag)
        return feedback

    def _succeed(self, move: Move, thought: str) -> None:
        game = self.game
        self._player(thought, game.forms[move.operation].write(move.arguments))
        change(game.world, move.operation, move.arguments)
        observation = game.voice.effect(game.world, move.operation, move.arguments)
        self.played.append((move.operation, move.arguments))
        if game.world.done():
            self._dm(self._judging("done"), f"{observation} {COMPLETED}")
        else:
            self._dm(self._judging("accept"), observation)

    def _judging(self, verdict: str) -> str:
        return str(self.rng.choice(load_wording()["judging"][verdict]))

    def _player(self, thought: str, action: str) -> None:
        self.turns.append({"turn": self.number, "role": "Player", "Thought": thought, "Action": action})
        self.number += 1

    def _dm(self, thought: str, observation: str, flag: str = "") -> None:
        turn: dict[str, JsonValue] = {"turn": self.number, "role": "DM", "Thought": thought, "Observation": observation}
        flags = {name: name == flag for name in ("parameter_error", "place_error", "logic_error")}
        self.turns.append(turn | flags)
        self.number += 1
