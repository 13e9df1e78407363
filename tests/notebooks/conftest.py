"""Two runs of the real notebooks, as small as it gets, for all tests that look at them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUICK = ["n_trajectories=24", "recipe.train_steps=3", "limits.steps=4", "decoding.reply_tokens=12", "lesson_steps=3"]
Reproduce = Callable[..., subprocess.CompletedProcess[str]]


def quick(run: Path, base: Path) -> list[str]:
    """The values of such a run in a folder of its own, with a tiny model."""
    return [*QUICK, f"base_model={base}", f"run_dir={run}", f"figures_dir={run}/figures"]


@pytest.fixture(scope="session")
def reproduce(tiny: Path) -> Reproduce:
    """The runner as a reader calls it."""

    def command(run: Path, *words: str) -> subprocess.CompletedProcess[str]:
        words = (sys.executable, "-m", "agentrefine_lib.runner", "smoke", *words, "-p", *quick(run, tiny))
        return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=800, check=False)

    return command


@pytest.fixture(scope="session")
def two_runs(reproduce: Reproduce, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of two runs with the same values that went well, one chapter at a time and two, side by side."""
    folders = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
    with ThreadPoolExecutor() as both:
        for done in both.map(reproduce, folders, ["--jobs=1", "--jobs=2"]):
            assert done.returncode == 0, done.stderr[-3000:]
    return folders


@pytest.fixture(scope="session")
def first_run(two_runs: list[Path]) -> Path:
    """The folder of a run that went well."""
    return two_runs[0]


@pytest.fixture(scope="session")
def quick_values(first_run: Path, tiny: Path) -> list[str]:
    """What that run was given."""
    return quick(first_run, tiny)
