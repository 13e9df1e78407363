"""The embedded teacher's worlds as an environment: its dungeon master answers whoever plays.

A task's name is a mechanic, or a mechanic, a costume and a grammar joined by dashes (``places-ship-brackets``; "any"
for one of all), and "plain" for few ways to say things (``places-any-any-plain``); its seed picks the world and the
wording. A task's own world is never drawn for training data, where every world is drawn for a persona. The rules are
the dungeon master's own, so that what counts as an error here is what was flagged as one in the data. Progress: the
share of the goal's conditions that hold, the most so far; success: all.
"""

import copy
import importlib.metadata
import random
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from agentrefine_lib.environments.protocol import StepResult, TextEnvironment
from agentrefine_lib.environments.registry import Engine, Score
from agentrefine_lib.schema import COMPLETED, Task, Trajectory
from agentrefine_lib.teachers.embedded import MECHANICS, load_costumes
from agentrefine_lib.teachers.embedded.errors import draw_blunder
from agentrefine_lib.teachers.embedded.game import ANY, KIND, KINDS, PLAIN, Game, GameSpec, draw_game, purpose_of
from agentrefine_lib.teachers.embedded.grammar import EXTRAS, FORMS
from agentrefine_lib.teachers.embedded.mechanic import NoPlanError, Step
from agentrefine_lib.teachers.embedded.names import load_words
from agentrefine_lib.teachers.embedded.thoughts import Refused
from agentrefine_lib.teachers.learner import spec_behind

ENGINE = Engine(
    name="embedded",
    title="new synthetic worlds",  # of our teacher, none of the paper's
    environment=f"{__name__}:Embedded",
    panel={mechanic: [0] for mechanic in MECHANICS},
    expected={"random": Score(0.5, 0.5), "expert": Score(1.0, 1.0)},
    plain_english=True,
    lists_itself=True,
)
ERRORS = {"malformed": "format", "wrong_name": "parameter", "absent": "parameter"}  # the rest is logic


class Embedded(TextEnvironment):
    """One world of the embedded teacher; implements ``Environment``. ``reset`` raises ValueError for no such world."""

    engine = "embedded"
    version = f"agentrefine-lib {importlib.metadata.version('agentrefine_lib')}"

    def __init__(self, draw: Callable[[], Game] | None = None) -> None:
        """``draw``: the game of a teacher's work instead of the task's own; see ``worlds_of``."""
        self._draw = draw
        self._refused: Refused | None = None  # what the last action was refused for

    def reset(self, task: Task) -> str:
        self._game = self._draw() if self._draw else draw_game(spec_of(task))
        self._rng = random.Random(f"thoughts {task.id}")
        self._blunders = random.Random(f"mistakes {task.id}")
        words, meanings = self._game.speech.mechanic.words["operations"], load_words("grammar")["meanings"]
        operations = {form.signature: name for name, form in self._game.speech.grammar.forms.items()}
        self.commands = {
            signature: meanings[name] if (name := operations[signature]) in EXTRAS else words[name]["means"]
            for signature in self._game.script.available_actions
        }
        script = self._game.script
        self.goal, self.rules = script.goal, "\n\n".join(part for part in (script.rules, script.example) if part)
        self._done, self._success, self._refused = False, False, None
        self._last = self._game.observation
        self._progress = self._game.world.reached()
        return self._last

    def _play(self, action: str) -> StepResult:
        """One command. The dungeon master refuses what is no command or impossible, and may say why."""
        game, command = self._game, self._game.spelt(action)
        refusal, self._refused = game.judge(command).refusal, None
        if refusal and refusal.kind == "malformed" and "check" in action.lower():
            return self._offer()
        answer = game.answer(command)
        if refusal:
            self._refused = game.refused(command, answer)
            return self._result(answer.observation, ERRORS.get(refusal.kind, "logic"))
        self._progress = max(self._progress, game.world.reached())
        self._done = self._success = game.done
        return self._result(answer.observation)

    def valid_actions(self) -> list[str]:
        return [] if self._done else self._game.valid_actions()

    def expert(self) -> Iterator[tuple[str, str]]:
        """Yield (thought, action) until the goal is reached; stops early where the expert sees no way to it. The expert
        knows only what has been told.

        After a refusal, whoever's action it was, the thought says what was wrong and what to do instead.
        """
        while not self._done:
            game, refused = self._game, self._refused
            try:
                step = game.expert.next()
            except NoPlanError:
                return
            action = game.speech.grammar.write(step.command)
            purpose = ("mend" if refused.fault else "baffled") if refused else self._purpose(step)
            yield game.speech.voice.think(self._rng, purpose, game.known(step), action, self._last, refused), action

    def mistake(self) -> tuple[str, str]:
        """What the teacher's Player would do wrong now: (thought, action). The same in every play of a task."""
        game, step = self._game, self._game.expert.next()
        blunder = draw_blunder(self._blunders, game, step.command, {game.speech.grammar.write(step.command)})
        if blunder is None:
            raise ValueError(f"{game.script.goal}: there is nothing to do wrong here")
        meant = step._replace(command=blunder.command or step.command)
        thought = game.speech.voice.think(self._blunders, "tried", game.known(meant), blunder.action, self._last)
        return thought, blunder.action

    def _purpose(self, step: Step) -> str:
        """What a step is for; whether it is the last shows in a copy of the world."""
        world = copy.deepcopy(self._game.world)
        world.act(step.command)
        return "finish" if world.reached() == 1.0 else purpose_of(self._game, step)

    def _result(self, observation: str, error: str | None = None) -> StepResult:
        self._last = observation.removesuffix(COMPLETED).strip() or observation
        return super()._result(observation, error)


