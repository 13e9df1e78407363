"""The house is as it was drawn: rooms import downwards only, pins agree, notebooks are clean and readable."""

import ast
import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml

import agentrefine_lib.rollout
from agentrefine_lib.runner.sections import SECTIONS

ROOT = Path(__file__).parents[1]
ROOMS = [
    *["schema", "endpoint", "teachers", "verify", "synthesis", "dataset", "tuning", "environments"],
    *["agent", "policies", "rollout", "metrics", "diversity", "plots", "viewers", "runner", "results"],
]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-")


def pins(lines: list[str]) -> dict[str, str]:
    return {name_of(line): line.split("==")[1].strip() for line in lines if "==" in line}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "agentrefine_lib").parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("agentrefine_lib.")} & set(ROOMS)


@pytest.mark.parametrize("path", sorted((ROOT / "agentrefine_lib").rglob("*.py")), ids=lambda p: str(p.name))
def test_rooms_import_only_from_rooms_above(path):
    room = room_of(path)
    if room == "__init__":
        return
    assert room in ROOMS, f"{room} is not a room of DESIGN.md"
    below = [other for other in imported_rooms(path) if ROOMS.index(other) > ROOMS.index(room)]
    assert not below, f"{path.relative_to(ROOT)} ({room}) imports from {below}, which lie below it"


def test_the_map_of_the_library_has_every_room_and_its_size():
    told = dict(re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", (ROOT / "docs" / "library.md").read_text(), re.MULTILINE))
    assert list(told) == ROOMS
    for room, lines in told.items():
        paths = [path for path in (ROOT / "agentrefine_lib").rglob("*.py") if room_of(path) == room]
        counted = sum(len(path.read_text().splitlines()) for path in paths)
        assert abs(int(lines.replace(",", "")) - counted) <= max(counted / 10, 10), f"{room} has {counted} lines"


def test_the_library_shows_nothing_of_verifiers_where_that_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "agentrefine_lib.rollout.verifiers", None)
    named = {}
    exec("from agentrefine_lib import *", named)
    assert "Panel" not in named and not hasattr(agentrefine_lib, "Panel")
    shown = SimpleNamespace(Chat=1, EngineEnv=1, Panel=1)
    monkeypatch.setattr(agentrefine_lib.rollout, "verifiers", shown, raising=False)
    exec("from agentrefine_lib import *", named := {})
    assert sorted(named) == ["Chat", "EngineEnv", "Panel", "__builtins__"]


def test_every_dependency_is_pinned_and_the_pins_are_what_runs():
    constraints = pins((ROOT / "constraints.txt").read_text().splitlines())
    wanted = PROJECT["dependencies"] + [r for extra in PROJECT["optional-dependencies"].values() for r in extra]
    names = {name_of(requirement) for requirement in wanted} - {"agentrefine-lib"}
    assert names <= set(constraints), f"not in constraints.txt: {names - set(constraints)}"
    for name in {name_of(r) for r in PROJECT["dependencies"]}:
        assert version(name).split("+")[0] == constraints[name]


def test_environment_yml_is_in_step():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    constraints = pins((ROOT / "constraints.txt").read_text().splitlines())
    direct = {name_of(requirement) for requirement in PROJECT["dependencies"]}
    assert pins(pip) == {name: constraints[name] for name in direct}
    assert "python=3.11" in environment["dependencies"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_are_committed_clean_and_read_well(path):
    notebook = nbformat.read(path, as_version=4)
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1, "one cell tagged parameters"
    assert notebook.cells[0].cell_type == "markdown"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs, f"outputs are not committed: cell {cell.id}"
            assert cell.execution_count is None
            assert cell in tagged or len(cell.source.splitlines()) <= 12, f"a long cell: {cell.id}"
    lines = tagged[0].source.splitlines()
    sections = [line for line in lines if ": dict = {" in line]
    assert len(lines) - len(sections) <= 8, "what a reader would turn; the rest are fields of sections"
    for line in sections:
        name, model = re.fullmatch(r"(\w+): dict = \{.*\}  # .+: ([\w.]+)", line).groups()
        assert SECTIONS[name] == model
    for line in lines:
        assert re.match(r"\w+: [\w\[\], |]+ = .+  # .+", line), f"typed and commented: {line}"
