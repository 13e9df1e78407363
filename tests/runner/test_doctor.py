"""The doctor: works before installation, tells what is missing and what it costs, hangs on nothing, shows no key."""

from __future__ import annotations

import ast
import json
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from agentrefine_lib import environments
from agentrefine_lib.runner import doctor

FILE = Path(doctor.__file__)
CANARY = "sk-canary-7f3a"
FORKING = """\
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "orphan-of-the-doctor"])
time.sleep(600)
"""


def program(folder: Path, name: str, script: str) -> None:
    """A program of that name, first on PATH."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod((folder / name).stat().st_mode | stat.S_IEXEC)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with nothing on PATH and nothing installed but what runs a notebook."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sh").symlink_to(shutil.which("sh") or "/bin/sh")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(doctor, "version", lambda name: "1.0" if name == "papermill" else None)
    return tmp_path / "bin"


def test_before_installation_it_runs_on_the_standard_library_alone():
    command = [sys.executable, "-I", "-S", str(FILE), "--json"]  # no site-packages, no PYTHONPATH
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    told = json.loads(done.stdout)
    assert done.returncode == (0 if told["ready"] else 1)
    assert {"Python", "compiler", "disk", "packages", "GPU"} <= {finding["what"] for finding in told["findings"]}
    assert "not installed yet" in next(f["found"] for f in told["findings"] if f["what"] == "packages")


def test_an_old_python_can_read_it_and_is_told_so(monkeypatch, capsys):
    tree = ast.parse(FILE.read_text(), feature_version=(3, 8))
    imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {name.partition(".")[0] for name in imported if name} <= sys.stdlib_module_names
    monkeypatch.setattr(doctor.sys, "version_info", (3, 8, 1))
    monkeypatch.setattr(doctor.sys, "argv", ["doctor", "--quick"])
    assert doctor.main() == 1
    printed = capsys.readouterr().out
    assert "3.11 or later is needed" in printed
    assert printed.endswith("make reproduce cannot run: Python (!!)\n")


def test_what_is_missing_has_a_cost_and_a_command(bare):
    found = {finding.what: finding for finding in doctor.before()}["compiler"]
    assert (found.state, found.cost) == (doctor.COSTS, "AlfWorld and Jericho drop out")
    assert "build-essential" in found.fix
    for name in ("cc", "c++", "make"):
        program(bare, name, "true")
    assert all(finding.state == doctor.FINE for finding in doctor.before())
    lost = doctor.packages()[0]
    assert lost.state == doctor.STOPS
    assert "accelerate" in lost.found


def test_an_environment_whose_python_was_removed_is_told_from_none(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "VENV", tmp_path)
    assert {"venv", "compiler"} <= {finding.what for finding in doctor.machine(installed=False)}
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(tmp_path / "removed" / "python3.11")
    found = next(finding for finding in doctor.machine(installed=False) if finding.what == ".venv")
    assert (found.state, found.found, found.fix) == (doctor.STOPS, "its Python is gone", "make clean")


def test_another_version_than_the_pinned_one_is_named(monkeypatch):
    true = doctor.version
    monkeypatch.setattr(doctor, "version", lambda name: "0.1" if name == "numpy" else true(name))
    told = {finding.what: finding for finding in doctor.packages()}
    assert "numpy 0.1 for 2." in told["versions"].found
    assert told["versions"].state == doctor.COSTS


def test_a_torch_that_does_not_load_stops_everything(monkeypatch):
    monkeypatch.setattr(doctor, "CUDA", "raise OSError('libtorch_cpu.so: cannot open shared object file')")
    found = doctor.gpu(installed=True)
    assert (found.what, found.state) == ("torch", doctor.STOPS)
    assert "libtorch_cpu.so" in found.found


def test_an_engine_that_hangs_is_given_up_with_all_its_children(monkeypatch):
    monkeypatch.setattr(doctor, "OPEN", FORKING)
    begun = time.monotonic()
    found = doctor.engine("babyai", limit=2)
    assert time.monotonic() - begun < 20
    assert (found.state, found.found) == (doctor.COSTS, "no answer within 2 s")
    orphans = [p for p in psutil.process_iter(["cmdline"]) if "orphan-of-the-doctor" in (p.info["cmdline"] or [])]
    assert psutil.wait_procs(orphans, timeout=10)[1] == []  # killed, but perhaps not gone yet


def test_an_engine_that_is_missing_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(doctor, "OPEN", "import sys\nsys.modules['jericho'] = None\n" + doctor.OPEN)
    found = doctor.engine("jericho")
    assert found.state == doctor.COSTS
    assert "jericho cannot be played here" in found.found
    assert '-m pip install -c constraints.txt -e ".[engines]"' in found.fix


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_here_everything_is_found_and_no_key_is_shown():
    environment = os.environ | {"OPENAI_API_KEY": CANARY}
    command = [sys.executable, str(FILE), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=390, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert CANARY not in done.stdout + done.stderr
    found = {finding["what"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert found["OPENAI_API_KEY"]["found"] == "set (not shown)"
    assert found["kernel"]["state"] == "ok"
    assert set(environments.engines()) <= set(found)
    assert found["babyai"]["found"].startswith("minigrid")
    assert all(f["fix"] and f["cost"] for f in found.values() if f["state"] != "ok")
