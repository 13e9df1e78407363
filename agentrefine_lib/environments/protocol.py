"""What an environment is to the rest of the suite: text in, text out, progress and success beside it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Annotated, NamedTuple, Protocol

from pydantic import AfterValidator, Field

from agentrefine_lib.schema import Task

Text = Annotated[str, AfterValidator(lambda text: text.encode().decode())]  # raises for lone surrogates: no file's text


class StepResult(NamedTuple):
    """What one action led to. ``error`` is None, or the kind of error when the engine did not accept the action."""

    observation: Text
    progress: Annotated[float, Field(ge=0.0, le=1.0)]  # never decreasing within an episode
    success: bool
    done: bool
    # "format" (not a command), "parameter" (no such object), "logic" (impossible now)
    error: Annotated[Text, Field(min_length=1)] | None


class Refusal(NamedTuple):
    """Why an action was not accepted: the kind as in StepResult.error, and a sentence for the player."""

    kind: str
    message: str


class Environment(Protocol):
    """One engine playing one task at a time. Invalid actions are answered, never raised."""

    engine: str
    version: str  # engine package and version, stored with every result
    rules: str  # what a newcomer must know to play, in a few sentences, or nothing
    commands: dict[str, str]  # command signature → what it does, e.g. {"go to {object}": "walk up to an object"}
    goal: str

    def reset(self, task: Task) -> str:
        """Start a task and return its first observation. The same task always starts the same episode."""

    def step(self, action: str) -> StepResult:
        """Play one action."""

    def valid_actions(self) -> list[str]:
        """Every action the engine would accept now, sorted."""

    def expert(self) -> Iterator[tuple[str, str]]:
        """Yield (thought, action) pairs that solve the task, each computed when asked for, from the current state."""

    def close(self) -> None:
        """Release whatever the engine holds."""


class TextEnvironment(ABC):
    """What our environments share: nothing is played before ``reset`` or after the end, and results are made alike.

    ``_play`` keeps ``_progress``, ``_success`` and ``_done`` up to date.
    """

    rules = goal = ""
    commands: dict[str, str] = {}  # noqa: RUF012  (replaced, never changed)
    _progress, _success, _done = 0.0, False, True

    def step(self, action: str) -> StepResult:
        """Play one action; it is refused once the episode is over."""
        return self._result("The episode is over.", "logic") if self._done else self._play(action)

    @abstractmethod
    def valid_actions(self) -> list[str]:
        """Every action that would be accepted now, sorted; none once the episode is over."""

    def expert(self) -> Iterator[tuple[str, str]]:
        """Yield (thought, action) pairs; none where nobody knows what to do."""
        return iter(())

    def close(self) -> None:  # noqa: B027  (most hold nothing)
        """Release whatever is held outside this object."""

    @abstractmethod
    def _play(self, action: str) -> StepResult: ...

    def _offer(self) -> StepResult:
        """What AgentBoard answers to whoever asks what can be done."""
        return self._result(f"You can do one of these now: {', '.join(self.valid_actions())}.")

    def _result(self, observation: str, error: str | None = None) -> StepResult:
        return StepResult(observation, self._progress, self._success, self._done, error)


class Wrapper:
    """An environment around another, which it passes on but for what a subclass changes; implements ``Environment``."""

    version = rules = goal = ""
    commands: dict[str, str] = {}  # noqa: RUF012  (replaced, never changed)

    def __init__(self, environment: Environment) -> None:
        self._environment, self.engine = environment, environment.engine

    def _reset(self, task: Task) -> str:
        """Start the task in the environment inside, and tell what that tells."""
        inner = self._environment
        observation = inner.reset(task)
        self.version, self.rules, self.goal, self.commands = inner.version, inner.rules, inner.goal, inner.commands
        return observation

    def expert(self) -> Iterator[tuple[str, str]]:
        """The expert of the environment inside."""
        return self._environment.expert()

    def close(self) -> None:
        """Close the environment inside."""
        self._environment.close()
