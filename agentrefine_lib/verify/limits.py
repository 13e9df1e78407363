"""How large a script and its play may be, and which values they may hold: what keeps every verdict cheap.

Each limit is several times what the largest good data needs; the embedded teacher's largest is named beside it.
"""

import math
import re
from typing import Literal

from pydantic import JsonValue

MAX_SCRIPT_CHARS = 200_000  # strings of one script together (embedded: 6,000): half a long model reply
MAX_SCRIPT_VALUES = 20_000  # JSON values in one script (embedded: 500): what a walk through it may cost
MAX_DEPTH = 32  # nested levels (embedded: 8): every reader of the file, recursive or not, can follow
MAX_ACTIONS = 100  # of one script (embedded: 15): all of them stand in the first message of a conversation
MAX_PARAMETERS = 8  # of one action (embedded: 2): each is a group of its code, and groups cost time in RE2
MAX_CHOICES = 500  # values of one parameter (embedded: 15): each is tried once against its code
MAX_NAME_CHARS = 200  # of an action's signature or a parameter's value (embedded: 40): it has to fit a command
MAX_TEXT_CHARS = 20_000  # of a thought, an observation, a goal or a condition (embedded: 400): some 5,000 tokens
MAX_TURNS = 400  # of one play (embedded: 70): 200 commands, where the benchmarks stop at 30
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")


def find_fault(raw: JsonValue) -> tuple[Literal["too_large", "script_malformed"], str] | None:
    """The first fault of a script's raw value: over a limit, or no JSON that can be written and read again. It is found
    by a walk that does not recurse and stops at the limits."""
    waiting: list[tuple[list[JsonValue] | dict[str, JsonValue], int]] = [([raw], -1)]
    values = chars = 0
    while waiting:
        value, depth = waiting.pop()
        values += len(value) * (1 + isinstance(value, dict))
        if depth >= MAX_DEPTH or values > MAX_SCRIPT_VALUES:
            return "too_large", f"nested over {MAX_DEPTH} levels deep, or over {MAX_SCRIPT_VALUES} values"
        for item in (*value, *value.values()) if isinstance(value, dict) else value:
            if isinstance(item, str):
                chars += len(item)
                if not is_writable(item):
                    return "script_malformed", f"{item[:80]!r} holds a NUL character or half of a surrogate pair"
            elif isinstance(item, dict | list):
                waiting.append((item, depth + 1))
            elif isinstance(item, int | float):
                if abs(item) >= 1 << 63 or not math.isfinite(item):
                    return "script_malformed", "a number that is not finite or takes more than 64 bits"
            elif item is not None:
                return "script_malformed", f"a {type(item).__name__}, which JSON does not have"
        if chars > MAX_SCRIPT_CHARS:
            return "too_large", f"more than {MAX_SCRIPT_CHARS} characters"
    return None


def is_writable(text: str) -> bool:
    """False for what UTF-8 files and databases do not carry: NUL, and halves of surrogate pairs."""
    return not _UNWRITABLE.search(text)
