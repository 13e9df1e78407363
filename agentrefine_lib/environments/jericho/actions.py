"""The commands: their spelling, their signatures, and which of them the story would accept now."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from agentrefine_lib.environments.jericho.story import HALTED, LOOKING, Story
from agentrefine_lib.environments.words import load_words
from agentrefine_lib.schema.actions import fill, placeholders

DIAGONALS = ("northeast", "northwest", "southeast", "southwest")
DIRECTIONS = ("north", "south", "east", "west", "up", "down", "in", "out", *DIAGONALS)
COMMANDS: dict[str, str] = load_words(__file__)["commands"]
# Commands to the interpreter, not to the story: they would ask for file names or end the session.
INTERPRETER = {"save", "restore", "restart", "quit", "q", "script", "unscript", "transcript", "recording", "replay"}
MOST_WORDS = 20  # AgentBoard's limits: at most so many words of the first clause
MOST_CHARACTERS = 150  # what Frotz takes without cutting it off itself
SURVEY = "_survey"  # asks our own games what is in view (games/common.ni); no player can type the underscore


def normal(action: str) -> str:
    """One spelling for each command: the first clause, in lower case and printable ASCII."""
    legal = re.sub(r"[^a-z0-9 '.,-]", " ", action.lower())
    clauses = re.split(r"[.,]|\bthen\b", legal.strip(" .,"))
    return " ".join(clauses[0].split()[:MOST_WORDS])[:MOST_CHARACTERS].rstrip()


def acceptable(story: Story, commands: Mapping[str, str], values: Mapping[str, Sequence[str]]) -> list[str]:
    """Every command of these signatures that the story accepts now, found by trying; sorted. The state is kept."""
    start = story.save()
    names = {"direction": list(DIRECTIONS), **_in_view(story), **values}
    accepted = []
    for command in sorted(set(_fill(commands, names))):
        story.restore(start)
        reply = story.send(command)
        done = reply.error is None and (story.took_effect() or command.split()[0] in LOOKING)
        if (reply.ending or done) and reply.ending != HALTED:
            accepted.append(command)
    story.restore(start)
    return accepted


def _fill(commands: Mapping[str, str], names: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Each signature with every choice of different values for its parameters."""
    for signature in commands:
        slots = placeholders(signature)
        for chosen in itertools.product(*(names.get(slot, ()) for slot in slots)):
            if len(set(chosen)) == len(chosen):
                yield fill(signature, dict(zip(slots, chosen, strict=True)))


def _in_view(story: Story) -> dict[str, list[str]]:
    """Names of the things in view, by the parameter they can fill."""
    start = story.save()
    reply = story.send(SURVEY)
    surveyed = reply.text if "|" in reply.text or ";" in reply.text else ""
    story.restore(start)
    found: dict[str, list[str]] = {"thing": [], "item": [], "container": [], "surface": [], "person": []}
    for entry in filter(None, surveyed.lower().split(";")):
        name, *roles = entry.strip().split("|")
        for role in ("thing", *roles):
            found[role].append(name)
    return found if surveyed else dict.fromkeys(found, _nouns(story))


def _nouns(story: Story) -> list[str]:
    """The words of the surroundings that a game of unknown make can examine, one for each thing."""
    start = story.save()
    text = story.send("look").text + " " + story.send("inventory").text
    by_answer: dict[str, str] = {}
    for word in dict.fromkeys(re.findall(r"[a-z]{3,}", text.lower())):
        story.restore(start)
        reply = story.send(f"examine {word}")
        if reply.error is None and word not in DIRECTIONS:
            by_answer[reply.text] = word  # the last one: the noun follows its adjectives
    story.restore(start)
    return sorted(by_answer.values())
