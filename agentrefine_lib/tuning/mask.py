"""Which tokens are learned from: token ids and labels of a conversation, built together from its chat template.

What a player reads before a reply, in characters and in ids, has to be the beginning of the whole conversation; the
reply is what follows, up to and with its end-of-turn token, all of which a model has to write. Characters become tokens
through the tokenizer's own offsets. Only the template may write control tokens: a text that holds one is not learned
from, and is broken up when a model plays, so that no observation ends a turn.
"""

import hashlib
import json
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice, zip_longest
from typing import Any, NamedTuple

from agentrefine_lib.dataset.exports import unfit_reason
from agentrefine_lib.schema import Conversation

IGNORED = -100  # the label of a token that is read but not learned from
Chat = Sequence[dict[str, str]]  # {"role": "user" | "assistant", "content": text}
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

    @property
    def trained(self) -> list[bool]:
        """Whether each token is learned from."""
        return [label != IGNORED for label in self.labels]


class Spans(NamedTuple):
    """The tokens of a conversation, and where each reply stands among them: message index → first token and end."""

    ids: list[int]
    replies: dict[int, tuple[int, int]]

    def labelled(self, conversation: Conversation) -> Example:
        """With the labels that the conversation's flags ask for."""
        labels, owner = [IGNORED] * len(self.ids), [-1] * len(self.ids)
        for index, (first, end) in self.replies.items():
            owner[first:end] = [index] * (end - first)
            if conversation.conversations[index].is_trained:
                labels[first:end] = self.ids[first:end]
        return Example(self.ids, labels, owner)


Known = dict[bytes, Spans]  # by a digest of what is said, of conversations that other sets have with another mask


def encode(conversation: Conversation, tokenizer: Any) -> Example:
    """One conversation; see ``encode_all``."""
    return next(encode_all([conversation], tokenizer))


def encode_all(conversations: Iterable[Conversation], tokenizer: Any, known: Known | None = None) -> Iterator[Example]:
    """Ids, labels and the message of each token. The end-of-turn token of a trained reply is trained with it.

    ``known`` keeps what was tokenised, so that sets which differ in their masks share it.

    Raises MaskError, which names the conversation, when the template refuses it, changes a reply, or writes before a
    reply what a player does not read there; when a message holds control tokens; and when a token straddles the border
    between prompt and reply.
    """
    rest = iter(conversations)
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise MaskError(f"{type(tokenizer).__name__} knows no characters of its tokens; expected a fast tokenizer")
    control = Control(tokenizer)
    frame = _frame(tokenizer, control)
    ids_of = cache(lambda text: _tokens(tokenizer, [text])[0].ids)
    while batch := list(islice(rest, BATCH)):
        found, keys = {} if known is None else known, [_digest(conversation) for conversation in batch]
        new = {key: conversation for key, conversation in zip(keys, batch, strict=True) if key not in found}
        rendered = [_render(conversation, tokenizer, frame, control) for conversation in new.values()]
        encoded = _tokens(tokenizer, [text for text, _ in rendered])
        for (key, conversation), (text, spans), tokens in zip(new.items(), rendered, encoded, strict=True):
            found[key] = _spans(conversation.id, text, spans, tokens, control, ids_of)
        for key, conversation in zip(keys, batch, strict=True):
            yield found[key].labelled(conversation)


def _digest(conversation: Conversation) -> bytes:
    """Of who says what."""
    said = [(message.sender, message.value) for message in conversation.conversations]
    return hashlib.blake2b(json.dumps(said).encode(), digest_size=16).digest()


def prepare(
    conversations: Iterable[Conversation], tokenizer: Any, max_tokens: int | None, known: Known | None = None
) -> tuple[list[Example], dict[str, list[str]]]:
    """The encoded conversations that one can learn from, and the ids of the others by reason (REASONS).

    A conversation is kept whole or not at all: cutting one would leave half a turn to learn from. ``known``: see
    ``encode_all``.
    """
    sorted_out = defaultdict[str, list[Conversation]](list)
    for conversation in conversations:
        sorted_out[unfit_reason(conversation) or ""].append(conversation)
    fit, examples = sorted_out.pop("", []), []
    for conversation, example in zip(fit, encode_all(fit, tokenizer, known), strict=True):
        if max_tokens is not None and len(example.input_ids) > max_tokens:
            sorted_out["over_max_tokens"].append(conversation)
        else:
            examples.append(example)
    return examples, {reason: [conversation.id for conversation in left] for reason, left in sorted_out.items()}


