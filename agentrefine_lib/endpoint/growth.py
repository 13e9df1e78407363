"""Servers that cut a long prompt and say nothing: their count of its tokens stands still while the transcript grows."""

from __future__ import annotations

import logging
from typing import NamedTuple

log = logging.getLogger(__name__)
ENOUGH = 1_000  # characters that a transcript has to grow by, and by a quarter, before its tokens are compared
LEAST = 0.1  # of the growth in proportion: text of one kind never takes so few tokens


class _Size(NamedTuple):
    chars: int
    tokens: int


class PromptGrowth:
    """Watches the transcripts of one model and warns once."""

    def __init__(self, where: str) -> None:
        self._where, self._warned = where, False
        self._sizes: dict[str, _Size] = {}  # by how a transcript begins: the last whose tokens were in proportion

    def watch(self, begins: str, chars: int, tokens: int) -> None:
        """One request: its first characters, all its characters, and the prompt tokens that the server counts."""
        before = self._sizes.setdefault(begins, _Size(chars, tokens))
        grown = chars - before.chars
        if self._warned or grown < max(ENOUGH, before.chars / 4):
            return
        if tokens - before.tokens >= LEAST * before.tokens * grown / max(before.chars, 1):
            self._sizes[begins] = _Size(chars, tokens)
            return
        self._warned = True
        log.warning(
            "%s: the prompt grew from %s to %s characters, the server counts %s and then %s prompt tokens: it seems to "
            "cut prompts. What to do: raise its context length (num_ctx, max-model-len, -c), or lower the step limit",
            self._where,
            *(f"{number:,}" for number in (before.chars, chars, before.tokens, tokens)),
        )
