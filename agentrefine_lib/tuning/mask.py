"""Which tokens are learned from: token ids and labels of a conversation, built together from its chat template.

A template says which characters a reply is: with ``{% generation %}`` markers, its own or those of TRL's training
template for its family where both write the same text, or else by what it adds to the conversation before that reply.
Characters become tokens through the tokenizer's own offsets; no text is searched for.
A reply begins after the generation prompt, which a model never writes itself, and ends with its end-of-turn token,
which it has to write. Markers in the wild also enclose the line breaks around these; they are not learned from here.
"""

from __future__ import annotations

import re
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
MARKERS = re.compile(r"\{%-?\s*(end)?generation\s*-?%\}")
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
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise MaskError(f"{type(tokenizer).__name__} knows no characters of its tokens; expected a fast tokenizer")
    special, template = tokenizer.all_special_tokens, _marked_template(tokenizer)
    while batch := list(islice(rest, BATCH)):
        for conversation in batch:
            _refuse_special_tokens(conversation, special)
        rendered = _render(batch, tokenizer, template)
        # the backend itself: the tokenizer's call would make lists of things that nobody reads, a quarter of the time
        backend.no_truncation()
        backend.no_padding()
        encoded = backend.encode_batch([text for text, _ in rendered], add_special_tokens=False)
        for conversation, (text, spans), tokens in zip(batch, rendered, encoded, strict=True):
            yield _example(conversation, text, spans, tokens, learn)


def _marked_template(tokenizer: Any) -> str | None:
    """A template with markers around the replies: the tokenizer's own, or TRL's for its family, or None."""
    template: str = tokenizer.chat_template
    if MARKERS.search(template):
        return template
    from trl.chat_template_utils import get_training_chat_template  # after the check: the import takes seconds

    try:
        training: str | None = get_training_chat_template(tokenizer)
    except ValueError:  # TRL does not know the family
        return None
    return training


def _refuse_special_tokens(conversation: Conversation, special: Sequence[str]) -> None:
    for message in conversation.conversations:
        if found := [token for token in special if token in message.value]:
            raise MaskError(
                f"{conversation.id}: a message holds the special token {found[0]!r}; remove it from the data"
            )


def _render(
    conversations: Sequence[Conversation], tokenizer: Any, template: str | None
) -> list[tuple[str, list[Span]]]:
    """Each conversation as the tokenizer's template writes it, and where in that text the replies are."""
    chats = [[{"role": m.role, "content": m.value} for m in c.conversations] for c in conversations]
    special = tokenizer.special_tokens_map
    if template is not None:
        texts, marked = render_jinja_template(
            conversations=chats, chat_template=template, return_assistant_tokens_mask=True, **special
        )
    if template is None or (  # a training template of TRL that writes another text than the model sees when it plays
        template != tokenizer.chat_template and texts != tokenizer.apply_chat_template(chats, tokenize=False)
    ):
        return [_render_by_prefixes(c, chat, tokenizer) for c, chat in zip(conversations, chats, strict=True)]
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


def _example(conversation: Conversation, text: str, spans: list[Span], tokens: Any, learn: Learn) -> Example:
    messages, ids = conversation.conversations, tokens.ids
    replies = [index for index, message in enumerate(messages) if message.sender == "gpt"]
    if len(spans) != len(replies):
        raise MaskError(
            f"{conversation.id}: the chat template marks {len(spans)} replies of {len(replies)}; "
            "expected {% generation %} around every assistant message"
        )
    labels, owner = [IGNORED] * len(ids), [-1] * len(ids)
    for index, (start, end) in zip(replies, spans, strict=True):
        if messages[index].value.strip() not in text[start:end]:  # thinking templates add an empty thought before it
            raise MaskError(f"{conversation.id}: message {index} is not the text that the chat template shows")
        first, last = _token_from(tokens, start, text), _token_from(tokens, end, text)
        if any(at < len(ids) and tokens.token_to_chars(at)[0] < char for at, char in ((first, start), (last, end))):
            raise MaskError(f"{conversation.id}: a token straddles the border between prompt and message {index}")
        owner[first:last] = [index] * (last - first)
        if is_trained(messages[index]):
            begin, stop = _part(text, start, end, learn)
            first, last = _token_from(tokens, begin, text), _token_from(tokens, stop, text)
            labels[first:last] = ids[first:last]
    return Example(ids, labels, owner)


def _token_from(tokens: Any, char: int, text: str) -> int:
    """The first token at or after a character; some tokenizers give blanks to no token."""
    while char < len(text):
        token: int | None = tokens.char_to_token(char)
        if token is not None:
            return token
        char += 1
    return len(tokens.ids)


def _part(text: str, start: int, end: int, learn: Learn) -> Span:
    action = ACTION_LINE.search(text, start, end) if learn != "reply" else None
    if learn == "reply" or action is None:
        return start, end
    border = action.start() + len(action[0]) - len(action[0].lstrip())
    return (start, border) if learn == "thought" else (border, end)
