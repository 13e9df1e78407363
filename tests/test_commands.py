"""Whoever starts a command can ask it for help, and reads at once what a long one does and where it writes."""

import json
import runpy
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[1] / "agentrefine_lib"
ENTRIES = [path for path in sorted(LIBRARY.rglob("*.py")) if 'if __name__ == "__main__":' in path.read_text()]
COMMANDS = [  # a long command with little to do, and what it says first
    (["verify", "nothing.jsonl"], "checks the conversations of nothing.jsonl; writes nothing"),
    (["environments", "embedded", "--check"], "embedded (new synthetic worlds): 12 tasks of up to 30 steps; random: "),
    (["environments.jericho.generate", "no_game"], "compiles no_game, seconds each; writes to "),
    (["tuning", "base", "data.jsonl", "folder", "r.json"], "tunes base on data.jsonl by r.json; writes to folder"),
    (["results.book", "smoke"], "smoke: its executed chapters become runs/smoke/figures/book"),
]


def start(path, words, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(path), *words])
    runpy.run_path(str(path), run_name="__main__")


@pytest.mark.parametrize(("words", "first"), COMMANDS)
def test_a_long_command_says_first_what_it_does_and_where_it_writes(words, first, tmp_path, monkeypatch, capsys):
    path = LIBRARY / words[0].replace(".", "/")
    monkeypatch.chdir(tmp_path)
    with suppress(Exception, SystemExit):
        start(path / "__main__.py" if path.is_dir() else path.with_suffix(".py"), words[1:], monkeypatch)
    assert capsys.readouterr().out.startswith(first)


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_every_command_answers_help(path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as end:
        start(path, ["--help"], monkeypatch)
    assert not end.value.code
    assert capsys.readouterr().out.startswith("usage: ")


@pytest.mark.parametrize(
    ("done", "words", "told"),
    [
        ({"01": {}, "02": {}}, [], ["runner", "results.readme", "runner.pack", "results.book"]),
        ({"01": {}, "02": None}, ["ONLY=01"], ["runner"]),
        ({"01": {}, "02": {}}, ["P=processes=1"], ["runner", "results.readme", "runner.pack", "results.book"]),
        ({"01": {}, "02": {}}, ["P=run_dir=runs/x"], ["runner"]),
        ({"01": {}, "02": {}}, ["ONLY=02", "P=limits.steps=3 'panel={babyai: {\"a\": [1]}}'"], ["runner"]),
        ({"01": {}, "02": {}}, ["ARGS=--dry-run"], ["runner"]),
        ({"01": {}, "02": {}}, ["ARGS=-p limits.steps=3"], ["runner"]),
    ],
)
def test_only_a_whole_default_run_rewrites_the_findings_the_packed_run_and_the_book(done, words, told, tmp_path):
    shutil.copy(LIBRARY.parent / "Makefile", tmp_path)
    files = dict.fromkeys(("runs/laptop/models/models.csv", ".venv/ready", ".venv/base"), "")
    files["figures/manifest.json"] = json.dumps({"notebooks": done})
    files[".venv/bin/python"] = f"""#!/bin/sh
[ "$1" = -c ] && exec {sys.executable} "$@"
echo "${{2#agentrefine_lib.}}" >>called
"""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / ".venv/bin/python").chmod(0o755)
    old = ["-o", ".venv/ready", "-o", ".venv/base"]
    subprocess.run(["make", "reproduce", "JOBS=1", "TORCH=cpu", *old, *words], cwd=tmp_path, check=True)
    assert (tmp_path / "called").read_text().split() == told


@pytest.mark.parametrize("word", ["profile=smoke", "p=limits.steps=3", "ONYL=04"])
def test_make_refuses_a_name_that_it_does_not_know(word):
    command = ["make", "--no-print-directory", "-n", "reproduce", word]
    run = subprocess.run(command, cwd=LIBRARY.parent, capture_output=True, text=True)
    assert run.returncode == 2
    assert f"found {word.partition('=')[0]}=, expected some of PROFILE= ONLY= P= " in run.stderr
    assert not run.stdout
