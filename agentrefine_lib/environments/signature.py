"""Commands by signature: ``"take {object} from {receptacle}"`` read as a pattern, and written with other arguments."""

import re
from collections.abc import Iterable
from functools import lru_cache

import re2

from agentrefine_lib.schema.actions import Match, placeholders

_SLOT = re.compile(r"\{(\w+)\}")


def shape(signature: str) -> str:
    """The signature without the names of its parameters: two of one shape are the same command to a reader."""
    return _SLOT.sub("{}", signature)


def short(text: str, width: int = 40) -> str:
    """A player's text as a refusal repeats it."""
    return text if len(text) <= width else f"{text[: width - 3]}..."


def parse_command(action: str, signatures: Iterable[str]) -> Match | None:
    """The command that an action is, or None. Case and blanks do not matter; where two signatures fit, the one with
    more words of its own does: "go to bed" is "go to {place}" before it is "go {direction}"."""
    text = " ".join(action.encode(errors="replace").decode().split())  # RE2 raises on lone surrogates
    for signature in _most_specific_first(tuple(signatures)):
        found = _pattern(signature).fullmatch(text)
        if found:
            return Match(signature, dict(zip(placeholders(signature), found.groups(), strict=True)))
    return None


@lru_cache(maxsize=256)
def _most_specific_first(signatures: tuple[str, ...]) -> list[str]:
    return sorted(signatures, key=lambda signature: (-len(_SLOT.sub("", signature)), signature))


@lru_cache(maxsize=4096)
def _pattern(signature: str) -> "re2.Pattern":
    parts = _SLOT.split(signature)  # literal, name, literal, name, …, literal
    body = "".join(re2.escape(part) if i % 2 == 0 else "(.+?)" for i, part in enumerate(parts))
    return re2.compile(f"(?i){body}")
