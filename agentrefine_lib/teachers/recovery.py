"""JSON out of what a language model wrote: reasoning, code fences, prose around it, small slips, an end cut off.

What is recovered is what stands there. A value cut in the middle is dropped, never completed, and nothing inside JSON
that is broken is taken for the answer; ``verify`` judges the rest.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from pydantic import JsonValue
from pydantic_core import from_json

MAX_CHARS = 2_000_000  # of a reply; longer ones are not read
MAX_DEPTH = 64  # of nested lists and objects
MAX_WORK = 4 * MAX_CHARS  # characters looked at in one reply, however many false starts it has

_REASONING_BEGINS = re.compile(r"\s*<(?:think|thinking|reasoning)>")
_REASONING_ENDS = re.compile(r"</(?:think|thinking|reasoning)>")  # some servers leave out the opening tag
_START = re.compile(r'\{\s*["}]|\[\s*(?:["{\[\]\-\d]|true|false|null)')  # a bracket in prose goes on otherwise
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+(?:(")|\\?\Z)|[{}\[\],]|[^"{}\[\],]++', re.DOTALL)
_ESCAPE = re.compile(r'\\(?:(["\\/bfnrt]|u[0-9a-fA-F]{4})|)')
_RAW = str.maketrans({chr(code): f"\\u{code:04x}" for code in range(32)})


class _Span(NamedTuple):
    """JSON-like text that begins at a bracket: where it ends in the reply, and the text with small slips mended."""

    end: int
    text: str | None  # None when its brackets do not fit together
    whole: bool = True  # False when the reply ends before its last bracket closes


def recover_json(text: str, *, partial: bool = True) -> JsonValue:
    """The JSON value of a model's reply, or None when there is none (or JSON ``null``). Never raises.

    Valid JSON comes back as it is. Otherwise the longest JSON object or list in the text counts; trailing commas are
    dropped, raw line breaks and lone backslashes in strings (of a regular expression, say) are escaped. A reply cut off
    keeps the whole elements of its outermost open list, or the whole members of its object when no list is open; with
    ``partial=False`` it counts as no JSON.
    """
    if len(text) > MAX_CHARS:
        return None
    value = _decode(text)
    if value is not None:
        return value
    best, longest, position, work = None, 0, _end_of_reasoning(text), MAX_WORK
    while work > 0 and (start := _START.search(text, position)):
        span = _read(text, start.start())
        position = max(span.end, start.end())
        work -= position - start.start()
        if position - start.start() > longest and span.text is not None:
            value = _decode(span.text) if span.whole or partial else None
            if value is not None or not span.whole:
                best, longest = value, position - start.start()
    return best


def _end_of_reasoning(text: str) -> int:
    """Where the answer begins; the end of the text when the model was still thinking."""
    closed = [tag.end() for tag in _REASONING_ENDS.finditer(text)]
    return closed[-1] if closed else len(text) if _REASONING_BEGINS.match(text) else 0


def _decode(text: str) -> JsonValue:
    """The value of valid JSON within the limits, otherwise None."""
    try:
        value: JsonValue = from_json(text.encode(), allow_inf_nan=False)
    except ValueError:
        return None
    return value if _fits(value, MAX_DEPTH) else None


def _fits(value: JsonValue, depth: int) -> bool:
    """At most ``depth`` levels deep, and no number too large for a float (it would be written as no JSON)."""
    if isinstance(value, dict | list):
        return depth > 0 and all(_fits(v, depth - 1) for v in (value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


def _read(text: str, start: int) -> _Span:
    """Follow the brackets from ``start`` to the one that closes the first, or to where the text was cut off."""
    pieces: list[str] = []
    open_brackets: list[str] = []
    keep: list[int] = []  # for each open bracket, how many pieces its whole elements take
    for token in _TOKEN.finditer(text, start):
        piece = token[0]
        if piece in "{[":
            if len(open_brackets) == MAX_DEPTH:
                return _Span(len(text), None)
            pieces.append(piece)
            open_brackets.append(piece)
            keep.append(len(pieces))
        elif piece in "}]":
            if open_brackets.pop() + piece not in ("{}", "[]"):
                return _Span(len(text), None)
            keep.pop()
            _drop_trailing_comma(pieces)
            pieces.append(piece)
            if not open_brackets:
                return _Span(token.end(), "".join(pieces))
            keep[-1] = len(pieces)
        elif piece == ",":
            keep[-1] = len(pieces)
            pieces.append(piece)
        elif piece[0] == '"':
            pieces.append(_mend(piece))
            if open_brackets[-1] == "[" and token[1]:
                keep[-1] = len(pieces)
        else:
            pieces.append(piece)
    outermost = open_brackets.index("[") if "[" in open_brackets else 0
    closing = "".join("}" if bracket == "{" else "]" for bracket in reversed(open_brackets[: outermost + 1]))
    return _Span(len(text), "".join(pieces[: keep[outermost]]) + closing, whole=False)


def _drop_trailing_comma(pieces: list[str]) -> None:
    last = len(pieces) - 1
    while pieces[last].isspace():
        last -= 1
    if pieces[last] == ",":
        del pieces[last:]


def _mend(string: str) -> str:
    """A string literal with its raw control characters and its lone backslashes escaped."""
    return _ESCAPE.sub(lambda escape: escape[0] if escape[1] else r"\\", string).translate(_RAW)
