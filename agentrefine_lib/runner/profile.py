"""A profile: values for all notebooks, and fields of sections (``runner.parameters``).

What the notebooks read and write stands in one list for all profiles, ``params/notebooks.yaml``.

Everything that is wrong with a profile is collected and shown at once: where it is, what was found, what was expected.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from agentrefine_lib.runner.parameters import Given, Parameter, check_values, declared_parameters, one_vocabulary
from agentrefine_lib.runner.sections import check_choices, check_sections, flattened, with_fields
from agentrefine_lib.schema import explain, spelt_out

CHAPTERS = "notebooks.yaml"  # in params/
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
    """A notebook of a profile. ``given`` holds only the values that it declares, those of sections as section.field."""

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


def _load(file: Path) -> tuple[Any, yaml.Node | None]:
    """What a file holds, and the same with its lines. Raises ProfileError for what is not YAML."""
    try:
        text = file.read_text(encoding="utf-8")
        return spelt_out(yaml.safe_load(text)), yaml.compose(text, Loader=yaml.SafeLoader)
    except FileNotFoundError:
        raise ProfileError([f"{_shown(file)} does not exist"]) from None
    except NOT_YAML as error:
        raise ProfileError([f"{_shown(file)}: not YAML: {error}"]) from None


def _shown(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"


def read_chapters(root: Path) -> list[Entry]:
    """The notebooks of ``params/notebooks.yaml``, in order. Raises ProfileError."""
    file = root / "params" / CHAPTERS
    content, _ = _load(file)
    try:
        entries = TypeAdapter(list[Entry]).validate_python(content)
    except ValidationError as error:
        raise ProfileError([f"{_shown(file)}: {explain(error)}"]) from None
    names = [entry.name for entry in entries]
    _refuse_doubles(file, names)
    return entries


def read_values(file: Path) -> list[Given]:
    """The values of one profile's file, each with its line. Raises ProfileError for what is not a profile."""
    content, mapping = _load(file)
    if not isinstance(mapping, yaml.MappingNode):
        raise ProfileError([f"{_shown(file)}: expected a mapping of values"])
    found, names = list[Given](), list[str]()
    for key, node in mapping.value:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        lines = {str(field.value): f"{_shown(file)}:{field.start_mark.line + 1}" for field, _ in pairs}
        where, name = f"{_shown(file)}:{key.start_mark.line + 1}", str(key.value)
        names += [name, *(f"{name}.{field.value}" for field, _ in pairs)]
        found += flattened(where, name, content.get(key.value), lines)
    _refuse_doubles(file, names)
    return found


def _refuse_doubles(file: Path, names: list[str]) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ProfileError([f"{_shown(file)}: {name}: is there twice" for name in twice])


def extended_values(name: str, root: Path, below: tuple[str, ...] = ()) -> list[Given]:
    """A profile's values after those of the profile that it ``extends``. Raises ProfileError where that is none."""
    own = read_values(root / "params" / f"{name}.yaml")
    named = {given.name for given in own}
    if missing := [key for key in ("run_dir", "figures_dir") if key not in named]:
        raise ProfileError([f"params/{name}.yaml: {key}: expected a folder of its own" for key in missing])
    values = [given for given in own if given.name != "extends"]
    for where, _, other in (given for given in own if given.name == "extends"):
        if other in (name, *below):
            raise ProfileError([f"{where}: extends: {' → '.join((*below, name, other))} has no end"])
        if other not in profiles(root):
            raise ProfileError([f"{where}: extends: found {other!r}, expected one of {', '.join(profiles(root))}"])
        return [*extended_values(other, root, (*below, name)), *values]
    return values


def profiles(root: Path) -> list[str]:
    """The names of all profiles: files in ``params/`` that name a ``run_dir``."""
    return sorted(
        path.stem
        for path in (root / "params").glob("*.yaml")
        if "\nrun_dir:" in f"\n{path.read_text(errors='replace')}"
    )


def read_overrides(texts: Sequence[str], problems: list[str]) -> Iterator[Given]:
    """Each ``-p name=value``, its value read as YAML; anything else becomes a problem."""
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            if not equals:
                raise yaml.YAMLError
            yield from flattened("-p", name.strip(), spelt_out(yaml.safe_load(value)))
        except NOT_YAML:
            problems.append(f"-p: found {text!r}, expected name=value with a value in YAML")


def beside(overrides: list[Given]) -> list[Given]:
    """The overrides; of one that names only ``run_dir``, figures go into that folder and no other run's are lost."""
    folders = {one.name: one for one in overrides if one.name in ("run_dir", "figures_dir")}
    if set(folders) == {"run_dir"} and (folder := folders["run_dir"].value):
        return [*overrides, folders["run_dir"]._replace(name="figures_dir", value=f"{folder}/figures")]
    return overrides


