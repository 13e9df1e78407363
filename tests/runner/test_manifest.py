"""What the manifest says of the repository."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from agentrefine_lib.runner import load_profile
from agentrefine_lib.runner.manifest import git_state, manifest, played_before, wall_seconds


def test_a_repository_is_dirty_by_its_sources_and_not_by_what_runs_write(suite):
    profile = load_profile("tiny", suite.root)
    assert git_state(profile.root, profile.run_dir, profile.figures_dir) == (None, None)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=suite.root, check=True)
    suite.write("runs/tiny/figures/fig.csv", "1")
    commit, dirty = git_state(profile.root, profile.run_dir, profile.figures_dir)
    assert commit is not None
    assert len(commit) == 40
    assert dirty is False
    suite.write("agentrefine_lib/new.py", "")
    assert git_state(profile.root, profile.run_dir, profile.figures_dir) == (commit, True)


def test_chapters_side_by_side_count_once_and_pauses_do_not():
    def ran(started: str, wall_s: float) -> dict[str, Any]:
        return {"started": f"2026-11-30T10:{started}+00:00", "wall_s": wall_s}

    assert wall_seconds([ran("00:00", 60), ran("01:00", 30)]) == 90
    assert wall_seconds([ran("00:30", 60), ran("00:00", 60), ran("00:10", 5)]) == 90
    assert wall_seconds([ran("00:00", 60), ran("05:00", 60)]) == 120
    assert wall_seconds([]) == 0


def test_models_that_played_before_are_told():
    taken = {"a-0": {"commit": "1234567", "processor": "x"}, "b-0": {"commit": "89abcde", "processor": "x"}}
    told = "2 models played before, at 1234567, 89abcde (x): their episodes are released with them."
    assert played_before({"played_before": taken}) == told
    assert played_before({"played_before": {}}) == played_before({}) == ""


def test_a_model_has_played_before_only_where_its_episodes_were_taken(suite):
    profile = load_profile("tiny", suite.root)
    assert manifest(profile)["played_before"] == {}
    taken = {"a-0": {"commit": "1234567", "processor": "x"}}
    suite.write("runs/tiny/episodes/taken.json", json.dumps(taken))
    assert manifest(profile)["played_before"] == taken
