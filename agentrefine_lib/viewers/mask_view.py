"""What is learned from and what is only read, per strategy and tokenizer, in turns and in tokens."""

from collections.abc import Mapping
from typing import Any

from agentrefine_lib.dataset import STRATEGIES, from_episode, to_conversation
from agentrefine_lib.schema import Conversation, Episode, Trajectory
from agentrefine_lib.tuning import MaskError, encode
from agentrefine_lib.viewers.index import Index, Playable, Source
from agentrefine_lib.viewers.page import block, table, text
from agentrefine_lib.viewers.pane import Pane, Panel, dropdown, toolbar
from agentrefine_lib.viewers.render import conversation_page, tokens_page

TURNS = "turns"


class MaskView(Panel):
    """``MaskView(trajectories, {"nano": tokenizer})``: trajectories under every strategy, or conversations as they are.

    ``source`` is a JSONL file or records; ``tokenizers`` are named; without one only turns are shown. Raises
    SchemaError for what is no record, ValueError when there is none.
    """

    def __init__(self, source: Source, tokenizers: Mapping[str, Any] | None = None) -> None:
        self._index = Index(source)
        if not self._index.entries:
            raise ValueError(f"source: found no record in {source!r}")
        self._tokenizers = dict(tokenizers or {})
        self._record = dropdown("record", [(e.id, n) for n, e in enumerate(self._index.entries)])
        self._strategy = dropdown("strategy", list(STRATEGIES), "18em")
        self._unit = dropdown("show", [TURNS, *self._tokenizers], "16em")
        self._counts, self._page = Pane(name="counts"), Pane(name="the record", height=480)
        controls = [self._record, self._strategy, self._unit]
        super().__init__("mask", [toolbar(*controls), self._counts, self._page])
        for control in controls:
            control.observe(lambda _: self._show(), "value")
        self._show()

    def _show(self) -> None:
        tokenizer = self._tokenizers.get(self._unit.value)
        record = self._index.record(self._record.value)
        self._strategy.disabled = not isinstance(record, Trajectory)
        under = list(STRATEGIES) if isinstance(record, Trajectory) else ["as it is"]
        try:
            made = {name: _conversation(record, name) for name in under}
            counts = [(name, *_counts(one, tokenizer)) for name, one in made.items()]
            chosen = made.get(self._strategy.value, made[under[0]])
            if tokenizer is None:
                self._page.body = conversation_page(chosen)
            else:
                self._page.body = tokens_page(encode(chosen, tokenizer), tokenizer)
        except MaskError as error:  # a template that does not fit is worth seeing, not a broken widget
            counts = []
            self._page.body = block("✗ no faithful mask", text(str(error)), "bad")
        unit, read = ("replies", "messages read") if tokenizer is None else ("tokens", "tokens read")
        self._counts.body = table(("strategy", f"{unit} trained", f"{unit} masked", read), counts)


def _conversation(record: Playable, strategy: str) -> Conversation:
    if isinstance(record, Episode):
        return from_episode(record)
    return to_conversation(record, strategy) if isinstance(record, Trajectory) else record


def _counts(conversation: Conversation, tokenizer: Any) -> tuple[int, int, int]:
    """Trained, masked, and read only."""
    if tokenizer is None:
        replies = [reply.is_trained for reply in conversation.replies]
        return sum(replies), len(replies) - sum(replies), len(conversation.conversations) - len(replies)
    example = encode(conversation, tokenizer)
    trained = sum(example.trained)
    owned = sum(message >= 0 for message in example.message)
    return trained, owned - trained, len(example.input_ids) - owned
