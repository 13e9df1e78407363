"""Servers that cut a long prompt and say nothing: their count of its tokens stands still while the transcript grows."""

import logging

log = logging.getLogger(__name__)
ENOUGH = 1_000  # characters that a transcript has to grow by, and by a quarter, before its tokens are compared
LEAST = 0.1  # of the growth in proportion: text of one kind never takes so few tokens


class PromptGrowth:
    """Watches the transcripts of one model and warns once."""

    def __init__(self, where: str) -> None:
        self._where, self._warned = where, False
        self._sizes: dict[str, tuple[int, int]] = {}  # by how a transcript begins: characters, tokens, in proportion

    def watch(self, begins: str, chars: int, tokens: int) -> None:
        """One request: its first characters, all its characters, and the prompt tokens that the server counts."""
        chars_before, tokens_before = self._sizes.setdefault(begins, (chars, tokens))
        grown = chars - chars_before
        if self._warned or grown < max(ENOUGH, chars_before / 4):
            return
        self._warned = tokens - tokens_before < LEAST * tokens_before * grown / max(chars_before, 1)
        if not self._warned:
            self._sizes[begins] = chars, tokens
            return
        log.warning(
            f"{self._where}: the prompt grew from {chars_before:,} to {chars:,} characters, the server counts "
            f"{tokens_before:,} and then {tokens:,} prompt tokens: it seems to cut prompts. What to do: raise its "
            "context length (num_ctx, max-model-len, -c), or lower the step limit"
        )
