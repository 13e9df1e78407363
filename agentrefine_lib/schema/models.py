"""Pydantic models of the paper's records. JSON keys follow the paper (its Figure 4) and its released data sets."""

import json
import operator
from itertools import pairwise
from typing import Self

from pydantic import Field, JsonValue, field_validator, model_validator

from agentrefine_lib.schema.react import format_example
from agentrefine_lib.schema.record import Record
from agentrefine_lib.schema.turns import Turn


class ActionSpec(Record):
    """How one action of a script is checked: a regular expression (RE2 syntax) and the values of each parameter; None
    where any text will do, as in an answer: that is not verified (the paper's footnote 1)."""

    verification_code: str = Field(alias="verification code")
    parameters: dict[str, list[str] | None] = Field(default_factory=dict)
    description: str = Field(default="", exclude_if=operator.not_)
    special_format: str = Field(alias="special format", default="", exclude_if=operator.not_)

    def listed(self) -> dict[str, list[str]]:
        """The values of each parameter; "any text" of one that takes any."""
        return {name: ["any text"] if values is None else values for name, values in self.parameters.items()}

    def admits(self, name: str, value: str) -> bool:
        """Whether a parameter may have this value."""
        choices = self.parameters.get(name, [])
        return choices is None or value in choices


class Script(Record):
    """What a teacher writes from a persona: places → items → properties, a goal, and the actions that exist.

    ``thought`` is what it thinks before. ``rules`` and ``example`` (another play, as text) are ours: told before the
    goal, where there are any.
    """

    thought: str = Field(alias="Thought", default="", exclude_if=operator.not_)
    environment: dict[str, JsonValue] = Field(alias="Environment")
    goal: str = Field(alias="Goal", min_length=1)
    completion_conditions: list[str] = Field(alias="Completion Conditions", min_length=1)
    available_actions: dict[str, ActionSpec] = Field(alias="Available Actions", min_length=1)
    rules: str = Field(alias="Rules", default="", exclude_if=operator.not_)
    example: str = Field(alias="Example", default="", exclude_if=operator.not_)

    @field_validator("environment")
    @classmethod
    def can_be_written(cls, environment: dict[str, JsonValue]) -> dict[str, JsonValue]:
        try:
            json.dumps(environment, allow_nan=False)
        except (ValueError, RecursionError):
            raise ValueError("a number that is not finite or too long, or places nested without end") from None
        return environment


class Trajectory(Record):
    """A played script. Player and DM alternate; a DM turn may open the play before the Player's first turn."""

    id: str = Field(min_length=1)
    teacher: str = ""
    persona: str = ""
    domain: str = ""
    seed: int = 0
    script: Script
    turns: list[Turn] = Field(alias="trajectory", min_length=1)

    @model_validator(mode="after")
    def turns_alternate(self) -> Self:
        for before, turn in pairwise(self.turns):
            if turn.role == before.role:
                raise ValueError(f"turn {turn.turn} ({turn.role}) comes right after turn {before.turn} ({before.role})")
        return self


class Task(Record):
    """One benchmark task: an engine, the engine's own name for the task, and the seed of its episode."""

    engine: str
    name: str
    seed: int = 0

    @property
    def id(self) -> str:
        return f"{self.engine}/{self.name}/{self.seed}"

    @classmethod
    def from_id(cls, text: str) -> Self:
        """The task that an id names. Raises ValueError for anything that is not engine/name/seed."""
        engine, _, rest = text.partition("/")
        name, _, seed = rest.rpartition("/")
        if not (engine and name and seed.isdecimal()):
            raise ValueError(f"not a task: found {text!r}, expected engine/name/seed, e.g. babyai/GoToDoor/1234")
        return cls(engine=engine, name=name, seed=int(seed))


class Ending(Record):
    """How a model ended a reply: ``reason`` in its server's words, ``tokens`` written; ``cut``: at its limit."""

    reason: str | None = None
    tokens: int | None = None
    cut: bool = False


class Step(Record):
    """One exchange of an episode. ``error`` is None when the engine accepted the action, otherwise its kind.

    ``well_formed``: the reply has an ``Action:`` line, which is another matter.
    """

    reply: str
    thought: str
    action: str
    observation: str
    progress: float = Field(ge=0.0, le=1.0)
    error: str | None = None
    well_formed: bool = True
    ending: Ending | None = None  # of a reply by a model


SCORE_UNKNOWN = "score unknown"  # in the version of an engine that can tell success, and no progress before it


class Episode(Record):
    """A finished rollout of one policy on one task. ``progress`` is the last step's value, in [0, 1].

    ``rules``, ``commands`` (signature → meaning), ``goal`` and ``observation`` are what the policy was told first.
    ``dropped`` counts the oldest exchanges that no longer fitted the policy's context at the end; ``retries`` the tries
    that an engine's failure cost before this one.
    """

    id: str
    policy: str
    task: Task
    rules: str = ""
    commands: dict[str, str] = Field(default_factory=dict)
    goal: str
    observation: str
    steps: list[Step]
    success: bool
    progress: float = Field(ge=0.0, le=1.0)
    engine_version: str
    dropped: int = Field(default=0, ge=0)
    retries: int = Field(default=0, ge=0)

    @property
    def known_progress(self) -> float | None:
        """``progress`` where it was measured; None where the engine's version says that there is none."""
        return None if SCORE_UNKNOWN in self.engine_version else self.progress

    def as_example(self, steps: int | None = None, *, thoughts: bool = True) -> str:
        """The episode, or its first ``steps``, as the text of an example."""
        shown = [(step.thought, step.action, step.observation) for step in self.steps[:steps]]
        return format_example(self.goal, self.observation, shown, thoughts=thoughts)

    @model_validator(mode="after")
    def progress_is_the_last_steps(self) -> Self:
        if self.steps and abs(self.progress - self.steps[-1].progress) > 1e-9:
            raise ValueError(f"progress {self.progress} differs from that of the last step {self.steps[-1].progress}")
        return self
