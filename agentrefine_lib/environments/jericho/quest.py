"""What a game of this package asks for: games/<name>.yaml beside its source (.ni) and its compiled story (.z8.xz)."""

import hashlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent / "games"
GAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))

Step = dict[str, str]  # one command → the thought that goes with it


@dataclass(frozen=True)
class Quest:
    """The goal, what counts as progress, and how the game can be won.

    Some facts of a game (a combination, who owns what) depend on the seed; ``variants`` lists the values of each, and
    the walkthrough names them in braces. A list inside the walkthrough is a search: its steps are done one after the
    other until the thing is found.
    """

    goal: str
    subgoals: list[str]  # texts that the game prints when a part of the quest is done (AgentBoard's rule)
    walkthrough: list[Step | list[Step]]
    commands: dict[str, str] = field(default_factory=dict)  # beside those that every game has
    values: dict[str, list[str]] = field(default_factory=dict)  # of parameters that are not things, e.g. number
    variants: list[list[dict[str, str]]] = field(default_factory=list)

    def walks(self) -> Iterator[list[tuple[str, str]]]:
        """Every form of the walkthrough as (command, thought) pairs: one for each variant and length of a search."""
        parts = [part if isinstance(part, list) else [part] for part in self.walkthrough]
        for combination in itertools.product(*self.variants):
            facts = {name: value for variant in combination for name, value in variant.items()}
            for lengths in itertools.product(*(range(1, len(part) + 1) for part in parts)):
                steps = [step for part, length in zip(parts, lengths, strict=True) for step in part[:length]]
                pairs = [pair for step in steps for pair in step.items()]
                yield [
                    (command.format_map(facts), thought.format_map(facts))
                    for command, thought in pairs
                    if facts.keys() >= set(re.findall(r"{(\w+)}", command))  # a variant may not need this step
                ]


def games_version() -> str:
    """A short digest of all quests and compiled stories, to be named with results."""
    files = sorted(path for path in FOLDER.iterdir() if path.suffix in (".yaml", ".xz"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:8]


@cache
def load_quest(name: str) -> Quest:
    """The quest of one of ``GAMES``."""
    return Quest(**yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")))
