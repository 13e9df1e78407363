"""The embedded teacher: a procedural dungeon master and Player, free, offline and deterministic."""

from __future__ import annotations

import random
from collections.abc import Sequence

from pydantic import JsonValue

from agentrefine_lib.schema import DMTurn, PlayerTurn, Script, Turn
from agentrefine_lib.teachers.embedded.build import Game, build_game
from agentrefine_lib.teachers.embedded.errors import Blunder, draw_blunder, read_command, recovery
from agentrefine_lib.teachers.embedded.personas import domain_of, load_domains
from agentrefine_lib.teachers.embedded.player import Move, Player
from agentrefine_lib.teachers.embedded.world import FLAG_OF, Refusal
from agentrefine_lib.teachers.protocol import COMPLETED, Brief

ERROR_CHANCE = 0.4  # of a mistake before a move, while the play still has some to make


class EmbeddedTeacher:
    """Writes and plays scripts of the given domains (all by default).

    ``errors``: how many mistakes a play is meant to hold, least and most; (0, 0) for error-free expert data.
    ``slip_rate``: how often, per script and per play, the teacher makes a mistake *as a teacher*, the way a language
    model does: a broken verification code, an error it does not flag, an end short of the goal. The verifier has to
    find them.
    """

    name = "embedded"

    def __init__(self, domains: Sequence[str] = (), errors: tuple[int, int] = (2, 5), slip_rate: float = 0.0) -> None:
        unknown = sorted(set(domains) - set(load_domains()))
        if unknown:
            raise ValueError(
                f"domains: no such {', '.join(unknown)}; expected some of {', '.join(sorted(load_domains()))}"
            )
        self.domains = tuple(domains) or tuple(sorted(load_domains()))
        self.errors = errors
        self.slip_rate = slip_rate

    def game(self, brief: Brief) -> Game:
        """The world, grammar and script of a brief, as at the start of the play."""
        rng = random.Random(f"world {brief.key}")
        domain = domain_of(brief.persona, self.domains) or rng.choice(self.domains)
        return build_game(rng, load_domains()[domain])

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
        return [turn.model_dump(by_alias=True) for turn in turns]


class _Play:
    """One play in progress: the turns so far, and how many mistakes are still to be made."""

    def __init__(self, game: Game, rng: random.Random, teacher: EmbeddedTeacher) -> None:
        self.game = game
        self.rng = rng
        self.turns: list[Turn] = []
        self.number = 0
        self.played: list[str] = []
        self.errors_left = rng.randint(*teacher.errors)
        self.slip = rng.choice(("unflagged", "unfinished")) if rng.random() < teacher.slip_rate else ""

    def run(self, prefix: list[Turn]) -> list[Turn]:
        """The turns after ``prefix``, to the end of the play."""
        player = Player(self.game.world, self.rng)
        for turn in prefix:
            if isinstance(turn, PlayerTurn):
                self._repeat(turn.action)
                player.notice()
        if prefix:
            self.number = prefix[-1].turn + 1
        else:
            self._dm("The play begins.", self.game.world.describe())
        for move in player.moves():
            thought = move.thought
            while self.errors_left > 0 and self.rng.random() < ERROR_CHANCE:
                thought = self._blunder(move) or thought
            self._succeed(move, thought)
            player.notice()
            if self.slip == "unfinished" and len(self.turns) > 6:
                break
        return self.turns

    def _repeat(self, action: str) -> None:
        """Bring the world to where a verified action left it; its errors changed nothing."""
        try:
            operation, arguments = read_command(self.game, action)
            self.game.world.check(operation, arguments)
            self.game.world.apply(operation, arguments)
        except Refusal:
            self.errors_left -= 1

    def _blunder(self, move: Move) -> str:
        """A mistake, answered by the dungeon master; returns the thought that recovers from it ("" if none fits)."""
        blunder = draw_blunder(self.rng, self.game, move, self.played)
        self.errors_left -= 1
        if blunder is None:
            return ""
        self._player(blunder.thought, blunder.action)
        feedback = self._refuse(blunder)
        return recovery(blunder, feedback, move, self.game.forms[move.operation].signature)

    def _refuse(self, blunder: Blunder) -> str:
        try:
            operation, arguments = read_command(self.game, blunder.action)
            self.game.world.check(operation, arguments)
        except Refusal as refusal:
            flag = FLAG_OF[refusal.kind]
            if self.slip == "unflagged" and flag == "parameter_error":
                self.slip = ""
                self._dm("The Player goes on.", refusal.feedback)
            else:
                self._dm(f"This cannot work: {refusal.feedback}", f"Error: {refusal.feedback}", flag)
            return refusal.feedback
        raise AssertionError(f"a blunder that works: {blunder}")

    def _succeed(self, move: Move, thought: str) -> None:
        action = self.game.forms[move.operation].write(move.arguments)
        self._player(thought, action)
        self.game.world.check(move.operation, move.arguments)
        observation = self.game.world.apply(move.operation, move.arguments)
        self.played.append(action)
        if self.game.world.done():
            self._dm("Every completion condition holds now.", f"{observation} {COMPLETED}")
        else:
            self._dm("The command is valid and possible here.", observation)

    def _player(self, thought: str, action: str) -> None:
        self.turns.append(PlayerTurn(turn=self.number, thought=thought, action=action))
        self.number += 1

    def _dm(self, thought: str, observation: str, flag: str = "") -> None:
        turn = DMTurn(turn=self.number, thought=thought, observation=observation)
        self.turns.append(turn.model_copy(update={flag: True}) if flag else turn)
        self.number += 1
