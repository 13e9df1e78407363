"""Which tokens are learned from: token ids and labels of a conversation, built together from its chat template.

A template says which characters a reply is: with ``{% generation %}`` markers, or, without, by what it adds to the
conversation before that reply. Characters become tokens through the tokenizer's own offsets; no text is searched for.
A reply begins after the generation prompt, which a model never writes itself, and ends with its end-of-turn token,
which it has to write. Markers in the wild also enclose the line breaks around these; they are not learned from here.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal, NamedTuple

from transformers.utils.chat_template_utils import render_jinja_template

from agentrefine_lib.dataset.exports import is_trained
from agentrefine_lib.schema import Conversation
from agentrefine_lib.verify.rules import ACTION_LINE

IGNORED = -100  # the label of a token that is read but not learned from
Learn = Literal["reply", "thought", "action"]  # the part of a trained reply that is learned from; end-of-turn is action
Span = tuple[int, int]  # first character and the one after the last
MARKERS = re.compile(r"\{%-?\s*generation\s*-?%\}")
BATCH = 256  # conversations tokenised in one call


class MaskError(ValueError):
    """A conversation and a chat template that do not give a faithful mask."""


class Example(NamedTuple):
    """One conversation as the model sees it; the three lists have one entry per token."""

    input_ids: list[int]
    labels: list[int]  # the token's id where it is learned from, else IGNORED
    message: list[int]  # index of the gpt message that the token belongs to, -1 for what the model reads


def encode(conversation: Conversation, tokenizer: Any, learn: Learn = "reply") -> Example:
    """One conversation; see ``encode_all``."""
    return next(encode_all([conversation], tokenizer, learn))


def encode_all(conversations: Iterable[Conversation], tokenizer: Any, learn: Learn = "reply") -> Iterator[Example]:
    """Ids, labels and the message of each token. The end-of-turn token of a trained reply is trained with it.

    ``learn`` narrows what is trained to the thoughts or to the actions. Raises MaskError when the template rewrites
    earlier messages or changes a reply, when a message holds special tokens, or when a token straddles the border
    between prompt and reply.
    """
    rest = iter(conversations)
    while batch := list(islice(rest, BATCH)):
        for conversation in batch:
            _refuse_special_tokens(conversation, tokenizer)
        rendered = _render(batch, tokenizer)
        encoded = tokenizer([text for text, _ in rendered], add_special_tokens=False, return_offsets_mapping=True)
        for conversation, (text, spans), ids, offsets in zip(
            batch, rendered, encoded["input_ids"], encoded["offset_mapping"], strict=True
        ):
            yield _example(conversation, text, spans, ids, offsets, learn)


def _refuse_special_tokens(conversation: Conversation, tokenizer: Any) -> None:
    for message in conversation.conversations:
        if found := [token for token in tokenizer.all_special_tokens if token in message.value]:
            raise MaskError(
                f"{conversation.id}: a message holds the special token {found[0]!r}; remove it from the data"
            )


def _render(conversations: Sequence[Conversation], tokenizer: Any) -> list[tuple[str, list[Span]]]:
    """Each conversation as text, and where in it the replies are."""
    chats = [[{"role": m.role, "content": m.value} for m in c.conversations] for c in conversations]
    special = tokenizer.special_tokens_map
    if not MARKERS.search(tokenizer.chat_template):
        return [_render_by_prefixes(c, chat, tokenizer) for c, chat in zip(conversations, chats, strict=True)]
    texts, marked = render_jinja_template(
        conversations=chats, chat_template=tokenizer.chat_template, return_assistant_tokens_mask=True, **special
    )
    question = [{"role": "user", "content": "x"}]
    asked = tokenizer.apply_chat_template(question, tokenize=False, add_generation_prompt=True)
    prompt = asked.removeprefix(tokenizer.apply_chat_template(question, tokenize=False))
    endings = {"", *tokenizer.all_special_tokens}  # some templates end with one more, and mark it
    return [
        (text, [_without_borders(text, (a, b), prompt) for a, b in spans if text[a:b].strip() not in endings])
        for text, spans in zip(texts, marked, strict=True)
    ]


def _without_borders(text: str, span: Span, prompt: str) -> Span:
    """The span without what the generation prompt already said and without blanks after the end of the turn."""
    start, end = span
    begins = text.rfind(prompt, 0, start + len(prompt)) + len(prompt)
    return max(start, begins), start + len(text[start:end].rstrip())


def _render_by_prefixes(
    conversation: Conversation, chat: list[dict[str, str]], tokenizer: Any
) -> tuple[str, list[Span]]:
    """For templates without markers, slowly: a reply is what it adds to the text that asks for it."""

    def text_of(messages: list[dict[str, str]], ask: bool = False) -> str:
        text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask)
        return text

    whole = text_of(chat)
    spans = []
    for index in (i for i, message in enumerate(chat) if message["role"] == "assistant"):
        before, after = text_of(chat[:index], ask=True), text_of(chat[: index + 1]).rstrip()
        if not (whole.startswith(after) and after.startswith(before)):
            raise MaskError(
                f"{conversation.id}: the chat template writes message {index} otherwise once more messages follow, so "
                "a mask would not fit what the model sees when it plays; use a template that keeps earlier messages"
            )
        spans.append((len(before), len(after)))
    return whole, spans


def _example(
    conversation: Conversation, text: str, spans: list[Span], ids: list[int], offsets: list[Span], learn: Learn
) -> Example:
    messages = conversation.conversations
    replies = [index for index, message in enumerate(messages) if message.sender == "gpt"]
    if len(spans) != len(replies):
        raise MaskError(
            f"{conversation.id}: the chat template marks {len(spans)} replies of {len(replies)}; "
            "expected {% generation %} around every assistant message"
        )
    labels, owner = [IGNORED] * len(ids), [-1] * len(ids)
    starts = [start for start, _ in offsets]
    for index, (start, end) in zip(replies, spans, strict=True):
        if messages[index].value.strip() not in text[start:end]:  # thinking templates add an empty thought before it
            raise MaskError(f"{conversation.id}: message {index} is not the text that the chat template shows")
        first, last = bisect_left(starts, start), bisect_left(starts, end)
        if first and offsets[first - 1][1] > start:
            raise MaskError(f"{conversation.id}: a token straddles the border between prompt and message {index}")
        owner[first:last] = [index] * (last - first)
        if is_trained(messages[index]):
            begin, stop = _part(text, start, end, learn)
            first, last = bisect_left(starts, begin), bisect_left(starts, stop)
            labels[first:last] = ids[first:last]
    return Example(ids, labels, owner)


def _part(text: str, start: int, end: int, learn: Learn) -> Span:
    action = ACTION_LINE.search(text, start, end) if learn != "reply" else None
    if learn == "reply" or action is None:
        return start, end
    border = action.start() + len(action[0]) - len(action[0].lstrip())
    return (start, border) if learn == "thought" else (border, end)
