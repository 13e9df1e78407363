"""How much there is to learn in a training set, counted as the trainer reads it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentrefine_lib.schema import Conversation
from agentrefine_lib.tuning.base import load_tokenizer
from agentrefine_lib.tuning.mask import Known, prepare

if TYPE_CHECKING:
    import pandas as pd


def sets_table(sets: Mapping[str, Sequence[Conversation]], base: Path | str) -> "pd.DataFrame":
    """tab_sets: a row per set: plays, steps (replies), trained_steps, tokens, trained_tokens (``base``'s)."""
    import pandas as pd

    tokenizer, known, rows = load_tokenizer(base), Known(), []
    for name, conversations in sets.items():
        replies = [reply for conversation in conversations for reply in conversation.replies]
        examples, _ = prepare(conversations, tokenizer, None, known)
        trained = sum(sum(example.trained) for example in examples)
        rows.append(
            {
                "set": name,
                "plays": len(conversations),
                "steps": len(replies),
                "trained_steps": sum(reply.is_trained for reply in replies),
                "tokens": sum(len(example.input_ids) for example in examples),
                "trained_tokens": trained,
            }
        )
    return pd.DataFrame(rows)
