"""The renamings that ship with each engine: ``<engine>.yaml`` holds perturbation → {old signature: new signature}."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from agentrefine_lib.environments.perturbations.wording import demand_distinct
from agentrefine_lib.environments.signature import parameters, shape

# What every engine ships. None of them touches the names of objects.
PERTURBATIONS = {
    "synonyms": "other verbs of the same meaning",
    "prepositions": "other prepositions, or one where there was none; the verbs stay",
    "order": "the same words in another order",
    "nonsense": "invented words",
    "swapped": "the old signatures with their meanings exchanged",
    "functions": "calls with arguments in parentheses",
}


class Renaming(NamedTuple):
    """New signatures for some of an engine's commands; a signature that is not mentioned stays."""

    name: str
    signatures: dict[str, str]  # old → new


@cache
def perturbations(engine: str) -> dict[str, Renaming]:
    """The renamings of an engine by name. Raises ValueError for an engine that has none, or where one is not sound."""
    path = Path(__file__).with_name(f"{engine}.yaml")
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml")))
        raise ValueError(f"perturbations: none for the engine {engine!r}; expected one of {known}")
    return read_renamings(path)


def read_renamings(path: Path) -> dict[str, Renaming]:
    """Read and check a YAML file. Raises ValueError that names file, perturbation and signature."""
    tables = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(tables, dict):
        raise ValueError(f"{path}: found {type(tables).__name__}, expected perturbation → {{old: new signature}}")
    return {name: _checked(Renaming(name, table), f"{path}: {name}") for name, table in tables.items()}


def _checked(renaming: Renaming, where: str) -> Renaming:
    table = renaming.signatures
    if not isinstance(table, dict) or not table or not all(isinstance(s, str) for pair in table.items() for s in pair):
        raise ValueError(f"{where}: found {table!r}, expected one or more lines of old signature: new signature")
    for old, new in table.items():
        if sorted(parameters(old)) != sorted(parameters(new)):
            raise ValueError(
                f"{where}: {old!r} and {new!r} have different parameters; name the same ones on both sides"
            )
    alike = {shape(old): new for old, new in table.items()}  # games that never meet may have the same command
    try:
        demand_distinct(alike.values())
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    return renaming
