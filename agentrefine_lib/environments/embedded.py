"""The embedded teacher's worlds as an environment: its dungeon master answers whoever plays.

A task's name is a domain, or "plain-" and a domain for a plain world of it; its seed picks the world, the spelling of
the commands and the wording; none of these worlds is ever drawn for training data, where every world is drawn for a
persona. The rules are the dungeon master's own, so that what counts as an error here is what was flagged as one in the
data. Progress: the share of the goal's conditions that hold, the most so far; success: all hold. Rooms, commands and
goal are told as in a trajectory.
"""

from __future__ import annotations

import importlib.metadata
import random
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

from agentrefine_lib.environments.protocol import StepResult
from agentrefine_lib.schema import Task, Trajectory
from agentrefine_lib.schema.actions import fill
from agentrefine_lib.teachers.embedded import EmbeddedTeacher, load_domains
from agentrefine_lib.teachers.embedded.errors import Moment, draw_blunder, judge, read_command
from agentrefine_lib.teachers.embedded.player import Move, Player, think
from agentrefine_lib.teachers.embedded.rules import change
from agentrefine_lib.teachers.protocol import COMPLETED, Brief

MEANINGS = {
    "go": "walk to a neighbouring place",
    "look": "have the place described again",
    "open": "open something that is closed and not locked",
    "unlock": "unlock something with the thing that fits it",
    "enter": "unlock something with its code",
    "read": "read what is written on something",
    "take": "take something from where it is",
    "put": "put down something that you hold",
    "transfer": "move something to another place to keep it",
    "switch": "switch a device on",
    "treat": "treat something at a station",
    "apply": "treat something with a tool",
}
PLAIN = "plain-"  # before a domain: a world as a plain teacher draws it
ERRORS = {"wrong_format": "format", "unknown_parameter": "parameter", "absent_object": "parameter"}  # the rest is logic


