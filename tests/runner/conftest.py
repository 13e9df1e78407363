"""A tiny suite in a folder of its own: notebooks, parameters and a library, run by real papermill in real kernels."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from agentrefine_lib.runner.__main__ import main


class Suite:
    """A repository root with helpers to write into it and to run it."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self._capsys = root, capsys
        self.run_dir, self.figures = root / "runs/tiny", root / "runs/tiny/figures"
        self.write("constraints.txt", "papermill==2.7.0\nno-such-package==1.0\n# a comment\n")

    def write(self, name: str, text: str) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def notebook(self, name: str, parameters: str, *cells: str) -> None:
        tagged = new_code_cell(parameters, metadata={"tags": ["parameters"]})
        nb = new_notebook(cells=[tagged, *map(new_code_cell, cells)])
        file = self.root / "notebooks" / f"{name}.ipynb"
        file.parent.mkdir(exist_ok=True)
        nbformat.write(nb, file)

    def profile(self, text: str, name: str = "tiny") -> None:
        """Values, and after ``notebooks:`` what stands in params/notebooks.yaml."""
        values, given, chapters = text.partition("notebooks:")
        self.write(f"params/{name}.yaml", f"run_dir: runs/tiny\nfigures_dir: runs/tiny/figures\n{values}")
        if given:
            self.write("params/notebooks.yaml", chapters.lstrip(" "))

    def run(self, *words: str) -> tuple[int, str]:
        """Exit code and everything printed."""
        code = main(["tiny", "--root", str(self.root), *words])
        printed = self._capsys.readouterr()
        return code, printed.out + printed.err


COUNT = """\
from pathlib import Path
log = Path(run_dir, "log.txt")
with log.open("a") as out:
    out.write(f"{n_items}\\n")
print("counted", n_items)
"""

DRAW = """\
import shutil
from pathlib import Path
Path(figures_dir).mkdir(parents=True, exist_ok=True)
shutil.copyfile(Path(run_dir, "log.txt"), Path(figures_dir, "fig.csv"))
"""


@pytest.fixture
def suite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Suite]:
    """Two notebooks: 01_count appends a line to log.txt, 02_draw copies it to a figure."""
    tiny = Suite(tmp_path, capsys)
    tiny.notebook("01_count", 'run_dir: str = "runs/x"\nn_items: int = 3  # how many\nseed: int = 7', COUNT)
    tiny.notebook("02_draw", 'run_dir: str = "runs/x"\nfigures_dir: str = "runs/x"\nwidth: float = 2.5', DRAW)
    tiny.profile(TINY)
    handler = signal.getsignal(signal.SIGTERM)
    with mock.patch.dict(os.environ):
        yield tiny
    signal.signal(signal.SIGTERM, handler)


TINY = """\
n_items: 4
notebooks:
  - name: 01_count
    outputs: ["{run_dir}/log.txt"]
  - name: 02_draw
    inputs: ["{run_dir}/log.txt"]
    outputs: ["{figures_dir}/fig.csv"]
"""
