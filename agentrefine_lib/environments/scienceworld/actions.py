"""The commands: the engine's own templates, how other spellings map to them, and what its refusals mean."""

import re
from collections.abc import Iterable

from agentrefine_lib.environments.signature import parse_command
from agentrefine_lib.environments.words import load_words

COMMANDS: dict[str, str] = load_words(__file__)["commands"]
ELECTRICAL = ("connect {terminal} to {other}", "disconnect {object}")
UNKNOWN = "No known action matches that input."

_SYNONYMS = {  # verb → the engine's other words for it, as a regular expression
    "activate": "turn on",
    "deactivate": "turn off",
    "eat": "consume",
    "focus on": "focus(?! on)",
    "go to": "(?:go|walk|move) (?:through|to|into)|go",
    "look at": "examine|look on",
    "mix": "stir",
    "move": "put(?! down)",
    "pick up": "get|take",
    "put down": "drop",
}
_JOINTS = {"move": "to", "pour": "into", "dunk": "into", "connect": "to", "use": "on"}

# What the engine's check says before it does anything. What it tries in vain ("nothing to mix") is no error, there as
# here: such actions are on its list of valid ones, by which the benchmark measures grounding.
_REFUSAL = re.compile(
    r"The .+ is not (something that can be activated|closeable|openable|moveable|edible|open|a container)\."
    r"|The .+ is already (activated|deactivated|open|closed)\."
    r"|The .+ (does not contain any liquids to dunk into|is in is not movable)\."
    r"|The .+ can't be poured out, because it.+"
    r"|The .+ is empty, so there's nothing to pour\."
    r"|The .+ isn't open, so you can't see inside\."
    r"|The liquids in .+ aren't able to move\."
    r"|The door doesn't appear to go anywhere\."
    r"|(It's|Its) not clear how to (?!use).+"
    r"|I'm not sure (what that means|how to pour a solid\.|how to use the .+\.)"
    r"|(Something can't be connected to|You can't (dunk|move) something into) itself\."
    r"|(You can't (pick up|pour) a|That can't be moved there).+"
    r"|That object (already appears|does not appear) to be in the inventory\."
    r"|That is already flushing\."
    r"|(.+ is already connected, and|Connections|You) must .+"
)


def normal(action: str) -> str:
    """What the engine is told: one spelling of blanks and case, no final full stop, the bare number of an answer."""
    return re.sub(r"^choose (\d+)$", r"\1", " ".join(action.lower().split()).rstrip(". "))


def spelled(text: str, names: Iterable[str] = ()) -> str:
    """A normalised action as its signature has it, e.g. "examine cup" → "look at cup"; unknown ones as they are.

    ``names`` are those of the things in reach: they decide which "in" of "pour cup in box in cup in sink" is the joint.
    """
    if text.isdigit():
        return f"choose {text}"
    for verb, words in _SYNONYMS.items():
        text = re.sub(f"^(?:{words}) ", f"{verb} ", text)
    verb, _, rest = text.partition(" ")
    if verb not in _JOINTS or f" {_JOINTS[verb]} " in rest:
        return text
    joints = re.finditer(r" (?:in|into|on|to|with) ", rest)
    splits = ((at.start(), rest[: at.start()], rest[at.end() :]) for at in joints)
    known = set(names)
    best = max(splits, key=lambda split: ((split[1] in known) + (split[2] in known), split[0]), default=None)
    return f"{verb} {best[1]} {_JOINTS[verb]} {best[2]}" if best else text


def error_kind(text: str, observation: str) -> str | None:
    """The kind of error, as in StepResult, that the engine's answer to a normalised action shows."""
    if observation == UNKNOWN:
        return "parameter" if parse_command(spelled(text), COMMANDS) else "format"
    if observation.startswith("Unknown action."):  # no answer to its question, which is then dropped
        return "format"
    return "logic" if _REFUSAL.fullmatch(observation) else None


def mended(offered: Iterable[str]) -> list[str]:
    """The engine's list of valid actions as the engine does accept them, sorted.

    It offers "dunk" with its objects exchanged, to pour a thing into itself, and "reset task".
    """
    actions = {re.sub(r"^dunk (.+) into (.+)$", r"dunk \2 into \1", text) for text in offered} - {"reset task"}
    into_itself = re.compile(r"pour (.+) into \1")
    return sorted(f"choose {text}" if text.isdigit() else text for text in actions if not into_itself.fullmatch(text))
