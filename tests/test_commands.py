"""Whoever starts something long can read at once what it does and where it writes, and stop it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = [  # a long command with little to do, and what it says first
    (["verify", "nothing.jsonl"], "checks the conversations of nothing.jsonl; writes nothing"),
    (["environments", "embedded", "--check"], "embedded (New synthetic worlds): 12 tasks of up to 30 steps; random: "),
    (["environments.jericho.generate", "no_game"], "compiles no_game, seconds each; writes to "),
    (["tuning", "base", "data.jsonl", "folder", "r.json"], "tunes base on data.jsonl by r.json; writes to folder"),
    (["results.gallery", "smoke"], "smoke: its executed notebooks become pages in runs/smoke/gallery"),
]


@pytest.mark.parametrize(("words", "first"), COMMANDS)
def test_a_long_command_says_first_what_it_does_and_where_it_writes(words, first, tmp_path):
    command = [sys.executable, "-m", f"agentrefine_lib.{words[0]}", *words[1:]]
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path})
    assert done.stdout.startswith(first)
