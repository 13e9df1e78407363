"""The expert: the engine's own solution of a task, less what is refused on the way, and a thought for each action."""

import re
import zlib
from collections.abc import Callable
from typing import Any

from agentrefine_lib.environments.scienceworld import actions
from agentrefine_lib.environments.scienceworld.jvm import Jvm
from agentrefine_lib.environments.signature import parse_command
from agentrefine_lib.environments.words import load_words


def solve(jvm: Jvm, load: Callable[[bool], Any]) -> list[str]:
    """Actions that solve the task from its start on: the engine's gold path in the spelling of the signatures.

    ``load`` starts the task anew, with True for a start that computes the gold path (0.2 to 20 seconds). That path
    opens doors which the simplifications have opened: what the engine refuses is left out or, where the time that it
    takes is needed, replaced by a wait. Where no path reaches the goal, the gold path is returned as it is.
    """
    load(True)
    gold = list(jvm.engine.getGoldActionSequence())
    load(False)
    path, refused = [], []
    for action in gold:
        with jvm.undisturbed():
            names = list(jvm.engine.getPossibleObjects())
        path.append(actions.spelled(action, names))
        refused.append(actions.error_kind(action, jvm.engine.step(actions.normal(path[-1]))) is not None)
        if jvm.engine.getScore() >= 1:
            break
    dropped = [action for action, vain in zip(path, refused, strict=True) if not vain]
    waited = ["wait1" if vain else action for action, vain in zip(path, refused, strict=True)]
    for candidate in (dropped, waited):
        load(False)
        for action in candidate:
            jvm.engine.step(actions.normal(action))
        if jvm.engine.getScore() >= 1:
            return candidate
    return path


def think(action: str, goal: str, number: int) -> str:
    """The thought before an action; the same arguments give the same sentence."""
    command = parse_command(action, actions.COMMANDS)
    signature, names = (command.signature, command.arguments.values()) if command else ("look around", ())
    a, b = [*(re.sub(r" in inventory\b", " that I carry", name) for name in names), "", ""][:2]
    words = {"a": a, "b": b, "aim": aim(goal)}
    every: list[str] = load_words(__file__)["thoughts"][signature]
    fitting = [text for text in every if "{aim}" not in text or not a or a not in words["aim"]] or every
    return fitting[(zlib.crc32(goal.encode()) + number) % len(fitting)].format(**words)


def aim(goal: str) -> str:
    """What a task asks for, e.g. "find a plant" from "Your task is to find a(n) plant. First, ..."."""
    found = re.match(r"Your task is to (.+?)[.,]", goal)
    text = found[1] if found else "solve the task"
    return re.sub(r"\ba\(n\) (?=[aeiou])", "an ", text).replace("a(n)", "a")
