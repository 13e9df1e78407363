"""Which tokens are learned from: token ids and labels of a conversation, built together from its chat template.

What a player reads before a reply, in characters and in ids, has to be the beginning of the whole conversation; the
reply is what follows, up to and with its end-of-turn token, all of which a model has to write. Characters become tokens
through the tokenizer's own offsets. Only the template may write control tokens: a text that holds one is not learned
from, and is broken up when a model plays, so that no observation ends a turn.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice, zip_longest
from typing import Any, Literal, NamedTuple

from agentrefine_lib.dataset.exports import why_unfit
from agentrefine_lib.schema import ACTION_LINE, Conversation

IGNORED = -100  # the label of a token that is read but not learned from
Learn = Literal["reply", "thought", "action"]  # the part of a trained reply that is learned from; end-of-turn is action
Chat = Sequence[dict[str, str]]  # {"role": "user" | "assistant", "content": text}
Span = tuple[int, int]  # first character and the one after the last
REASONS = ("roles_not_alternating", "no_trained_reply", "empty_reply", "over_max_tokens")  # to leave a row out
BATCH = 256  # conversations tokenised in one call
QUESTION, ANSWER = {"role": "user", "content": "One?"}, {"role": "assistant", "content": "Two."}  # to see a template by


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

    ``learn`` narrows what is trained to the thoughts or to the actions. Raises MaskError, which names the conversation,
    when the template refuses it, changes a reply, or writes before a reply what a player does not read there; when a
    message holds control tokens; and when a token straddles the border between prompt and reply.
    """
    rest = iter(conversations)
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise MaskError(f"{type(tokenizer).__name__} knows no characters of its tokens; expected a fast tokenizer")
    control = Control(tokenizer)
    frame = _frame(tokenizer, control)
    ids_of = cache(lambda text: _tokens(tokenizer, [text])[0].ids)
    while batch := list(islice(rest, BATCH)):
        for conversation in batch:
            _refuse_control_tokens(conversation, control)
        rendered = [_render(conversation, tokenizer, frame) for conversation in batch]
        encoded = _tokens(tokenizer, [text for text, _ in rendered])
        for conversation, (text, spans), tokens in zip(batch, rendered, encoded, strict=True):
            starts, places = _places(conversation, text, spans, tokens, control, ids_of)
            yield _example(conversation, text, tokens.ids, starts, places, learn)


def usable(
    conversations: Iterable[Conversation], tokenizer: Any, max_tokens: int | None, left_out: dict[str, list[str]]
) -> Iterator[Example]:
    """The encoded conversations that one can learn from; ``left_out`` gets the ids of the others by reason (REASONS).

    A conversation is kept whole or not at all: cutting one would leave half a turn to learn from.
    """
    names: list[str] = []

    def fit() -> Iterator[Conversation]:
        for conversation in conversations:
            if reason := why_unfit(conversation):
                left_out.setdefault(reason, []).append(conversation.id)
            else:
                names.append(conversation.id)
                yield conversation

    for number, example in enumerate(encode_all(fit(), tokenizer)):
        if max_tokens is not None and len(example.input_ids) > max_tokens:
            left_out.setdefault("over_max_tokens", []).append(names[number])
        else:
            yield example


def chat_text(tokenizer: Any, chat: Chat) -> str:
    """What a player reads before its next reply: the template's text, with a blank in each control token of a message.

    Where no message holds one, the conversation that ``encode`` learns from begins like this.
    """
    # transformers has `sanitize_control_tokens`; versions before it, 5.17 among them, pass over the word in silence
    control = Control(tokenizer)
    safe = [{**message, "content": control.broken_up(message["content"])} for message in chat]
    text: str = tokenizer.apply_chat_template(safe, tokenize=False, add_generation_prompt=True)
    return text


def chat_ids(tokenizer: Any, chat: Chat) -> list[int]:
    """The token ids of ``chat_text``: those before a reply in ``encode``'s ``input_ids``."""
    ids: list[int] = tokenizer(chat_text(tokenizer, chat), add_special_tokens=False, split_special_tokens=False)[
        "input_ids"
    ]
    return ids


