"""The expert: the engine's own solution of a task, less what is refused on the way, and a thought for each action."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import Any

from agentrefine_lib.environments.scienceworld import actions
from agentrefine_lib.environments.scienceworld.jvm import Jvm
from agentrefine_lib.environments.signature import parse_command

# Each thought is chosen by the action's signature; {a} and {b} are its parameters, {aim} is what the task asks for.
THOUGHTS = {
    "look around": (
        "I look around for things that help me to {aim}.",
        "Let me see what is here before I go on.",
    ),
    "inventory": ("I check what I carry.",),
    "task": ("I read the task once more to be sure what comes next.",),
    "look at {object}": (
        "I look at the {a} to see how it is doing.",
        "The {a} may have changed, so I examine it.",
    ),
    "look in {container}": ("What I need may be inside the {a}, so I look there.",),
    "read {object}": ("The {a} may tell me how to {aim}, so I read it.",),
    "go to {place}": (
        "To {aim} I have to look further, so I go to the {a}.",
        "That is all for this place. From here I go on to the {a}.",
        "I want to {aim}, and the next place to go is the {a}.",
    ),
    "open {object}": (
        "The {a} is closed. I open it to use it.",
        "I want to get at the inside of the {a}, so I open it.",
    ),
    "close {object}": ("The {a} has to be shut for this, so I close it.",),
    "pick up {object}": (
        "I need the {a} to {aim}, so I take it.",
        "The {a} is here and will be useful, so I pick it up.",
    ),
    "put down {object}": ("I no longer need the {a} in my hands, so I put it down.",),
    "move {object} to {place}": (
        "The {b} is where the {a} should be, so I move it there.",
        "To {aim} I put the {a} to the {b}.",
    ),
    "pour {object} into {container}": (
        "The {b} should receive the {a}, so I pour it over.",
        "To {aim} I pour the {a} into the {b}.",
    ),
    "dunk {container} into {other}": ("The {b} holds liquid, so I fill the {a} from it.",),
    "mix {container}": ("All that I need is together in the {a}, so I mix it.",),
    "activate {object}": ("The {a} has to run for this, so I turn it on.",),
    "deactivate {object}": ("The {a} has run long enough, so I turn it off.",),
    "use {tool} on {object}": (
        "The {a} is the right tool here, so I use it on the {b}.",
        "To {aim} I use the {a} on the {b}.",
    ),
    "connect {terminal} to {other}": (
        "The circuit needs a link between the {a} and the {b}, so I connect them.",
        "Next I wire the {a} to the {b}.",
    ),
    "disconnect {object}": ("The {a} is no longer needed in the circuit, so I take it out.",),
    "flush {object}": ("I flush the {a}.",),
    "eat {object}": ("I eat the {a}.",),
    "focus on {object}": (
        "The task wants me to focus on the right thing, and that is the {a}.",
        "I am to {aim}. The {a} is what I have to focus on now.",
    ),
    "wait": ("This takes some time, so I wait a while.", "Nothing is left to do but to wait until it has changed."),
    "wait1": ("I give it a moment and see what happens.", "It should not take long now, so I wait a moment."),
    "choose {number}": ("Several things fit my words. Number {a} is the one I mean.",),
}


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
    every = THOUGHTS[signature]
    fitting = [text for text in every if "{aim}" not in text or not a or a not in words["aim"]] or every
    return fitting[(zlib.crc32(goal.encode()) + number) % len(fitting)].format(**words)


def aim(goal: str) -> str:
    """What a task asks for, e.g. "find a plant" from "Your task is to find a(n) plant. First, ..."."""
    found = re.match(r"Your task is to (.+?)[.,]", goal)
    text = found[1] if found else "solve the task"
    return re.sub(r"\ba\(n\) (?=[aeiou])", "an ", text).replace("a(n)", "a")
