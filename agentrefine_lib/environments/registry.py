"""Which engines there are, and what the suite knows of each: one record, beside its engine.

Other packages register theirs by an entry point, and then it is in tables, figures and perturbations like our own:

    [project.entry-points."agentrefine_lib.engines"]
    hallway = "hallway:ENGINE"
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple

GROUP = "agentrefine_lib.engines"
COMPILED = 'pip install -c constraints.txt -e ".[engines]"'
OURS = (  # in the order of tables
    *("alfworld", "babyai", "scienceworld", "pddl", "jericho", "hotpotqa", "embedded"),
    "textarena",  # others' games
)


class Score(NamedTuple):
    """Means over the episodes of a panel: the share that was won, and the progress, both in [0, 1]."""

    success: float
    progress: float


@dataclass(frozen=True, kw_only=True)
class Engine:
    """All that is known of an engine without importing it; only playing a task imports its class."""

    name: str  # as in a task's id
    title: str  # as in tables and figures
    environment: str  # "module:class", a class that implements Environment
    panel: Mapping[str, Sequence[int]]  # task name → seeds: played where nothing else is asked for; quick to open
    steps: int = 30  # of an episode of the panel
    expected: Mapping[str, Score] = field(default_factory=dict)  # "random", "expert" → measured on the panel, or absent
    install: str = "pip install -c constraints.txt -e ."  # the command that brings its packages
    needs: str = ""  # beyond packages
    packages: tuple[str, ...] = ()  # whose versions a run records
    paper_tasks: int | None = None  # in the paper's table 1; None: not of that table
    perturbations: Path | Mapping[str, Mapping[str, str]] | None = None  # name → {old signature: new}, or such a YAML
    commands_by_task: bool = False  # a task has only some of the commands that the perturbations rename
    plain_english: bool = False  # its commands are no sign that a synthetic script was copied from it
    lists_itself: bool = False  # its tasks differ in whether they list what is possible, and no list is added
    preload: bool = False  # importing it is harmless before a fork, and worth it
    at_most: int | None = None  # processes at a time, where memory is short

    def load(self) -> Any:
        """The class. Raises ImportError where something that it needs is missing."""
        module, _, attribute = self.environment.partition(":")
        return getattr(import_module(module), attribute)


@cache
def engines() -> dict[str, Engine]:
    """Every engine by name, in the order in which tables show them: ours, then those of other packages by name.

    One that cannot be read, or has a name that is taken, is left out with a warning.
    """
    found = {name: _own(name) for name in OURS}
    for entry in sorted(entry_points(group=GROUP)):
        try:
            engine = entry.load()
            if not isinstance(engine, Engine) or engine.name in found:
                raise ValueError(f"found {engine!r:.80}, expected an Engine with a name of its own")
        except Exception as error:  # of code that is not ours, which must not stop a run without it
            warnings.warn(f"engine {entry.name} = {entry.value} is left out: {error}", stacklevel=2)
        else:
            found[engine.name] = engine
    return found


def get_engine(name: str) -> Engine:
    """The record of this name. Raises ValueError where there is none."""
    if name in OURS:
        return _own(name)  # without looking through all packages, which an engine's process would do each time
    if name not in engines():
        raise ValueError(f"engine: no such {name!r}; expected one of {', '.join(engines())}")
    return engines()[name]


def _own(name: str) -> Engine:
    return import_module(f"agentrefine_lib.environments.{name}").ENGINE


def titles(names: Iterable[str]) -> dict[str, str]:
    """What tables and figures call these engines, in their order; one that is not registered here stands last."""
    there = set(names)
    known = {name: engine.title for name, engine in engines().items() if name in there}
    return known | {name: name for name in sorted(there - known.keys())}


def table_1() -> dict[str, int]:
    """The engines of the paper's table 1, and how many tasks it has of each."""
    return {name: engine.paper_tasks for name, engine in engines().items() if engine.paper_tasks}