def end_of_turn(tokenizer: Any) -> set[int]:
    """The id of the token that ends a reply as the template writes it, which need not be the tokenizer's own end of
    text; nothing for a template without one."""
    try:
        after = _frame(tokenizer, Control(tokenizer)).after
    except MaskError:
        return set()
    return set(tokenizer(after, add_special_tokens=False, split_special_tokens=False)["input_ids"][-1:])


class Control:
    """The tokens that only a chat template may write: special ones, and added ones that stand around a message."""

    def __init__(self, tokenizer: Any) -> None:
        asked = _written(tokenizer, [[QUESTION]], ask=True)[0]
        added = {
            id_: token
            for id_, token in tokenizer.added_tokens_decoder.items()
            if token.special or (token.content in asked and re.search(r"[^\w\s]", token.content))
        }
        self.ids = {*added, *tokenizer.all_special_ids}
        named = {token.content for token in added.values()} | set(tokenizer.all_special_tokens)
        self._forms: list[tuple[re.Pattern[str], Callable[[str], str]]] = [(_any_of(named), str)]
        normalizer = getattr(getattr(tokenizer, "backend_tokenizer", None), "normalizer", None)
        if normalizer and (late := {t.content for t in added.values() if t.normalized}):  # found after normalisation
            folded = {normalizer.normalize_str(content) for content in late}
            self._forms.append((_any_of(folded), normalizer.normalize_str))

    def held_by(self, text: str) -> str | None:
        """The first control token that a text would become, or None."""
        return next((found[0] for pattern, form in self._forms if (found := pattern.search(form(text)))), None)

    def broken_up(self, text: str) -> str:
        """The text with a blank after the first character of each control token."""
        for pattern, form in self._forms:
            if pattern.search(form(text)):
                text = pattern.sub(lambda found: f"{found[0][0]} {found[0][1:]}", form(text))
        return text