def spec_of(task: Task) -> GameSpec:
    """What the world of a task is drawn from. Raises ValueError where a part of its name is unknown."""
    mechanic, costume, form, plain, kinds = chosen = [*task.name.split("-", 4), ANY, ANY, ANY, ANY][:5]
    known = MECHANICS, (ANY, *load_costumes()), (ANY, *FORMS), (ANY, PLAIN), (ANY, KINDS)
    for part, parts in zip(chosen, known, strict=True):
        if part not in parts:
            raise ValueError(f"unknown world {task.name!r}: found {part!r}, expected one of {', '.join(sorted(parts))}")
    if costume == ANY:
        costume = random.Random(f"costume {task.id}").choice(sorted(load_costumes()))
    return GameSpec(task.id, mechanic, costume, "" if form == ANY else form, plain=plain == PLAIN, kinds=kinds == KINDS)


def first_mistake(task: Task) -> tuple[str, str]:
    """A mistake to begin this world with: (thought, action). Raises ValueError for a task of another engine."""
    if task.engine != Embedded.engine:
        raise ValueError(f"{task.id}: found a task of {task.engine}, expected one of embedded: its teacher can err")
    world = Embedded()
    world.reset(task)
    return world.mistake()


def worlds_of(trajectories: Iterable[Trajectory]) -> tuple[dict[str, Task], Callable[[Task], Embedded]]:
    """The worlds that the embedded teacher drew for trajectories, to be played by others: a task by a trajectory's id,
    none for other teachers', and what makes them (picklable)."""
    specs: dict[str, GameSpec] = {}
    tasks: dict[str, Task] = {}
    for trajectory in trajectories:
        if spec := spec_behind(trajectory):
            kind = str(trajectory.script.environment[KIND])
            tasks[trajectory.id] = Task(engine=Embedded.engine, name=kind, seed=trajectory.seed)
            specs[tasks[trajectory.id].id] = spec
    return tasks, partial(_made, specs)


def _made(specs: dict[str, GameSpec], task: Task) -> Embedded:
    return Embedded(partial(draw_game, specs[task.id]))
