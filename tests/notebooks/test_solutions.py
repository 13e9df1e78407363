"""The collapsed solutions of the exercises: their code runs after the notebook's own cells."""

import re
from pathlib import Path

import nbformat
import pytest

from agentrefine_lib.reproduce.attempt import execute
from agentrefine_lib.reproduce.profile import load_profile

ROOT = Path(__file__).parents[2]
SOLUTION = re.compile(r"<details><summary>Solution</summary>(.*?)</details>", re.DOTALL)
CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb"))  # the chapters; appendices have none


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_two_exercises_at_the_end_have_solutions_that_run(path, first_run, quick_values, tmp_path):
    """In the folder of a finished run, so that nothing is trained or played again. Shell and YAML are not run."""
    notebook = nbformat.read(path, as_version=4)
    found = SOLUTION.findall(notebook.cells[-1].source)
    codes = [code for solution in found for code in CODE.findall(solution)]
    assert len(found) == 2
    assert codes
    notebook.cells += [nbformat.v4.new_code_cell(code) for code in codes]
    nbformat.write(notebook, tmp_path / path.name)
    given = {n.name: n.given for n in load_profile("smoke", ROOT, quick_values).notebooks}[path.stem]
    execute(tmp_path / path.name, tmp_path / "executed.ipynb", given, ROOT)
    done = nbformat.read(tmp_path / "executed.ipynb", as_version=4).cells[-len(codes) :]
    assert all(cell.outputs for cell in done)
