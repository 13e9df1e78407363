"""What a script's ``Available Actions`` mean: does this text name one of them, and with which arguments?

Scripts are untrusted text, so their expressions run in RE2 only: linear time, no look-around, no back-references.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

import re2

from agentrefine_lib.schema.models import Script

MAX_ACTION_CHARS = 500
MAX_CODE_CHARS = 1_000


class Match(NamedTuple):
    """The action understood: the signature it is an instance of, and the value of each parameter."""

    signature: str
    arguments: dict[str, str]


class Mismatch(NamedTuple):
    """Why a text is no action of the script: ``format`` (no expression fits) or ``parameter`` (unknown value)."""

    kind: str
    detail: str


class CodeError(ValueError):
    """A verification code that RE2 does not accept."""


def placeholders(signature: str) -> list[str]:
    """The parameter names in an action's signature, in order: ``"put {item} in {box}"`` → ``["item", "box"]``."""
    return re.findall(r"\{([^{}]*)\}", signature)


@lru_cache(maxsize=1 << 16)
def compile_code(code: str) -> Any:
    """A verification code compiled by RE2. Raises CodeError with RE2's reason."""
    if len(code) > MAX_CODE_CHARS:
        raise CodeError(f"{len(code)} characters, at most {MAX_CODE_CHARS} are allowed")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(code, options)
    except re2.error as error:
        raise CodeError(str(error)) from None


def match_action(script: Script, action: str) -> Match | Mismatch:
    """Find the available action that ``action`` is an instance of; parameters are the expression's groups, in order.

    When several expressions fit, the first whose parameter values all exist wins. Raises CodeError.
    """
    if len(action) > MAX_ACTION_CHARS:
        return Mismatch("format", f"{len(action)} characters, at most {MAX_ACTION_CHARS} are allowed")
    miss = Mismatch("format", f"no available action has the form of {action[:80]!r}")
    for signature, spec in script.available_actions.items():
        found = compile_code(spec.verification_code).fullmatch(action)
        if found is None:
            continue
        arguments = dict(zip(placeholders(signature), (group or "" for group in found.groups()), strict=False))
        unknown = [f"{name}={value!r}" for name, value in arguments.items() if value not in spec.parameters[name]]
        if not unknown:
            return Match(signature, arguments)
        miss = Mismatch("parameter", f"{signature}: no such {', '.join(unknown)[:200]}")
    return miss
