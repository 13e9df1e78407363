"""The one contract: what flows between the rooms, and how it is kept on disk."""

from agentrefine_lib.schema.jsonl import Journal, SchemaError, read_jsonl, write_jsonl
from agentrefine_lib.schema.models import (
    ActionSpec,
    Conversation,
    DMTurn,
    Episode,
    Message,
    PlayerTurn,
    Script,
    Step,
    Task,
    Trajectory,
    Turn,
    explain,
)

__all__ = [
    "ActionSpec",
    "Conversation",
    "DMTurn",
    "Episode",
    "Journal",
    "Message",
    "PlayerTurn",
    "SchemaError",
    "Script",
    "Step",
    "Task",
    "Trajectory",
    "Turn",
    "explain",
    "read_jsonl",
    "write_jsonl",
]
