"""Mechanics: each is a file with a ``World`` (see ``mechanic.py``) and a YAML file of the same name with its words."""

from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from agentrefine_lib.teachers.embedded.mechanic import World
from agentrefine_lib.teachers.embedded.names import load_words

MECHANICS = tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__"))


class Mechanic(NamedTuple):
    """A mechanic: the class that draws and plays its worlds, and its words."""

    world: type[World]
    words: dict[str, Any]

    @property
    def slots(self) -> dict[str, tuple[str, ...]]:
        """Operation → the kinds of its parameters."""
        return {name: tuple(entry["slots"]) for name, entry in self.words["operations"].items()}


@lru_cache
def load_mechanic(name: str) -> Mechanic:
    """Raises ValueError for no such mechanic."""
    if name not in MECHANICS:
        raise ValueError(f"mechanics: no such {name}; expected some of {', '.join(MECHANICS)}")
    return Mechanic(import_module(f"{__name__}.{name}").World, load_words(f"mechanics/{name}"))
