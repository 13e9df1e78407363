"""What the manifest says of the repository."""

from __future__ import annotations

import subprocess

from agentrefine_lib.runner import load_profile
from agentrefine_lib.runner.manifest import git_state


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
