"""The embedded teacher: a procedural dungeon master and Player, free, offline and deterministic."""

import random
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from pydantic import JsonValue

from agentrefine_lib.schema import ERROR_FLAGS, PlayerTurn, Script, Turn
from agentrefine_lib.teachers.embedded.errors import FLAG_OF, Blunder, draw_blunder
from agentrefine_lib.teachers.embedded.game import Answer, Game, GameSpec, draw_game, purpose_of
from agentrefine_lib.teachers.embedded.grammar import FORMS, NATURAL
from agentrefine_lib.teachers.embedded.mechanic import Step
from agentrefine_lib.teachers.embedded.mechanics import MECHANICS
from agentrefine_lib.teachers.embedded.names import load_costumes, load_words
from agentrefine_lib.teachers.embedded.personas import costume_of
from agentrefine_lib.teachers.embedded.thoughts import Refused
from agentrefine_lib.teachers.protocol import Brief

RATES = (0.05, 0.28)  # of mistakes at each move; a play draws its own
RUNS = {1: 92, 2: 7, 3: 1}  # mistakes in a row (the paper's figure 13: of two a tenth of all, of three a sixtieth)
LOOPS = {1: 6, 2: 3, 3: 1}  # how often a refused action is repeated where a loop is wished
LONGEST = 60  # moves; worlds that need more than twenty are not drawn
ASKS, LOOKS = 0.3, 0.15  # ways out of a refusal, where the grammar has them


class EmbeddedTeacher:
    """Writes and plays scripts of the given mechanics, costumes and grammars (all by default).

    ``errors``: how many mistakes a play is meant to hold, least and most; (0, 0) for error-free expert data: the same
    worlds in the same words, with no mistake and no mending thought.
    ``slip_rate``: how often, per script and per play, the teacher makes a mistake *as a teacher*, the way a language
    model does: a broken verification code, a command listed by another name than the play uses, commands that do not
    exist and that it does not flag as errors, an end short of the goal, a play too smooth. The verifier has to find
    them.
    ``loops``: the share of mistakes that are repeated one to three times before they are mended, as small models do.
    ``examples``: the share of scripts that show the first steps of another world's play.
    ``plain``: the share of games told and thought of in few words, which small models learn first.
    ``kinds``: the share of games whose goals name kinds while the world numbers things, as the paper's engines do.
    ``held_out``: mechanics, costumes and grammars that it does not use where none are asked for by name.
    """

    name = "embedded"

    def __init__(
        self,
        mechanics: Sequence[str] = (),
        costumes: Sequence[str] = (),
        grammars: Sequence[str] = (),
        errors: tuple[int, int] = (2, 6),
        slip_rate: float = 0.0,
        loops: float = 0.0,
        examples: float = 0.5,
        plain: float = 0.0,
        kinds: float = 0.0,
        held_out: Sequence[str] = (),
    ) -> None:
        _known("held_out", held_out, {*MECHANICS, *load_costumes(), *FORMS})
        self.mechanics = _known("mechanics", mechanics, MECHANICS, held_out)
        self.costumes = _known("costumes", costumes, load_costumes(), held_out)
        self.grammars = _known("grammars", grammars, FORMS, held_out)
        self.errors, self.slip_rate, self.loops, self.examples = errors, slip_rate, loops, examples
        self.plain, self.kinds = plain, kinds

    @property
    def settings(self) -> dict[str, Any]:
        """What it was asked for, by name."""
        numbers = ("errors", "slip_rate", "loops", "examples", "plain", "kinds")
        return {name: getattr(self, name) for name in ("mechanics", "costumes", "grammars", *numbers)}

    def game(self, brief: Brief) -> Game:
        """The world and script of a brief, as at the start of the play."""
        return draw_game(self._spec(brief))

    def _spec(self, brief: Brief) -> GameSpec:
        rng = random.Random(f"recipe {brief.world_key}")
        weights = [FORMS[form] for form in self.grammars]
        costume = costume_of(brief.persona, self.costumes) or rng.choice(self.costumes)
        form = rng.choices(self.grammars, weights)[0]
        example, plain = rng.random() < self.examples, rng.random() < self.plain
        if plain and NATURAL in self.grammars:
            form = NATURAL
        kinds = random.Random(f"kinds {brief.world_key}").random() < self.kinds
        return GameSpec(brief.world_key, self.domain(brief), costume, form, example, plain, kinds)

    def domain(self, brief: Brief) -> str:
        return random.Random(f"mechanic {brief.world_key}").choice(self.mechanics)

    async def write_script(self, brief: Brief) -> JsonValue:
        script = self.game(brief).script.model_dump(by_alias=True)
        rng = random.Random(f"script slip {brief.key}")
        if rng.random() < self.slip_rate:
            actions = script["Available Actions"]
            action = rng.choice(sorted(actions))
            if rng.random() < 0.5:
                actions[action]["verification code"] = rf"^\s*{action.split()[0]}\s+(.+"
            else:
                listed = f"{rng.choice(load_words('errors')['false_verbs'])} {action}"
                script["Available Actions"] = {listed if n == action else n: spec for n, spec in actions.items()}
        return script

    async def play(self, brief: Brief, script: Script, prefix: list[Turn]) -> JsonValue:
        game = self.game(brief)
        if script.goal != game.script.goal:
            raise ValueError("the embedded teacher can only play the script that it wrote for the same brief")
        turns = _Play(game, random.Random(f"play {len(prefix)} {brief.key}"), self).run(prefix)
        return list[JsonValue](turns)