def _any_of(texts: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(filter(None, texts), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")


def _refuse_control_tokens(conversation: Conversation, control: Control) -> None:
    for index, message in enumerate(conversation.conversations):
        if found := control.held_by(message.value):
            raise MaskError(
                f"{conversation.id}: message {index} holds the special token {found!r}; remove it from the data"
            )


class Frame(NamedTuple):
    """What a template writes around the text of a reply, and a model with it."""

    before: str  # a blank, an empty thought
    after: str  # its end-of-turn token


def _frame(tokenizer: Any, control: Control) -> Frame:
    """A template's frame, seen in one reply at the end of a chat and in the middle of it."""
    asked = _written(tokenizer, [[QUESTION]], ask=True)[0]
    last, amid = _written(tokenizer, [[QUESTION, ANSWER], [QUESTION, ANSWER] * 2])
    before, shown, tail = last.rpartition(ANSWER["content"])
    if not shown:
        raise MaskError(
            f"a reply is not the text that the chat template shows: found {last!r} for {ANSWER['content']!r}"
        )
    follows = amid.partition(ANSWER["content"])[2]
    for extra in ("", *tokenizer.all_special_tokens):  # some templates end a chat with one more
        after = tail.rstrip().removesuffix(extra).rstrip()
        if after and follows.startswith(after) and control.held_by(after):
            return Frame(before.removeprefix(asked) if before.startswith(asked) else "", after)
    raise MaskError(
        f"the chat template ends a reply with {tail!r} and goes on after one with {follows[:40]!r}; expected the same "
        "end-of-turn token, without which a model would not learn to stop"
    )


def _render(conversation: Conversation, tokenizer: Any, frame: Frame) -> tuple[str, list[Span]]:
    """A conversation as the template writes it, and where in that text the replies are."""
    chat = [{"role": m.role, "content": m.value} for m in conversation.conversations]
    replies = [index for index, message in enumerate(chat) if message["role"] == "assistant"]
    [whole] = _written(tokenizer, [chat], name=conversation.id)
    asked = _written(tokenizer, [chat[:index] for index in replies], ask=True, name=conversation.id)
    spans = []
    for index, before in zip(replies, asked, strict=True):
        if not whole.startswith(before):
            at = next(i for i, (a, b) in enumerate(zip_longest(before, whole)) if a != b)
            raise MaskError(
                f"{conversation.id}: where a player that is asked for message {index} reads {before[at : at + 40]!r}, "
                f"the whole conversation has {whole[at : at + 40]!r}; use a chat template that does not change what "
                "stands before a reply once more messages follow"
            )
        end = _end(whole, len(before), chat[index]["content"].strip(), frame)
        if end is None:
            raise MaskError(
                f"{conversation.id}: message {index} is not the text that the chat template shows: found "
                f"{whole[len(before) : len(before) + 80]!r}, expected it between {frame.before!r} and {frame.after!r}"
            )
        spans.append((len(before), end))
    return whole, spans


def _written(tokenizer: Any, chats: Sequence[Chat], *, ask: bool = False, name: str = "any conversation") -> list[str]:
    """Chats as the template writes them, with a generation prompt where asked for."""
    if not chats:
        return []
    try:
        texts: list[str] = tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=ask)
    except Exception as error:  # a template is foreign code and raises what it likes
        raise MaskError(f"{name}: the chat template does not write this conversation: {error}") from error
    return texts


def _end(text: str, start: int, said: str, frame: Frame) -> int | None:
    """Where a reply ends that begins at ``start`` and says this, or None where something else stands there."""
    begin = start + len(frame.before)
    at = text.find(said, begin)
    end = text.find(frame.after, at + len(said))
    framed = text.startswith(frame.before, start) and at >= 0 and end >= 0
    if not framed or text[begin:at].strip() or text[at + len(said) : end].strip():
        return None
    return end + len(frame.after)


def _tokens(tokenizer: Any, texts: list[str]) -> list[Any]:
    """Encodings by the backend itself: the tokenizer's call would make lists of things that nobody reads."""
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = False
    processor, backend.post_processor = backend.post_processor, None  # it may trim blanks off the offsets
    try:
        encoded: list[Any] = backend.encode_batch(texts, add_special_tokens=False)
    finally:
        backend.post_processor = processor
    return encoded


def _places(
    conversation: Conversation,
    text: str,
    spans: list[Span],
    tokens: Any,
    control: Control,
    ids_of: Callable[[str], list[int]],
) -> tuple[list[int], list[Span]]:
    """The first character of every token, and first and last-but-one token of every reply."""
    ids, starts, places = tokens.ids, [start for start, _ in tokens.offsets], []
    for start, end in spans:
        first, last = bisect_left(starts, start), bisect_left(starts, end)
        cut = next((at for at in range(first - 1, 0, -1) if ids[at] in control.ids), 0)  # tokens end there, at any rate
        if ids[cut:first] != ids_of(text[starts[cut] : start]) or ids[last - 1] not in control.ids:
            raise MaskError(
                f"{conversation.id}: a token straddles the border of the reply {text[start : start + 40]!r}: a player "
                "reads what stands before it in other tokens; remove blanks from its start or change the chat template"
            )
        places.append((first, last))
    return starts, places


def _example(
    conversation: Conversation, text: str, ids: list[int], starts: list[int], places: list[Span], learn: Learn
) -> Example:
    messages = conversation.conversations
    labels, owner = [IGNORED] * len(ids), [-1] * len(ids)
    replies = [index for index, message in enumerate(messages) if message.sender == "gpt"]
    for index, (first, last) in zip(replies, places, strict=True):
        owner[first:last] = [index] * (last - first)
        if messages[index].is_trained:
            begin, stop = _part(text, starts, first, last, learn)
            labels[begin:stop] = ids[begin:stop]
    return Example(ids, labels, owner)


def _part(text: str, starts: list[int], first: int, last: int, learn: Learn) -> Span:
    """The tokens of a reply's thought or action; all of them where no line begins with ``Action:``."""
    end = starts[last] if last < len(starts) else len(text)
    action = ACTION_LINE.search(text[starts[first] : end]) if learn != "reply" else None
    if action is None:
        return first, last
    border = bisect_left(starts, starts[first] + action.start())
    return (first, border) if learn == "thought" else (border, last)
