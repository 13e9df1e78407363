"""JSON out of what a language model wrote: reasoning, code fences, prose around it, small slips, an end cut off.

What is recovered is what stands there. A value cut in the middle is dropped, never completed, and nothing inside JSON
that is broken is taken for the answer; ``verify`` judges the rest.
"""

import math
import re
from typing import NamedTuple

from pydantic import JsonValue
from pydantic_core import from_json

from agentrefine_lib.schema import REASONING_BEGINS, REASONING_ENDS

MAX_CHARS = 2_000_000  # of a reply; longer ones are not read
MAX_DEPTH = 64  # of nested lists and objects
MAX_WORK = 4 * MAX_CHARS  # characters looked at in one reply, however many false starts it has

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

    Valid JSON comes back as it is. Otherwise the objects and lists in the text after its reasoning count: turns of a
    play (``"role"``), alone or in lists, are joined, and a number that comes again begins anew from there; of values
    with the same keys the last counts; and then the longest. Trailing commas are dropped, raw line breaks and lone
    backslashes in strings (of a regular expression, say) are escaped. A reply cut off keeps the whole elements of its
    outermost open list, or the whole members of its object when no list is open; with ``partial=False`` it counts as
    no JSON.
    """
    if len(text) > MAX_CHARS:
        return None
    value = _decode(text)
    if value is not None:
        return value
    found = [part if part.whole or partial else part._replace(value=None) for part in _values_in(text)]
    series = [part for part in found if _turns_of(part.value)]
    if len(series) > 1:
        return _join([part.value for part in series if part.whole or part.value != _turns_of(part.value)[0]])
    best = _Value(None, 0, True)
    for part in found:
        if part.length > best.length or _alike(part.value, best.value):
            best = part
    return best.value


class _Value(NamedTuple):
    """A JSON value in a text, None when nothing of it can be used; the characters it takes; not cut off."""

    value: JsonValue
    length: int
    whole: bool


def _values_in(text: str) -> list[_Value]:
    """The values one after another, of the answer only: a tag that ends reasoning counts outside of strings."""
    ends = list(REASONING_ENDS.finditer(text))[::-1]
    thinking = REASONING_BEGINS.match(text.lstrip()) is not None
    values: list[_Value] = []
    position, work = 0, MAX_WORK
    while work > 0 and (start := _START.search(text, position)):
        span = _read(text, start.start())
        value = None if span.text is None else _decode(span.text)
        is_json = value is not None and (span.whole or not thinking)
        while ends and ends[-1].start() < position:
            ends.pop()
        work -= span.end - start.start()
        if ends and ends[-1].start() < (start.start() if is_json else span.end):
            position, thinking, values = ends[-1].end(), False, []
            continue
        position = max(span.end, start.end())
        if value is not None or (span.text is not None and not span.whole):
            values.append(_Value(value, position - start.start(), span.whole))
    while ends and ends[-1].start() < position:
        ends.pop()
    return [] if thinking or (ends and text[ends[-1].end() :].strip()) else values


def _turns_of(value: JsonValue) -> list[dict[str, JsonValue]]:
    """The turns of a play that a value is, or lists, or has under a key; none when it is something else."""
    if isinstance(value, dict) and "role" not in value:
        value = next((inner for inner in value.values() if isinstance(inner, list)), None)
    turns = value if isinstance(value, list) else [value]
    return [turn for turn in turns if isinstance(turn, dict) and "role" in turn]


def _join(values: list[JsonValue]) -> JsonValue:
    joined: list[dict[str, JsonValue]] = []
    for turn in (turn for value in values for turn in _turns_of(value)):
        number = turn.get("turn")
        while joined and isinstance(number, int) and isinstance(last := joined[-1].get("turn"), int) and last >= number:
            joined.pop()
        joined.append(turn)
    return list(joined)


def _alike(one: JsonValue, other: JsonValue) -> bool:
    """Whether one object may be the other's correction: at least half of the keys are the same."""
    one, other = _bare(one), _bare(other)
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    return 2 * len(one.keys() & other.keys()) >= max(len(one), len(other), 1)


def _bare(value: JsonValue) -> JsonValue:
    """An object without a list or another object around it."""
    while (isinstance(value, list) and value) or (isinstance(value, dict) and len(value) == 1):
        inner = value[0] if isinstance(value, list) else next(iter(value.values()))
        if not isinstance(inner, dict | list):
            break
        value = inner
    return value


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
        elif ("<" in piece or "◁" in piece) and REASONING_ENDS.search(piece):
            return _Span(token.start(), None)
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
