"""What a script's ``Available Actions`` mean: does this text name one of them, and with which arguments?

Scripts are untrusted text, so their expressions run in RE2 only: linear time, no look-around, no back-references.
"""

import re
from functools import lru_cache
from typing import Any, NamedTuple

import re2

from agentrefine_lib.schema.models import Script

MAX_ACTION_CHARS = 500  # a command is one line; agents are read at most 200 characters of one
MAX_CODE_CHARS = 1_000  # of a verification code: room for forty alternatives by name, too little for a grammar
CODE_MEMORY = 1 << 19  # bytes that RE2 may use for one code (its own default is 8 MiB); the embedded ones need 3 KiB
CODES_KEPT = 512  # compiled codes remembered: the scripts under way, at most 256 MiB if every code uses all it may
_BLANK = re.compile(  # characters that count as printable but show nothing: fillers, variation selectors
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


class Match(NamedTuple):
    """An action taken apart: the signature that it is an instance of, and the value of each parameter."""

    signature: str
    arguments: dict[str, str]

    def __str__(self) -> str:
        return fill(self.signature, self.arguments)


class Mismatch(NamedTuple):
    """Why a text is no action of the script: ``format`` (no expression fits) or ``parameter`` (unknown value)."""

    kind: str
    detail: str


class CodeError(ValueError):
    """A verification code that RE2 does not accept."""


def is_plain(text: str) -> bool:
    """True when every character of the text shows, so that two texts that look the same are the same.

    False for control, zero-width and direction characters, line breaks, tabs, any space but the ordinary one, lone
    surrogates, and unassigned characters. Letters of two scripts that look alike are not told apart, and no
    normal form is asked for.
    """
    return text.isprintable() and (text.isascii() or not _BLANK.search(text))


@lru_cache(maxsize=4 * CODES_KEPT)
def _pieces(signature: str) -> tuple[str, ...]:
    """Text and parameter names in turns: ``"put {item} in {box}"`` → ``("put ", "item", " in ", "box", "")``."""
    return tuple(re.split(r"\{([^{}]*)\}", signature))


def placeholders(signature: str) -> list[str]:
    """The parameter names in an action's signature, in order: ``"put {item} in {box}"`` → ``["item", "box"]``."""
    return list(_pieces(signature)[1::2])


def fill(signature: str, arguments: dict[str, str]) -> str:
    """An instance of an action: ``"put {item} in {box}"`` with its placeholders replaced, each exactly once."""
    pieces = list(_pieces(signature))
    pieces[1::2] = [arguments[name] for name in pieces[1::2]]
    return "".join(pieces)


@lru_cache(maxsize=CODES_KEPT)
def compile_code(code: str) -> Any:
    """A verification code compiled by RE2 for UTF-8 bytes, its memory bounded. Raises CodeError with RE2's reason."""
    if len(code) > MAX_CODE_CHARS:
        raise CodeError(f"{len(code)} characters, at most {MAX_CODE_CHARS} are allowed")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = CODE_MEMORY
    try:
        return re2.compile(code.encode(), options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        raise CodeError(said.decode(errors="replace") if isinstance(said, bytes) else str(said)) from None
    except UnicodeEncodeError:
        raise CodeError("half of a surrogate pair, which is no character") from None


def read_arguments(code: str, text: str) -> list[str] | None:
    """The groups of a verification code, in order, when it fits the whole of a printable text. Raises CodeError."""
    found = compile_code(code).fullmatch(text.encode())  # bytes: the binding takes twice as long over a str
    return None if found is None else [(group or b"").decode(errors="replace") for group in found.groups()]


def match_action(script: Script, action: str) -> Match | Mismatch:
    """Find the available action that ``action`` is an instance of; parameters are the expression's groups, in order.

    When several expressions fit, the first whose parameter values all exist wins. A text with a character that does
    not show (see ``is_plain``) is no action. Raises CodeError.
    """
    if len(action) > MAX_ACTION_CHARS:
        return Mismatch("format", f"{len(action)} characters, at most {MAX_ACTION_CHARS} are allowed")
    if not is_plain(action):
        return Mismatch("format", f"{action[:80]!r} holds a character that does not show")
    miss = Mismatch("format", f"no available action has the form of {action[:80]!r}")
    for signature, spec in script.available_actions.items():
        found = read_arguments(spec.verification_code, action)
        if found is None:
            continue
        arguments = dict(zip(placeholders(signature), found, strict=False))
        unknown = [f"{name}={value!r}" for name, value in arguments.items() if not spec.admits(name, value)]
        if not unknown:
            return Match(signature, arguments)
        miss = Mismatch("parameter", f"{signature}: no such {', '.join(unknown)[:200]}")
    return miss
