"""Plain instructions, as a user of a chat gives them, and what a model answers, outside of any world."""

from pydantic import Field, JsonValue

from agentrefine_lib.schema.record import Record


class Question(Record):
    """An instruction in one turn or several. ``checks``: what a program demands of the last reply, by kind."""

    id: str = Field(min_length=1)
    turns: list[str] = Field(min_length=1)
    checks: dict[str, JsonValue] = Field(default_factory=dict)


class Answer(Record):
    """What a model said to a question: a reply to each turn. ``cut``: one of them ends at its limit of tokens."""

    id: str
    model: str
    question: str
    replies: list[str]
    cut: bool = False
