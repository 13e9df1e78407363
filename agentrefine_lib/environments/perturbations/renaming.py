"""The renamings of each engine, as its record has them: perturbation → {old signature: new signature}."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from agentrefine_lib.environments.perturbations.wording import JoinedNumbers, Wording, demand_distinct
from agentrefine_lib.environments.registry import get_engine
from agentrefine_lib.environments.signature import shape
from agentrefine_lib.schema.actions import placeholders

JOINED = "joined numbers"  # what a file of renamings says in place of a table


class Renaming(NamedTuple):
    """New signatures for some of an engine's commands; a signature that is not mentioned stays."""

    name: str
    signatures: Mapping[str, str]  # old → new
    joined: bool = False  # a thing's number follows its name without a blank: "drawer1"

    def wording(self, commands: Iterable[str]) -> Wording | JoinedNumbers:
        """These commands of an engine in the new wording. Raises ValueError where two cannot be told apart."""
        where = f"perturbation {self.name}"
        return JoinedNumbers(commands) if self.joined else Wording(commands, self.signatures, where)


@cache
def perturbations(engine: str) -> dict[str, Renaming]:
    """The renamings of an engine by name. Raises ValueError for an engine that has none, or where one is not sound."""
    tables = get_engine(engine).perturbations
    if tables is None:
        raise ValueError(f"perturbations: the engine {engine!r} has none")
    return read_renamings(tables, engine)


def read_renamings(tables: Path | Mapping[str, Mapping[str, str]], where: str = "") -> dict[str, Renaming]:
    """Renamings from a YAML file or as they are. Raises ValueError that names file, perturbation and signature."""
    if isinstance(tables, Path):
        where = str(tables)
        with tables.open(encoding="utf-8") as file:  # PyYAML's errors name it
            tables = yaml.safe_load(file)
    if not isinstance(tables, Mapping):
        raise ValueError(f"{where}: found {type(tables).__name__}, expected perturbation → {{old: new signature}}")
    return {name: _checked(Renaming(name, table), f"{where}: {name}") for name, table in tables.items()}


def _checked(renaming: Renaming, where: str) -> Renaming:
    if renaming.signatures == JOINED:
        return Renaming(renaming.name, {}, joined=True)
    table = renaming.signatures
    pairs = table.items() if isinstance(table, Mapping) else ()
    if not pairs or not all(isinstance(signature, str) for pair in pairs for signature in pair):
        raise ValueError(f"{where}: found {table!r}, expected one or more lines of old signature: new signature")
    for old, new in pairs:
        if sorted(placeholders(old)) != sorted(placeholders(new)):
            raise ValueError(f"{where}: {old!r} and {new!r} have different parameters; both sides name the same")
    alike = {shape(old): new for old, new in pairs}  # games that never meet may have the same command
    demand_distinct(alike.values(), where)
    return renaming
