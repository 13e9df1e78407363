"""Which tokens are learned from: token ids and labels of a conversation, built together from its chat template.

The template marks the assistant's text with ``{% generation %}``, so the tokenizer itself says which tokens are the
model's own. Each message then keeps or loses all of its tokens by its ``loss`` flag. No text is searched for.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any, NamedTuple

from agentrefine_lib.dataset.exports import is_trained
from agentrefine_lib.schema import Conversation

IGNORED = -100  # the label of a token that is read but not learned from


class MaskError(ValueError):
    """A conversation and a chat template that do not give a faithful mask."""


class Example(NamedTuple):
    """One conversation as the model sees it; the three lists have one entry per token."""

    input_ids: list[int]
    labels: list[int]  # the token's id where it is learned from, else IGNORED
    message: list[int]  # index of the gpt message that the token belongs to, -1 for what the model reads


def encode(conversation: Conversation, tokenizer: Any) -> Example:
    """Ids, labels and the message of each token. The end-of-turn token of a trained reply is trained with it.

    Raises MaskError when the template has no generation markers, changes a reply, or a message holds special tokens.
    """
    messages = conversation.conversations
    chat = [{"role": m.role, "content": m.value} for m in messages]
    for text in (m.value for m in messages):
        if found := [token for token in tokenizer.all_special_tokens if token in text]:
            raise MaskError(
                f"{conversation.id}: a message holds the special token {found[0]!r}; remove it from the data"
            )
    encoded = tokenizer.apply_chat_template(
        chat, tokenize=True, return_dict=True, return_assistant_tokens_mask=True, add_generation_prompt=False
    )
    ids, own = encoded["input_ids"], encoded["assistant_masks"]
    replies = [index for index, m in enumerate(messages) if m.sender == "gpt"]
    spans = _spans(own)
    if len(spans) != len(replies):
        raise MaskError(
            f"{conversation.id}: the chat template marks {len(spans)} replies of {len(replies)}; "
            "expected a template with {% generation %} around every assistant message"
        )
    labels, owner = [IGNORED] * len(ids), [-1] * len(ids)
    for index, (start, end) in zip(replies, spans, strict=True):
        if messages[index].value.strip() not in tokenizer.decode(ids[start:end]):
            raise MaskError(f"{conversation.id}: message {index} is not the text that the chat template shows")
        owner[start:end] = [index] * (end - start)
        if is_trained(messages[index]):
            labels[start:end] = ids[start:end]
    return Example(ids, labels, owner)


def _spans(flags: list[int]) -> list[tuple[int, int]]:
    """Runs of ones as (start, end)."""
    spans, at = [], 0
    for flag, run in groupby(flags):
        length = len(list(run))
        if flag:
            spans.append((at, at + length))
        at += length
    return spans
