"""A profile: values for all notebooks in one flat mapping, and the notebooks in order with what they read and write.

Everything that is wrong with a profile is collected and shown at once: where it is, what was found, what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentrefine_lib.reproduce.parameters import Given, Parameter, check_values, declared_parameters, one_vocabulary
from agentrefine_lib.schema import explain

RANGE = re.compile(r"(\d{1,6})\.\.(\d{1,6})")  # of seeds, both ends included
NOT_YAML = (yaml.YAMLError, ValueError, RecursionError)  # also: no UTF-8, a date that is none, nested without end


class ProfileError(Exception):
    """The profile, a -p value or the selection of notebooks is wrong; nothing was run. One line for each problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class Entry(BaseModel):
    """A notebook in the YAML. Paths count from the repository; ``{run_dir}`` and ``{figures_dir}`` are filled in."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(pattern=r"^\w[\w-]*$")
    inputs: list[str] = []
    outputs: list[str] = []


@dataclass(frozen=True)
class Notebook:
    """A notebook of a profile. ``given`` holds only the values that it declares."""

    name: str
    source: Path
    inputs: list[Path]
    outputs: list[Path]
    declared: dict[str, Parameter]
    given: dict[str, Any]

    @property
    def defaulted(self) -> dict[str, Any]:
        """The declared values that the profile leaves at their defaults."""
        return {name: parameter.default for name, parameter in self.declared.items() if name not in self.given}


@dataclass(frozen=True)
class Profile:
    """What one run of the suite is made of."""

    name: str
    root: Path
    run_dir: Path
    figures_dir: Path
    notebooks: list[Notebook]

    def shown(self, path: Path) -> str:
        """The path as people type it: relative to the repository where it lies inside."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def read_yaml(file: Path) -> tuple[list[Given], list[Entry]]:
    """The values of a profile, each with its line, and its notebooks. Raises ProfileError for what is not a profile."""
    where = f"{file.parent.name}/{file.name}"
    try:
        text = file.read_text(encoding="utf-8")
        content = yaml.safe_load(text)
        mapping = yaml.compose(text, Loader=yaml.SafeLoader)
        if not isinstance(mapping, yaml.MappingNode) or not isinstance(content.get("notebooks"), list):
            raise ProfileError([f"{where}: expected one flat mapping of values with the key `notebooks`, a list"])
        entries = [Entry.model_validate(entry) for entry in content["notebooks"]]
    except ValidationError as error:
        raise ProfileError([f"{where}: notebooks: {explain(error)}"]) from None
    except NOT_YAML as error:
        raise ProfileError([f"{where}: not YAML: {error}"]) from None
    keys = [(str(key.value), key.start_mark.line + 1) for key, _ in mapping.value]
    names = [*(key for key, _ in keys), *(entry.name for entry in entries)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ProfileError([f"{where}: {name}: stands there twice" for name in twice])
    given = [Given(f"{where}:{line}", key, spelt_out(content.get(key))) for key, line in keys if key != "notebooks"]
    return given, entries


def spelt_out(value: Any) -> Any:
    """The value with every range in its lists spelt out: ``[0..3, 7]`` is ``[0, 1, 2, 3, 7]``."""
    if isinstance(value, dict):
        return {key: spelt_out(item) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    ranges = [RANGE.fullmatch(item) if isinstance(item, str) else None for item in value]
    numbers = [range(int(found[1]), int(found[2]) + 1) if found else () for found in ranges]
    return [one for item, found in zip(value, numbers, strict=True) for one in (found or [spelt_out(item)])]


def read_overrides(texts: Sequence[str], problems: list[str]) -> Iterator[Given]:
    """Each ``-p name=value``, its value read as YAML; anything else becomes a problem."""
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            if not equals:
                raise yaml.YAMLError
            yield Given("-p", name.strip(), spelt_out(yaml.safe_load(value)))
        except NOT_YAML:
            problems.append(f"-p: found {text!r}, expected name=value with a value in YAML")


def take_without(given: list[Given], problems: list[str]) -> dict[str, list[Given]]:
    """Engine → the values for where it cannot be played: what stands under ``without``, taken out of the rest."""
    found: dict[str, list[Given]] = {}
    for entry in [entry for entry in given if entry.name == "without"]:
        given.remove(entry)
        if isinstance(entry.value, dict) and all(isinstance(values, dict) for values in entry.value.values()):
            for engine, values in entry.value.items():
                where = f"{entry.where}: without: {engine}"
                found[engine] = [Given(where, name, value) for name, value in values.items()]
        else:
            problems.append(f"{entry.where}: without: found {entry.value!r}, expected engine: {{parameter: value, …}}")
    return found


def load_profile(
    name: str, root: Path, overrides: Sequence[str] = (), missing: Container[str] = frozenset()
) -> Profile:
    """The profile ``params/<name>.yaml`` with the ``name=value`` overrides, checked against all its notebooks.

    Where an engine is ``missing``, the values of its entry under ``without`` take the place of the profile's.
    Raises ProfileError with every problem found.
    """
    file = root / "params" / f"{name}.yaml"
    if not file.is_file():
        known = sorted(path.stem for path in file.parent.glob("*.yaml") if "\nnotebooks:" in f"\n{path.read_text()}")
        raise ProfileError([f"params/{name}.yaml does not exist; the profiles are: {', '.join(known) or 'none'}"])
    given, entries = read_yaml(file)
    problems: list[str] = []
    without = take_without(given, problems)
    given += [value for engine, values in without.items() if engine in missing for value in values]
    given += read_overrides(overrides, problems)
    sources = {entry.name: root / "notebooks" / f"{entry.name}.ipynb" for entry in entries}
    declared = {entry: declared_parameters(source, problems) for entry, source in sources.items()}
    vocabulary = one_vocabulary(declared, problems)
    values = check_values(given, vocabulary, problems)
    for unused in (given for engine, given in without.items() if engine not in missing):
        check_values(unused, vocabulary, problems)
    named = {given_name for _, given_name, _ in given}
    problems += [
        f"params/{name}.yaml: {key}: expected a folder" for key in ("run_dir", "figures_dir") if key not in named
    ]
    if problems:
        raise ProfileError(problems)
    folders = {key: values[key] for key in ("run_dir", "figures_dir")}
    notebooks = [
        Notebook(
            name=entry.name,
            source=sources[entry.name],
            inputs=list(places(entry.inputs, root, folders, problems)),
            outputs=list(places(entry.outputs, root, folders, problems)),
            declared=declared[entry.name],
            given={key: value for key, value in values.items() if key in declared[entry.name]},
        )
        for entry in entries
    ]
    profile = Profile(name, root, root / folders["run_dir"], root / folders["figures_dir"], notebooks)
    if problems := [*problems, *broken_chain(profile)]:
        raise ProfileError([f"params/{name}.yaml: notebooks: {problem}" for problem in problems])
    return profile


def places(texts: list[str], root: Path, folders: dict[str, str], problems: list[str]) -> Iterator[Path]:
    """The paths that the inputs or outputs of a profile mean."""
    for text in texts:
        try:
            yield root / text.format(**folders)
        except (KeyError, IndexError, ValueError):
            problems.append(f"found {text!r}, expected no name in braces but {{run_dir}} and {{figures_dir}}")


def overlap(one: Path, other: Path) -> bool:
    """Whether two paths are the same or one is a folder that holds the other."""
    return one.is_relative_to(other) or other.is_relative_to(one)


def makers(profile: Profile, path: Path) -> list[Notebook]:
    """The notebooks that write a file, or something in a folder."""
    return [notebook for notebook in profile.notebooks if any(overlap(path, output) for output in notebook.outputs)]


def broken_chain(profile: Profile) -> Iterator[str]:
    """Inputs that nothing makes or that are made too late, and outputs that hold more than one notebook's own."""
    earlier: list[str] = []
    for notebook in profile.notebooks:
        for path in notebook.inputs:
            made_by = [maker.name for maker in makers(profile, path)]
            if made_by and not set(made_by) & set(earlier):
                yield f"{notebook.name}: input {profile.shown(path)}: {made_by[0]}, which writes it, must come earlier"
            elif not made_by and not path.exists():
                yield f"{notebook.name}: input {profile.shown(path)} does not exist and is no notebook's output"
        for path in notebook.outputs:
            if profile.run_dir.is_relative_to(path) or profile.figures_dir.is_relative_to(path):
                yield f"{notebook.name}: output {profile.shown(path)}: expected something inside run_dir or figures_dir"
            for maker in makers(profile, path):
                if maker.name in earlier:
                    yield f"{notebook.name}: output {profile.shown(path)} is also an output of {maker.name}"
        earlier.append(notebook.name)