def take_without(given: list[Given], problems: list[str]) -> dict[str, list[Given]]:
    """Engine → the values for where it cannot be played: what stands under ``without``, taken out of the rest."""
    found: dict[str, list[Given]] = {}
    for entry in [entry for entry in given if entry.name == "without"]:
        given.remove(entry)
        if isinstance(entry.value, dict) and all(isinstance(values, dict) for values in entry.value.values()):
            for engine, values in entry.value.items():
                where = f"{entry.where}: without: {engine}"
                found[engine] = [given for name, value in values.items() for given in flattened(where, name, value)]
        else:
            problems.append(f"{entry.where}: without: found {entry.value!r}, expected engine: {{parameter: value, …}}")
    return found


def in_place(value: Given, given: list[Given]) -> Given:
    """A value under ``without``: the entries of a mapping take the place of the profile's, null takes one away."""
    profile = next((one.value for one in reversed(given) if one.name == value.name), None)
    if not isinstance(value.value, dict) or not isinstance(profile, dict):
        return value
    return value._replace(value={key: entry for key, entry in (profile | value.value).items() if entry is not None})


def take_chapters(given: list[Given], entries: list[Entry], problems: list[str]) -> list[Entry]:
    """The chapters of a profile, which the last ``notebooks`` names, a list; all where there is none."""
    chosen, names = entries, [entry.name for entry in entries]
    for choice in [choice for choice in given if choice.name == "notebooks"]:
        given.remove(choice)
        if isinstance(choice.value, list) and set(map(str, choice.value)) <= set(names):
            chosen = [entry for entry in entries if entry.name in choice.value]
        else:
            problems.append(f"{choice.where}: notebooks: found {choice.value!r}, expected a list of {', '.join(names)}")
    return chosen


def load_profile(
    name: str, root: Path, overrides: Sequence[str] = (), missing: Container[str] = frozenset()
) -> Profile:
    """The profile ``params/<name>.yaml`` with the ``name=value`` overrides, checked against all its notebooks.

    A profile holds what differs from the one that it ``extends``, and names its chapters where they are not all; it
    may still hold values of the others.

    Where an engine is ``missing``, the values of its entry under ``without`` take the place of the profile's.
    Raises ProfileError with every problem found.
    """
    if not (root / "params" / f"{name}.yaml").is_file():
        known = ", ".join(profiles(root)) or "none"
        raise ProfileError([f"params/{name}.yaml does not exist; the profiles are: {known}"])
    problems: list[str] = []
    given = extended_values(name, root)
    chapters = read_chapters(root)
    entries = take_chapters(given, chapters, problems)
    without = take_without(given, problems)
    for engine in without:
        given += [in_place(value, given) for value in without[engine]] if engine in missing else []
    given += beside(list(read_overrides(overrides, problems)))
    sources = {entry.name: root / "notebooks" / f"{entry.name}.ipynb" for entry in chapters}
    declared = {entry: with_fields(declared_parameters(source, problems)) for entry, source in sources.items()}
    vocabulary = one_vocabulary(declared, problems)
    values = check_sections(check_values(given, vocabulary, problems), given, problems)
    check_choices(values, given, problems)
    for others in (values for engine, values in without.items() if engine not in missing):
        unused = [in_place(value, given) for value in others]
        check_sections(check_values(unused, vocabulary, problems), unused, problems)
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
    if entangled := list(entangled_folders(profile)):
        raise ProfileError(entangled)
    if problems := [*problems, *broken_chain(profile)]:
        raise ProfileError([f"params/{CHAPTERS}: {problem}" for problem in problems])
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


def entangled_folders(profile: Profile) -> Iterator[str]:
    """Folders that make a run's data figures, which are never set aside, or the repository a run's data."""
    root, run_dir, figures_dir = (path.resolve() for path in (profile.root, profile.run_dir, profile.figures_dir))
    found, figures = profile.shown(profile.run_dir), profile.shown(profile.figures_dir)
    if root.is_relative_to(run_dir):
        yield f"run_dir: found {found!r}, which holds the repository; expected a folder of its own, as in runs/mine"
    elif run_dir.is_relative_to(figures_dir):
        told = f"figures_dir: found {figures!r}, which is or holds run_dir, {found!r}"
        yield f"{told}; expected another folder or one inside it, as in {found}/figures"


def broken_chain(profile: Profile) -> Iterator[str]:
    """Inputs that nothing makes, and outputs that hold a folder of the run. Tests look at the rest of the chain."""
    for notebook in profile.notebooks:
        for path in notebook.inputs:
            if not path.exists() and not makers(profile, path):
                yield f"{notebook.name}: input {profile.shown(path)} does not exist and is no notebook's output"
        for path in notebook.outputs:
            if profile.run_dir.is_relative_to(path) or profile.figures_dir.is_relative_to(path):
                yield f"{notebook.name}: output {profile.shown(path)}: expected something inside run_dir or figures_dir"
