"""The one contract: what flows between the rooms, and how it is kept on disk."""

from agentrefine_lib.schema.actions import CodeError, Match, Mismatch, compile_code, match_action, placeholders
from agentrefine_lib.schema.jsonl import (
    MAX_LINE_BYTES,
    Journal,
    SchemaError,
    atomic_write,
    atomic_write_text,
    child_path,
    file_lock,
    parse_line,
    read_jsonl,
    read_lines,
    write_archive,
    write_jsonl,
)
from agentrefine_lib.schema.models import SCORE_UNKNOWN, ActionSpec, Ending, Episode, Script, Step, Task, Trajectory
from agentrefine_lib.schema.questions import Answer, Question
from agentrefine_lib.schema.react import (
    ACTION_LINE,
    EXAMPLE_DRAWS,
    EXAMPLE_STEPS,
    REASONING_BEGINS,
    REASONING_ENDS,
    SPECIAL_TOKEN,
    begins_with_action,
    format_example,
    format_observation,
    format_reply,
    is_react,
    parse_reply,
    without_reasoning,
)
from agentrefine_lib.schema.record import Record, explain, texts
from agentrefine_lib.schema.section import Section, did_you_mean, spelt_out
from agentrefine_lib.schema.settings import keep_settings
from agentrefine_lib.schema.turns import (
    COMPLETED,
    ERROR_FLAGS,
    SUCCEEDED,
    Conversation,
    DMTurn,
    Message,
    PlayerTurn,
    Turn,
    answers,
    ends_play,
    exchanges,
    is_completed,
    refinements,
)