def chat_text(tokenizer: Any, chat: Chat) -> str:
    """What a player reads before its next reply: the template's text, with a blank in each control token of a message.

    Where no message holds one, the conversation that ``encode`` learns from begins like this.
    """
    control = Control(tokenizer)
    safe = [{**message, "content": control.broken_up(message["content"])} for message in chat]
    text: str = tokenizer.apply_chat_template(safe, tokenize=False, add_generation_prompt=True)
    return text


def chat_ids(tokenizer: Any, chat: Chat) -> list[int]:
    """The token ids of ``chat_text``: those before a reply in ``encode``'s ``input_ids``."""
    return _plain_ids(tokenizer, chat_text(tokenizer, chat))


def end_of_turn(tokenizer: Any) -> set[int]:
    """The id of the token that ends a reply as the template writes it, which need not be the tokenizer's own end of
    text; nothing for a template without one."""
    try:
        after = _frame(tokenizer, Control(tokenizer)).after
    except MaskError:
        return set()
    return set(_plain_ids(tokenizer, after)[-1:])


def _plain_ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False, split_special_tokens=False)["input_ids"]
    return ids


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
        raise MaskError(f"a reply is not the text that the chat template shows: {last!r} for {ANSWER['content']!r}")
    follows = amid.partition(ANSWER["content"])[2]
    for extra in ("", *tokenizer.all_special_tokens):  # some templates end a chat with one more
        after = tail.rstrip().removesuffix(extra).rstrip()
        if after and follows.startswith(after) and control.held_by(after):
            return Frame(before.removeprefix(asked) if before.startswith(asked) else "", after)
    told = f"the chat template ends a reply with {tail!r} and goes on after one with {follows[:40]!r}"
    raise MaskError(f"{told}; expected the same end-of-turn token, or a model would not learn to stop")


def _render(
    conversation: Conversation, tokenizer: Any, frame: Frame, control: Control
) -> tuple[str, dict[int, tuple[int, int]]]:
    """A conversation as the template writes it, and first character and end of each reply by the message's index."""
    name, chat = conversation.id, [{"role": m.role, "content": m.value} for m in conversation.conversations]
    for index, message in enumerate(chat):
        if found := control.held_by(message["content"]):
            raise MaskError(f"{name}: message {index} holds the special token {found!r}; remove it from the data")
    replies = [index for index, message in enumerate(chat) if message["role"] == "assistant"]
    [whole] = _written(tokenizer, [chat], name=name)
    asked = _written(tokenizer, [chat[:index] for index in replies], ask=True, name=name)
    spans = {}
    for index, before in zip(replies, asked, strict=True):
        if not whole.startswith(before):
            at = next(i for i, (a, b) in enumerate(zip_longest(before, whole)) if a != b)
            told = f"where a player that is asked for message {index} reads {before[at : at + 40]!r}"
            raise MaskError(f"{name}: {told}, the whole conversation has {whole[at : at + 40]!r}; use another template")
        end = _end(whole, len(before), chat[index]["content"].strip(), frame)
        if end is None:
            found = f"found {whole[len(before) : len(before) + 80]!r}, expected it between {frame.before!r} and"
            told = f"message {index} is not the text that the chat template shows"
            raise MaskError(f"{name}: {told}: {found} {frame.after!r}")
        spans[index] = len(before), end
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


def _spans(
    name: str,
    text: str,
    characters: Mapping[int, tuple[int, int]],
    tokens: Any,
    control: Control,
    ids_of: Callable[[str], list[int]],
) -> Spans:
    """The tokens of a text, and of the replies that stand at these ``characters``."""
    ids, starts = tokens.ids, [start for start, _ in tokens.offsets]
    replies = {}
    for index, (start, end) in characters.items():
        first, last = bisect_left(starts, start), bisect_left(starts, end)
        cut = next((at for at in range(first - 1, 0, -1) if ids[at] in control.ids), 0)  # tokens end there, at any rate
        if ids[cut:first] != ids_of(text[starts[cut] : start]) or ids[last - 1] not in control.ids:
            told = f"a token straddles the border of the reply {text[start : start + 40]!r}"
            why = "a player reads what stands before it in other tokens; change the reply's blanks or the template"
            raise MaskError(f"{name}: {told}: {why}")
        replies[index] = first, last
    return Spans(ids, replies)
