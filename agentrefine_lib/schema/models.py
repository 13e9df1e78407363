"""Pydantic models of the paper's records. JSON keys follow the paper (its Figure 4) and its released data sets."""

from __future__ import annotations

import json
import operator
from itertools import pairwise
from reprlib import Repr
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator, model_validator


class Record(BaseModel):
    """Strict (no coercion), closed (no unknown key), and written with the paper's keys."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True, serialize_by_alias=True)

    def to_json(self) -> str:
        """One line of JSON with the paper's keys."""
        return self.model_dump_json(by_alias=True)


class ActionSpec(Record):
    """How one action of a script is checked: a regular expression (RE2 syntax) and the values of each parameter."""

    verification_code: str = Field(alias="verification code")
    parameters: dict[str, list[str]] = {}


class Script(Record):
    """What a teacher writes from a persona: places → items → properties, a goal, and the actions that exist.

    ``rules`` and ``example`` (another play, as text) are ours: told before the goal, where there are any.
    """

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


class PlayerTurn(Record):
    """The Player's half of a turn, in ReAct form."""

    turn: int = Field(ge=0)
    role: Literal["Player"] = "Player"
    thought: str = Field(alias="Thought")
    action: str = Field(alias="Action", min_length=1)


ERROR_FLAGS = ("parameter_error", "place_error", "logic_error")


class DMTurn(Record):
    """The dungeon master's half: what happens, and whether the Player's action before it was erroneous."""

    turn: int = Field(ge=0)
    role: Literal["DM"] = "DM"
    thought: str = Field(alias="Thought", default="")
    observation: str = Field(alias="Observation", min_length=1)
    parameter_error: bool = False
    place_error: bool = False
    logic_error: bool = False

    @property
    def is_error(self) -> bool:
        """True when any of the three flags is set: the turn answered is then not learned from."""
        return self.parameter_error or self.place_error or self.logic_error

    @property
    def flags(self) -> list[str]:
        """Names of the flags that are set."""
        return [name for name in ERROR_FLAGS if getattr(self, name)]


Turn = Annotated[PlayerTurn | DMTurn, Field(discriminator="role")]


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
    def turns_alternate(self) -> Trajectory:
        for before, turn in pairwise(self.turns):
            if turn.role == before.role:
                raise ValueError(f"turn {turn.turn} ({turn.role}) comes right after turn {before.turn} ({before.role})")
        return self


class Message(Record):
    """One message of the released format. ``loss`` is True or False for a reply, None for what the model reads."""

    sender: Literal["human", "gpt"] = Field(alias="from")
    value: str
    loss: bool | None = None

    @property
    def role(self) -> str:
        """The sender as chat templates name it."""
        return "assistant" if self.sender == "gpt" else "user"


class Conversation(Record):
    """One row of the released data sets: ``{"id": str, "conversations": [{"from", "value", "loss"}]}``."""

    id: str
    conversations: list[Message] = Field(min_length=1)


class Task(Record):
    """One benchmark task: an engine, the engine's own name for the task, and the seed of its episode."""

    engine: str
    name: str
    seed: int = 0

    @property
    def id(self) -> str:
        return f"{self.engine}/{self.name}/{self.seed}"

    @classmethod
    def from_id(cls, text: str) -> Task:
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

    ``well_formed``: the reply has an ``Action:`` line, which is another matter; older files say so of accepted actions
    only.
    """

    reply: str
    thought: str
    action: str
    observation: str
    progress: float = Field(ge=0.0, le=1.0)
    error: str | None = None
    well_formed: bool = True
    ending: Ending | None = None  # of a reply by a model

    @model_validator(mode="before")
    @classmethod
    def form_is_no_error(cls, fields: Any) -> Any:
        """Older files name the form of an accepted reply as its error."""
        if isinstance(fields, dict) and fields.get("error") == "reply":
            return fields | {"error": None, "well_formed": False}
        return fields


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
    commands: dict[str, str] = {}
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

    @model_validator(mode="after")
    def progress_is_the_last_steps(self) -> Episode:
        if self.steps and abs(self.progress - self.steps[-1].progress) > 1e-9:
            raise ValueError(f"progress {self.progress} differs from that of the last step {self.steps[-1].progress}")
        return self


PROBLEMS_NAMED = 5  # of one record; a record that is wrong throughout has thousands
_SHOW = Repr()
_SHOW.maxlevel, _SHOW.maxstring, _SHOW.maxother = 2, 80, 80  # a found value may be huge, or nested without end


def explain(error: ValidationError) -> str:
    """The first problems of one record in one line: field, what was found, what was expected. Always writable."""
    problems = [_problem(item) for item in error.errors(include_url=False, include_context=False)[:PROBLEMS_NAMED]]
    more = error.error_count() - len(problems)
    line = "; ".join(problems) + (f"; and {more} more" if more else "")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)  # keys are theirs, too


def _problem(item: Any) -> str:
    path = [str(part) for part in item["loc"]]
    field = ".".join(path if len(path) <= 8 else [*path[:8], "…"]) or "record"
    try:
        found = "nothing" if item["type"] == "missing" else _SHOW.repr(item["input"])
    except ValueError:  # Python does not write out a number of more than 4,300 digits
        found = "a huge number"
    return f"field {field[:200]}: found {found}, expected: {item['msg'][:200]}"
