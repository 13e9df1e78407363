"""What an environment is to the rest of the suite: text in, text out, progress and success beside it."""

from __future__ import annotations

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
    error: (
        Annotated[Text, Field(min_length=1)] | None
    )  # "format" (not a command), "parameter" (no such object), "logic" (impossible now)


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