class Embedded:
    """One world of the embedded teacher; implements ``Environment``. ``reset`` raises ValueError for no such domain."""

    engine = "embedded"
    version = f"agentrefine-lib {importlib.metadata.version('agentrefine_lib')}"
    rules = ""  # the prompt is that of a trajectory, word for word

    def __init__(self, teacher: EmbeddedTeacher | None = None, brief: Brief | None = None) -> None:
        """``teacher``, ``brief``: the world of a teacher's work instead of the task's own; see ``world_of``."""
        self._teacher, self._brief = teacher, brief
        self.goal = ""
        self.commands: dict[str, str] = {}
        self._done = True

    def reset(self, task: Task) -> str:
        """Start the world of this domain and seed."""
        domain = task.name.removeprefix(PLAIN)
        if domain not in load_domains():
            known = ", ".join(sorted(load_domains()))
            raise ValueError(f"unknown domain {task.name!r}: expected one of {known}, or plain- and one of them")
        teacher = self._teacher or EmbeddedTeacher(domains=(domain,), plain=domain != task.name)
        self._game = teacher.game(self._brief or Brief(persona=task.name, seed=task.seed))
        self._rng = random.Random(f"thoughts {task.id}")
        self._blunders = random.Random(f"mistakes {task.id}")
        operations = {form.signature: form.operation for form in self._game.forms.values()}
        self.commands = {s: MEANINGS[operations[s].partition(":")[0]] for s in self._game.script.available_actions}
        self.goal = self._game.script.goal
        self._done = False
        self._progress = self._reached()
        self._player = Player(self._game.world)
        self._moves: Iterator[Move] | None = None
        self._planned: tuple[str, dict[str, str]] | None = None
        return self._game.voice.room(self._game.world)

    def step(self, action: str) -> StepResult:
        """Play one command. The dungeon master refuses what is no command or impossible, and says why."""
        if self._done:
            return self._result("The episode is over.", "logic")
        game, command = self._game, self._normal(action)
        if refusal := judge(game, command):
            if "check" in action.lower() and refusal.kind == "wrong_format":  # asks for the list, as in AgentBoard
                return self._result(f"You can do one of these now: {', '.join(self.valid_actions())}.")
            told = game.voice.prefix.format(game.voice.refuse(game.world, refusal))
            return self._result(told, ERRORS.get(refusal.kind, "logic"))
        operation, arguments = read_command(game, command)
        change(game.world, operation, arguments)
        if (operation, arguments) != self._planned:
            self._moves = None  # somebody else has acted: the expert has to plan anew
        self._player.notice()
        self._progress = max(self._progress, self._reached())
        self._done = game.world.done()
        observation = game.voice.effect(game.world, operation, arguments)
        return self._result(f"{observation} {COMPLETED}" if self._done else observation)

    def valid_actions(self) -> list[str]:
        """Every command that would be accepted now, sorted; none once the episode is over."""
        return [] if self._done else sorted(a for a in self._every_action() if judge(self._game, a) is None)

    def expert(self) -> Iterator[tuple[str, str]]:
        """Yield (thought, action) until the goal is reached. The expert knows only what has been seen."""
        while not self._done:
            self._moves = self._moves or self._player.moves()
            move = next(self._moves)
            self._planned = (move.operation, move.arguments)
            game = self._game
            form = game.forms[move.operation]
            yield think(self._rng, game.voice, game.world, move, form.signature), form.write(move.arguments)

    def mistake(self) -> tuple[str, str]:
        """What the teacher's Player would do wrong now: (thought, action). The same in every play of a task."""
        game, move = self._game, next(self._player.moves())
        blunder = draw_blunder(Moment(self._blunders, game, self._player, move, []), [])
        if blunder is None:
            raise ValueError(f"{game.script.goal}: there is nothing to do wrong here")
        intended = think(self._blunders, game.voice, game.world, move, game.forms[move.operation].signature)
        return blunder.thought or intended, blunder.action

    def close(self) -> None:
        """Nothing is held outside this object."""

    def _every_action(self) -> Iterator[str]:
        """All instances of all signatures."""
        for signature, spec in self._game.script.available_actions.items():
            for values in product(*spec.parameters.values()):
                yield fill(signature, dict(zip(spec.parameters, values, strict=True)))

    def _normal(self, action: str) -> str:
        """One spelling: blanks and a final full stop do not matter, nor does case in what is no command as it is."""
        text = " ".join(action.split())
        for spelling in (text, text.rstrip("."), text.lower().rstrip(".")):
            refusal = judge(self._game, spelling)
            if refusal is None or refusal.kind not in ("wrong_format", "unknown_parameter"):
                return spelling
        return text

    def _reached(self) -> float:
        world = self._game.world
        return sum(map(world.holds, world.goal)) / len(world.goal)

    def _result(self, observation: str, error: str | None = None) -> StepResult:
        return StepResult(observation, self._progress, self._done, self._done, error)


def first_mistake(task: Task) -> tuple[str, str]:
    """A mistake to begin this world with: (thought, action). Raises ValueError for a task of another engine."""
    if task.engine != Embedded.engine:
        raise ValueError(f"{task.id}: found a task of {task.engine}, expected one of embedded: its teacher can err")
    world = Embedded()
    world.reset(task)
    return world.mistake()


ATTEMPTS_TRIED = 20  # of a brief; the loop of chapter 1 gives up after five


def world_of(trajectory: Trajectory) -> tuple[Task, Callable[[Task], Embedded]] | None:
    """The world that the embedded teacher drew for a trajectory, to be played by others; None for other teachers'."""
    if trajectory.domain not in load_domains():
        return None
    switches = product((False, True), (False, True), (False, True))
    for (fixed_grammar, plain, invented), attempt in product(switches, range(ATTEMPTS_TRIED)):
        own = (trajectory.domain,)
        teacher = EmbeddedTeacher(own, fixed_grammar=fixed_grammar, plain=plain, invented=invented)
        brief = Brief(trajectory.persona, trajectory.seed, attempt)
        if teacher.game(brief).script == trajectory.script:
            task = Task(engine="embedded", name=trajectory.domain, seed=trajectory.seed)
            return task, partial(_made, teacher, brief)
    return None


def _made(teacher: EmbeddedTeacher, brief: Brief, task: Task) -> Embedded:
    return Embedded(teacher, brief)
