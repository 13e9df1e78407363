"""Whoever starts a command can ask it for help, and reads at once what a long one does and where it writes."""

import runpy
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