def _known(what: str, asked: Sequence[str], known: Collection[str], held_out: Sequence[str] = ()) -> tuple[str, ...]:
    unknown = sorted(set(asked) - set(known))
    if unknown:
        raise ValueError(f"{what}: no such {', '.join(unknown)}; expected some of {', '.join(sorted(known))}")
    return tuple(asked) or tuple(sorted(set(known) - set(held_out)))


def draw_positions(rng: random.Random, moves: int, least: int, most: int) -> list[int]:
    """Before which of a play's moves something goes wrong, the first being 0: at a rate of the play's own."""
    rate = rng.uniform(*RATES)
    drawn = sum(rng.random() < rate for _ in range(moves))
    return rng.sample(range(moves), max(min(max(drawn, least), most, moves), 0))


class _Play:
    """One play in progress: the turns so far, and the mistakes that are still to be made."""

    def __init__(self, game: Game, rng: random.Random, teacher: EmbeddedTeacher) -> None:
        self.game, self.rng, self.teacher = game, rng, teacher
        self.turns: list[dict[str, JsonValue]] = []
        self.number, self.accepted, self.made = 0, 0, 0
        self.last = game.observation
        self.slip = rng.choice(("unflagged", "unfinished", "smooth")) if rng.random() < teacher.slip_rate else ""

    def run(self, prefix: list[Turn]) -> list[dict[str, JsonValue]]:
        """The turns after ``prefix``, to the end of the play."""
        for turn in prefix:
            if isinstance(turn, PlayerTurn):
                answer = self.game.answer(turn.action)
                self.last = answer.observation
                self.accepted += answer.verdict.refusal is None
                self.made += answer.verdict.refusal is not None
        self.number = prefix[-1].turn + 1 if prefix else 0
        if not prefix:
            self._dm(self._judging("begin"), self.last)
        planned, position = self._plan(max(self.game.moves - self.accepted, 1)), 0
        while not self.game.done and position <= LONGEST:  # a play without end: the verifier turns it back
            step = self.game.expert.next()
            if refused := self._stumble(step, planned[position]):
                self._mend(step, refused)
            else:
                self._act(step)
            position += 1
            if self.slip == "unfinished" and len(self.turns) > 6:
                break
        return self.turns

    def _plan(self, moves: int) -> Counter[int]:
        """How many mistakes come before each move: anywhere in the play, rarely several in a row."""
        rng = self.rng
        least, most = self.teacher.errors
        if self.slip == "smooth":
            least = most = min(most, 1)
        positions = draw_positions(rng, moves, least - self.made, most - self.made)
        return Counter({position: rng.choices(list(RUNS), list(RUNS.values()))[0] for position in positions})

    def _stumble(self, step: Step, times: int) -> Refused | None:
        """Mistakes before a move, as many as fit the moment; what the Player knows of the last."""
        game, refused = self.game, None
        avoid = {game.speech.grammar.write(step.command)}
        kind = "wrong_name" if self.slip == "unflagged" else ""  # what the verifier can see without the world
        for _ in range(times):
            blunder = draw_blunder(self.rng, game, step.command, avoid, kind)
            if blunder is None:
                break
            avoid.add(blunder.action)
            thought = self._intend(step, blunder, refused)
            again = self.rng.choices(list(LOOPS), list(LOOPS.values()))[0]
            for _ in range(1 + (again if self.rng.random() < self.teacher.loops else 0)):
                self._player(thought, blunder.action)
                answer = game.answer(blunder.action)
                refused = self._refuse(blunder, answer)
        return refused

    def _intend(self, step: Step, blunder: Blunder, refused: Refused | None) -> str:
        voice, last = self.game.speech.voice, self.last
        step = self.game.known(step)
        if refused is None and blunder.command is None:
            return voice.think(self.rng, "explore" if step.explores else "act", step, blunder.action, last)
        meant = step._replace(command=blunder.command or step.command)
        if refused is None:
            return voice.think(self.rng, "tried", meant, blunder.action, last)
        return voice.think(self.rng, "mend" if refused.fault else "baffled", meant, blunder.action, last, refused)

    def _refuse(self, blunder: Blunder, answer: Answer) -> Refused:
        flag, why = FLAG_OF[blunder.refusal.kind], self.game.speech.rendering.clause(blunder.refusal.fact)
        if self.slip == "unflagged" and flag == "parameter_error":
            self._dm("The Player goes on.", answer.observation)
        else:
            self._dm(self._judging("refuse").format(why), answer.observation, flag)
        self.last = answer.observation
        return self.game.refused(blunder.action, answer)

    def _mend(self, step: Step, refused: Refused) -> None:
        """Another action: the right one, or first a look, or a look at what is possible."""
        forms, rng, voice = self.game.speech.grammar.forms, self.rng, self.game.speech.voice
        extra = "help" if rng.random() < ASKS else "look" if rng.random() < LOOKS else ""
        if extra not in forms:
            self._act(step, "mend" if refused.fault else "baffled", refused)
            return
        action = forms[extra].signature
        purpose, known = "ask" if extra == "help" else "review", self.game.known(step)
        self._player(voice.think(rng, purpose, known, action, self.last, refused), action)
        self.last = self.game.answer(action).observation
        self._dm(self._judging("accept"), self.last)
        self._act(step, "listed" if extra == "help" else "")

    def _act(self, step: Step, purpose: str = "", refused: Refused | None = None) -> None:
        """Play the expert's step; what it was for shows in its thought."""
        game, last = self.game, self.last
        action = game.speech.grammar.write(step.command)
        known, answer = game.known(step), game.answer(action)
        purpose = purpose or purpose_of(game, step)
        self._player(game.speech.voice.think(self.rng, purpose, known, action, last, refused), action)
        self.last = answer.observation
        self._dm(self._judging("done" if game.done else "accept"), self.last)

    def _judging(self, verdict: str) -> str:
        return str(self.rng.choice(load_words("rendering")["judging"][verdict]))

    def _player(self, thought: str, action: str) -> None:
        self.turns.append({"turn": self.number, "role": "Player", "Thought": thought, "Action": action})
        self.number += 1

    def _dm(self, thought: str, observation: str, flag: str = "") -> None:
        turn: dict[str, JsonValue] = {"turn": self.number, "role": "DM", "Thought": thought, "Observation": observation}
        self.turns.append(turn | {name: name == flag for name in ERROR_FLAGS})
        self.number += 1
