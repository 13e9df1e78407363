"""What a notebook depends on, whether it is up to date, and in words why it is not.

Imports are followed from the source. Of those through ``importlib`` two kinds are seen: a package's own modules, and
the engines of the tasks that the notebook plays, but for those that other packages bring.
"""

import ast
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import takewhile, zip_longest
from modulefinder import ModuleFinder
from pathlib import Path
from types import CodeType
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from agentrefine_lib.runner.missing import panels
from agentrefine_lib.runner.parameters import read_cells
from agentrefine_lib.runner.profile import Notebook, Profile, makers
from agentrefine_lib.schema import atomic_write_text, texts

PACKAGE = "agentrefine_lib"
LOCK = "constraints.txt"
SHOWN = ("case", "paper_family")  # parameters that choose what is shown of episodes, which stay good
BY_NAME = 'import_module(f"{__name__}.'  # how a package imports modules of its own by name


class Fingerprint(BaseModel):
    """One entry for each named part: the JSON of a parameter's value, otherwise the sha256 of what is there."""

    notebook: str
    parameters: dict[str, str]
    library: dict[str, str]
    inputs: dict[str, str]
    lock: str


class State(BaseModel):
    """The last attempt at a notebook. ``running`` on disk without a runner at work means that it was interrupted.

    ``wall_s`` counts the seconds of this attempt only; ``resumed``: it started from outputs of an earlier attempt;
    ``kept``: what had changed since they were made, where the user said that it does not matter to them.
    """

    status: Literal["running", "failed", "done"]
    fingerprint: Fingerprint
    given: dict[str, Any]
    defaulted: dict[str, Any]
    commit: str | None
    dirty: bool | None
    started: str
    wall_s: float = 0.0
    resumed: bool
    kept: list[str] = []
    outputs: dict[str, str] = {}

    @staticmethod
    def file(profile: Profile, notebook: Notebook) -> Path:
        return profile.run_dir / ".state" / f"{notebook.name}.json"

    @classmethod
    def load(cls, profile: Profile, notebook: Notebook) -> "State | None":
        """The state on disk; None where there is none that can be read."""
        try:
            return cls.model_validate_json(cls.file(profile, notebook).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def outputs_differ(self, path: Path, made: dict[str, str], profile: Profile) -> bool:
        """Whether a file or folder, once finished, is no longer as it was then."""
        before, after = (
            {name: digest for name, digest in digests.items() if (profile.root / name).is_relative_to(path)}
            for digests in (self.outputs, made)
        )
        return self.status == "done" and before != after

    def save(self, profile: Profile, notebook: Notebook) -> None:
        atomic_write_text(self.file(profile, notebook), self.model_dump_json(indent=1))


class Digests:
    """sha256 of files, remembered by size and modification time so that unchanged gigabytes are read once."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._memory = profile.run_dir / ".state" / "digests.json"
        try:
            self._known: dict[str, list[Any]] = json.loads(self._memory.read_text())
        except (FileNotFoundError, ValueError):
            self._known = {}

    def of_file(self, path: Path) -> str:
        stamp = [path.stat().st_size, path.stat().st_mtime_ns]
        known = self._known.get(str(path), [])
        if known[:2] != stamp:
            with open(path, "rb") as content:
                known = [*stamp, hashlib.file_digest(content, "sha256").hexdigest()]
            self._known[str(path)] = known
        return str(known[2])

    def of_all(self, paths: list[Path]) -> dict[str, str]:
        """Digest of each file, and of each file in each folder, by the path as shown; hidden files do not count."""
        return {self._profile.shown(file): self.of_file(file) for path in paths for file in files_in(path)}

    def save(self) -> None:
        atomic_write_text(self._memory, json.dumps(self._known))


def files_in(path: Path) -> Iterator[Path]:
    """The file itself, or the files anywhere in the folder but for hidden ones; nothing for what does not exist."""
    if path.is_file():
        yield path
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__pycache__")))
        yield from (Path(folder, name) for name in sorted(files) if not name.startswith("."))


class LibraryImports(ModuleFinder):
    """Follows imports within the library, but for the rooms that run notebooks and show results."""

    def __init__(self, root: Path) -> None:
        super().__init__(path=[str(root)], excludes=[f"{PACKAGE}.runner", f"{PACKAGE}.results"])

    def find_module(self, name: str, path: Any, parent: Any = None) -> Any:
        if path is None and name != PACKAGE:
            raise ImportError(name)
        return super().find_module(name, path, parent)


def python_of(cells: list[str]) -> Iterator[CodeType]:
    """The code cells compiled: IPython's magics translated, top-level await allowed, what is no Python left out."""
    from IPython.core.inputtransformer2 import TransformerManager

    for source in cells:
        if source.lstrip().startswith("%%"):
            source = source.lstrip().partition("\n")[2]
        try:
            code = TransformerManager().transform_cell(source)
            yield compile(code, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except SyntaxError:
            continue


def library_files(cells: list[str], root: Path) -> list[Path]:
    """The library's files that the cells import, directly or not, and the data files in the packages among them."""
    finder = LibraryImports(root)
    main = finder.add_module("__main__")
    for code in python_of(cells):
        finder.scan_code(code, main)
    files = {Path(file) for module in finder.modules.values() if (file := getattr(module, "__file__", None))}
    for init in [file for file in files if file.name == "__init__.py"]:
        files.update(package_data(init.parent))
        if BY_NAME in init.read_text(encoding="utf-8"):
            files.update(init.parent.glob("*.py"))
    return sorted(file for file in files if file.is_file())


def package_data(package: Path) -> Iterator[Path]:
    """Files that are not Python in the package's folder and in those below it that are no packages themselves."""
    for folder, folders, files in os.walk(package):
        folders[:] = [n for n in folders if n[0] not in "._" and not Path(folder, n, "__init__.py").exists()]
        yield from (Path(folder, name) for name in files if not name.endswith((".py", ".pyc")) and name[0] != ".")


def engines_played(notebook: Notebook, code: list[str]) -> list[str]:
    """The engines of its panels, and of those that stand in its own code: ``panel({"hotpotqa": …})``."""
    written = re.findall(r'\bpanel\(\{"(\w+)"', "\n".join(code))
    return sorted({*written, *(engine for _, panel in panels(notebook) for engine in panel)})


def models_of(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The models of chapter 3, name → settings, in a notebook's values; none in those of other notebooks."""
    models = values.get("models")
    return models if isinstance(models, dict) else {}


def named_inputs(notebook: Notebook, profile: Profile) -> Iterator[Path]:
    """Files and folders that values name, ``models`` as ``models_of`` says. What a notebook of this run writes is none:
    ``params/notebooks.yaml`` tells of it; nor is a folder that the repository or the run lies in."""
    values = notebook.defaulted | notebook.given
    for name, model in models_of(values).items():
        if model.get("released"):
            yield from (profile.root / model["released"] / f"{name}-{seed}" for seed in model.get("seeds", []))
    used = {name.partition(".")[0] for name in notebook.given}  # sections; one that nobody set may be asleep: selection
    own = ("run_dir", "figures_dir", "models")
    named = [v for n, v in values.items() if n not in own and ("." not in n or n.partition(".")[0] in used)]
    for text in texts(named):
        path = Path(os.path.normpath(profile.root / text))
        around = any(folder.is_relative_to(path) for folder in (profile.root, profile.run_dir))
        with suppress(OSError):  # a text that is too long for a path
            if path.exists() and not around and not makers(profile, path):
                yield path


def fingerprint(notebook: Notebook, profile: Profile, digests: Digests) -> Fingerprint:
    """What the notebook would be run from now."""
    cells = read_cells(notebook.source)
    code = [cell.source for cell in cells if cell.kind == "code"]
    code += [f"from {PACKAGE}.environments.{engine} import environment" for engine in engines_played(notebook, code)]
    source = json.dumps([[cell.kind, cell.source] for cell in cells])
    parameters = notebook.defaulted | notebook.given
    lock = profile.root / LOCK
    return Fingerprint(
        notebook=hashlib.sha256(source.encode()).hexdigest(),
        parameters={
            name: json.dumps(parameters[name], sort_keys=True, ensure_ascii=False) for name in sorted(parameters)
        },
        library=digests.of_all(library_files(code, profile.root)),
        inputs=digests.of_all([*notebook.inputs, *named_inputs(notebook, profile)]),
        lock=digests.of_file(lock) if lock.exists() else "",
    )


def where_they_part(*values: str) -> tuple[str, ...]:
    """Each value, of a long one some sixty characters around the first difference."""
    alike = (len(set(letters)) == 1 for letters in zip_longest(*values))
    start = max(0, sum(takewhile(bool, alike)) - 20)
    parts = ((v, 0, len(v)) if len(v) <= 60 else (v, start, start + 60) for v in values)
    return tuple(f"{'… ' if at else ''}{v[at:end]}{' …' if end < len(v) else ''}" for v, at, end in parts)


def changes(then: Fingerprint, now: Fingerprint) -> list[str]:
    """In words, what else than the notebook's own source is different."""
    found = []
    for section, noun, came, went in (
        ("parameters", "parameter ", "is new", "is gone"),
        ("library", "", "is now imported", "is no longer imported"),
        ("inputs", "input ", "is new", "is gone"),
    ):
        old, new = getattr(then, section), getattr(now, section)
        for name in sorted(old.keys() | new.keys()):
            if name not in old:
                found.append(f"{noun}{name} {came}")
            elif name not in new:
                found.append(f"{noun}{name} {went}")
            elif old[name] != new[name]:
                told = " from {} to {}".format(*where_they_part(old[name], new[name])) if noun == "parameter " else ""
                found.append(f"{noun}{name} changed{told}")
    return found + ([f"{LOCK} changed"] if then.lock != now.lock else [])


class Verdict(BaseModel):
    """A notebook must run when there are reasons. ``resumable``: what outputs it has were made from the same parts, or
    from others that are told in ``kept``."""

    now: Fingerprint
    reasons: list[str]
    resumable: bool
    kept: list[str] = []


def judge(notebook: Notebook, profile: Profile, digests: Digests, force: bool = False, keep: bool = False) -> Verdict:
    """Compare a notebook's last attempt with what is there now. ``keep``: its outputs are good whatever changed."""
    now, then = fingerprint(notebook, profile, digests), State.load(profile, notebook)
    if then is None:
        return Verdict(now=now, reasons=["never ran"], resumable=False)
    reasons = {"running": ["was interrupted"], "failed": ["failed the last time"], "done": []}[then.status]
    other = changes(then.fingerprint, now)
    made = digests.of_all(notebook.outputs)
    touched = [path for path in notebook.outputs if path.exists() and then.outputs_differ(path, made, profile)]
    changed = [f"output {profile.shown(path)} was changed by something else" for path in touched]
    missing = [f"output {profile.shown(path)} is missing" for path in notebook.outputs if not path.exists()]
    source = ["the notebook itself changed"] if then.fingerprint.notebook != now.notebook else []
    forced = ["--force"] if force else []
    data = [told for told, path in zip(changed, touched, strict=True) if not path.is_relative_to(profile.figures_dir)]
    spoilt = [*(told for told in other if not told.startswith(tuple(f"parameter {name} " for name in SHOWN))), *data]
    resumable = not force and (keep or not spoilt)
    return Verdict(
        now=now,
        reasons=[*reasons, *other, *source, *missing, *changed, *forced],
        resumable=resumable,
        kept=[*then.kept, *spoilt] if resumable else [],
    )
