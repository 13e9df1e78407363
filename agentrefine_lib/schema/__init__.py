"""The one contract: what flows between the rooms, and how it is kept on disk."""

from agentrefine_lib.schema.actions import CodeError, Match, Mismatch, compile_code, match_action, placeholders
from agentrefine_lib.schema.jsonl import Journal, SchemaError, appears_whole, read_jsonl, write_jsonl, write_whole
from agentrefine_lib.schema.models import (
    ERROR_FLAGS,
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
    "ERROR_FLAGS",
    "ActionSpec",
    "CodeError",
    "Conversation",
    "DMTurn",
    "Episode",
    "Journal",
    "Match",
    "Message",
    "Mismatch",
    "PlayerTurn",
    "SchemaError",
    "Script",
    "Step",
    "Task",
    "Trajectory",
    "Turn",
    "appears_whole",
    "compile_code",
    "explain",
    "match_action",
    "placeholders",
    "read_jsonl",
    "write_jsonl",
    "write_whole",
]
