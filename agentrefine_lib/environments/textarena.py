"""The single-player games of textarena (PyPI), played as they are: an engine that nobody here wrote.

A task's name is a game's id, e.g. "TowerOfHanoi-v0", and its seed is textarena's. Nobody lists what is possible, and
there is no expert. Progress is the game's own share of completion, the highest so far; games that give none (Bandit,
Secretary, Set) score at their end only. Success is a full score at the end. Two moves in a row that a game refuses end
it, as its authors want it. Games of words fail where nltk cannot download its lists, others without their judge.
"""

import contextlib
import importlib.metadata
import io
from collections.abc import Iterator
from typing import Any

from agentrefine_lib.environments.protocol import StepResult
from agentrefine_lib.environments.registry import Engine
from agentrefine_lib.schema import Task

GAMES = (  # of 0.7.4, that need nothing else, begin within seconds, and give the reason of a refusal
    *(
        "2048-v0",
        "Bandit-v0",
        "Blackjack-v0",
        "Crosswords-v0",
        "FifteenPuzzle-v0",
        "FrozenLake-v0",
        "GuessTheNumber-v0",
    ),
    *("LightsOut-v0", "LogicPuzzle-v0", "Mastermind-v0", "Minesweeper-v0", "PegJump-v0", "Secretary-v0", "Set-v0"),
    *("Sokoban-v0", "Sudoku-v0", "TowerOfHanoi-v0"),
)
ENGINE = Engine(
    name="textarena",
    title="TextArena",
    environment=f"{__name__}:TextArena",
    panel={game: [0] for game in GAMES},
    install='pip install -c constraints.txt -e ".[textarena]"',
    packages=("textarena",),
)
COMPLETIONS = ("_get_percentage_completion", "_progress", "_calculate_progress")  # what games call it


class TextArena:
    """One game; implements ``Environment``. ``reset`` raises ValueError for no game of one player."""

    engine = "textarena"
    commands = {"{move}": "a move as the rules describe it; its square brackets may be left out"}  # noqa: RUF012

    def __init__(self) -> None:
        with _silent():
            import textarena

        self._arena: Any = textarena
        self._echo = textarena.ObservationType.PLAYER_ACTION
        self.version = f"textarena {importlib.metadata.version('textarena')}"
        self.rules = self.goal = ""

    def reset(self, task: Task) -> str:
        """Begin the game of this id and seed."""
        if task.name not in self._arena.envs.registration.ENV_REGISTRY:
            raise ValueError(f"unknown game {task.name!r}: expected an id of textarena's, e.g. {', '.join(GAMES[:3])}")
        with _silent():
            self._game = self._arena.make(task.name.removesuffix("-raw") + "-raw")
            try:
                self._game.reset(num_players=1, seed=task.seed)
            except AssertionError as error:
                raise ValueError(f"{task.name} is no game of one player: {error}") from error
        if not isinstance(self._game.state, self._arena.SinglePlayerState):
            raise ValueError(f"{task.name} is no game of one player")
        _, [(_, self.rules, _), *told] = self._game.get_observation()
        self.goal, self._progress, self._success = f"Win this game of {task.name.partition('-v')[0]}.", 0.0, False
        return self._said(told) or "The game begins."

    def step(self, action: str) -> StepResult:
        """Play a move. Every refusal is of the kind "logic": games don't say more."""
        state = self._game.state
        if state.done:
            return StepResult("The episode is over.", self._progress, self._success, True, "logic")
        with _silent():
            self._game.step(action if "[" in action else f"[{action}]")
            _, told = self._game.get_observation()
            share = next((getattr(self._game, name)() for name in COMPLETIONS if hasattr(self._game, name)), 0.0)
        about, earned = state.game_info[0], state.rewards[0] if state.done else share
        share = earned if isinstance(earned, int | float) else share  # Countdown and others mix it up with the reason
        observation = "\n".join(filter(None, (self._said(told), str(about["reason"]) if state.done else "")))
        self._progress = max(self._progress, min(float(share), 1.0))
        self._success = state.done and share >= 1
        error = "logic" if state.error_count or about["invalid_move"] else None
        return StepResult(observation or "The game goes on.", self._progress, self._success, state.done, error)

    def _said(self, told: list[tuple[int, str, Any]]) -> str:
        """What the game said, without what it repeats of the player."""
        said = (text for sender, text, kind in told if sender == self._arena.GAME_ID and kind != self._echo)
        return "\n".join(said).strip()

    def valid_actions(self) -> list[str]:
        """Unknown: games don't list them."""
        return []

    def expert(self) -> Iterator[tuple[str, str]]:
        """Nobody knows."""
        return iter(())

    def close(self) -> None:
        """Nothing is held outside this object."""


def _silent() -> contextlib.redirect_stdout[io.StringIO]:
    return contextlib.redirect_stdout(io.StringIO())  # games print
