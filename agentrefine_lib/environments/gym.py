"""Every engine as an environment of Gymnasium; importing this module registers them.

``gymnasium.make("agentrefine/babyai-v0")`` draws from the engine's panel, ``agentrefine/babyai-GoToDoor-v0`` from one
of its tasks; ``panel={"GoToDoor": range(100)}`` names others.
"""

import re
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
from gymnasium.spaces import Text

from agentrefine_lib import environments
from agentrefine_lib.schema import Task


class AnyText(Text):
    """Texts in any alphabet, up to ``max_length`` characters; samples are printable ASCII."""

    def contains(self, x: object) -> bool:
        return isinstance(x, str) and len(x) <= self.max_length


class TextGame(gymnasium.Env[str, str]):
    """One engine. A reset draws a task by its seed, or plays ``options={"task": "babyai/GoToDoor/1234"}``.

    Rewards add up to the progress in [0, 1]. ``info``: ``progress``, ``success``, ``error`` (as in StepResult) and
    ``valid_actions``, unless switched off: ScienceWorld takes up to 3 s to list them; after a reset also ``task``,
    ``rules``, ``commands``, ``goal``. A reset raises EngineMissingError, or ValueError for an unknown task.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012  (Gymnasium's own form)

    def __init__(
        self,
        engine: str,
        panel: Mapping[str, Sequence[int]] | None = None,
        make: Callable[[Task], environments.Environment] = environments.make_environment,
        valid_actions: bool = True,
        render_mode: str | None = None,
    ) -> None:
        self.tasks, self._make, self._lists = environments.panel({engine: panel or {}}), make, valid_actions
        self.render_mode = render_mode
        self.observation_space = AnyText(100_000, min_length=0, charset=string.printable)
        self.action_space = AnyText(1_000, min_length=0, charset=string.printable)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.close()
        task = Task.from_id((options or {}).get("task", self.tasks[self.np_random.integers(len(self.tasks))].id))
        self._game = game = self._make(task)
        self._shown, self._progress = game.reset(task), 0.0
        told = {"task": task.id, "rules": game.rules, "commands": dict(game.commands), "goal": game.goal}
        return self._shown, told | self._info(progress=0.0, success=False, error=None)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self._shown, progress, success, done, error = self._game.step(action)
        reward, self._progress = progress - self._progress, progress
        return self._shown, reward, done, False, self._info(progress=progress, success=success, error=error)

    def _info(self, **now: Any) -> dict[str, Any]:
        return now | ({"valid_actions": self._game.valid_actions()} if self._lists else {})

    def render(self) -> str:
        return self._shown

    def close(self) -> None:
        if game := self.__dict__.pop("_game", None):
            game.close()


for known in environments.engines().values():
    parts = {f"-{name}": {name: [*seeds]} for name, seeds in known.panel.items() if re.fullmatch(r"[\w:.-]+", name)}
    for part, panel in ({"": None} | parts).items():
        kwargs = {"engine": known.name, "panel": panel}
        gymnasium.register(f"agentrefine/{known.name}{part}-v0", TextGame, max_episode_steps=known.steps, kwargs=kwargs)
