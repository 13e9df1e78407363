"""An environment that says after every observation what is possible now.

The list reads and stands as in those of the embedded teacher's worlds that have one: the last line of an observation,
"You can: …; ….". Being part of the observation, it is kept with the episode, and shown and played again with it. Those
worlds list by themselves, or do not, and are left as they are: models were trained on both kinds.
"""

import random
from collections.abc import Callable

from agentrefine_lib.environments import get_engine, make_environment
from agentrefine_lib.environments.protocol import Environment, StepResult, Wrapper
from agentrefine_lib.schema import Task
from agentrefine_lib.teachers.embedded.names import load_words


class Listed(Wrapper):
    """``environment`` with a list of at most ``at_most`` valid actions, drawn anew at every step where there are more.

    ``valid_actions`` are those listed: who plays one of them at random is told no more than a model is. Asking costs
    up to 3 s a step in ScienceWorld, 0.3 in Jericho, else nothing to speak of.
    """

    def __init__(self, environment: Environment, at_most: int) -> None:
        super().__init__(environment)
        self._at_most = at_most
        self._listed: list[str] = []

    def reset(self, task: Task) -> str:
        observation = self._reset(task)
        self.version += f", {self._at_most} valid actions listed"
        self._task, self._steps = task, 0
        return self._with_list(observation)

    def step(self, action: str) -> StepResult:
        """Play an action; nothing is listed once the episode is over."""
        result = self._environment.step(action)
        self._steps += 1
        return result._replace(observation=self._with_list(result.observation))

    def valid_actions(self) -> list[str]:
        return list(self._listed)

    def _with_list(self, observation: str) -> str:
        valid = sorted(self._environment.valid_actions())
        rng = random.Random(f"listed {self._task.id} {self._steps}")
        self._listed = sorted(rng.sample(valid, min(len(valid), self._at_most)))
        if not self._listed:
            return observation
        told: str = load_words("rendering")["help"][0]
        return f"{observation.rstrip()}\n{told.format('; '.join(self._listed))}"


def make_listed(at_most: int, task: Task, *, make: Callable[[Task], Environment] = make_environment) -> Environment:
    """What ``make`` makes, with a list of at most ``at_most`` valid actions after every observation; 0: none.

    An engine whose record says ``lists_itself`` stays as it is.
    """
    left = not at_most or get_engine(task.engine).lists_itself
    return make(task) if left else Listed(make(task), at_most)
