"""What a turn and a message are (erroneous, a refinement, trained), and how a play ends: decided here only."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from agentrefine_lib.schema.record import Record

ERROR_FLAGS = ("parameter_error", "place_error", "logic_error")
COMPLETED = "The task is completed."  # ends the dungeon master's last observation, and no other
SUCCEEDED = "Task Succeed"  # the paper's words for it, which a language model is asked for


class PlayerTurn(Record):
    """The Player's half of a turn, in ReAct form."""

    turn: int = Field(ge=0)
    role: Literal["Player"] = "Player"
    thought: str = Field(alias="Thought")
    action: str = Field(alias="Action", min_length=1)


class DMTurn(Record):
    """The dungeon master's half: what happens, and whether the Player's action before it was erroneous."""

    turn: int = Field(ge=0)
    role: Literal["DM"] = "DM"
    thought: str = Field(alias="Thought", default="")
    observation: str = Field(alias="Observation", min_length=1)
    parameter_error: bool = False
    place_error: bool = False
    logic_error: bool = False
    progress_rate: float | None = Field(default=None, exclude_if=lambda rate: rate is None)  # where a teacher tells it
    finished: bool | None = Field(default=None, exclude_if=lambda told: told is None)

    @property
    def flags(self) -> list[str]:
        """Names of the error flags that are set."""
        return [name for name in ERROR_FLAGS if getattr(self, name)]

    @property
    def is_error(self) -> bool:
        """Whether the turn answered is erroneous, and so not learned from: any of the three flags is set."""
        return self.parameter_error or self.place_error or self.logic_error


Turn = Annotated[PlayerTurn | DMTurn, Field(discriminator="role")]


def is_completed(observation: str) -> bool:
    """Whether an observation says that the task is done."""
    return COMPLETED in observation or SUCCEEDED in observation


def ends_play(observation: str, is_error: bool) -> bool:
    """Whether the dungeon master's last answer to an action brings the play to its goal."""
    return is_completed(observation) and not is_error


def exchanges(turns: Iterable[Turn]) -> list[tuple[PlayerTurn, DMTurn]]:
    """Each action with the dungeon master's answer to it; an opening answers none."""
    pairs = pairwise(turns)
    return [(a, b) for a, b in pairs if isinstance(a, PlayerTurn) and isinstance(b, DMTurn)]


def answers(turns: Iterable[Turn]) -> list[DMTurn]:
    """The dungeon master's answers to actions."""
    return [answer for _, answer in exchanges(turns)]


def refinements(errors: Iterable[bool]) -> list[bool]:
    """For each action of a play whether it is a refinement: accepted, and the action right before it an error."""
    return [before and not error for before, error in pairwise([False, *errors])]


TURNS = ("ordinary", "erroneous", "refinement")


class Message(Record):
    """One message of the released format. ``loss`` is True or False for a reply, None for what the model reads."""

    sender: Literal["human", "gpt"] = Field(alias="from")
    value: str
    loss: bool | None = None

    @property
    def role(self) -> str:
        """The sender as chat templates name it."""
        return "assistant" if self.sender == "gpt" else "user"

    @property
    def is_trained(self) -> bool:
        """Whether this is a reply that is learned from; one whose ``loss`` is null is."""
        return self.sender == "gpt" and self.loss is not False


class Conversation(Record):
    """One row of the released data sets: ``{"id": str, "conversations": [{"from", "value", "loss"}]}``."""

    id: str
    conversations: list[Message] = Field(min_length=1)

    @property
    def replies(self) -> list[Message]:
        """The model's messages."""
        return [message for message in self.conversations if message.sender == "gpt"]


def kinds_of_replies(messages: Sequence[Message]) -> dict[int, str]:
    """Index of each reply → which of TURNS it is: erroneous where it is masked."""
    replies = [(at, message) for at, message in enumerate(messages) if message.sender == "gpt"]
    mends = refinements(not reply.is_trained for _, reply in replies)
    return {
        at: "refinement" if mend else "ordinary" if reply.is_trained else "erroneous"
        for (at, reply), mend in zip(replies, mends, strict=True)
    }
