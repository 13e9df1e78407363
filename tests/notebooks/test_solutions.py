"""The collapsed solutions of the exercises: their code runs after the notebook's own cells."""

import re
from pathlib import Path

import nbformat
import pytest

from agentrefine_lib.reproduce.attempt import execute
from agentrefine_lib.reproduce.profile import load_profile

ROOT = Path(__file__).parents[2]
SOLUTION = re.compile(r"<details><summary>Solution</summary>\s+```python\n(.*?)```", re.DOTALL)


def solutions(path: Path) -> list[str]:
    """The code of each solution, from the last cell."""
    return SOLUTION.findall(nbformat.read(path, as_version=4).cells[-1].source)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "path", [p for p in sorted((ROOT / "notebooks").glob("*.ipynb")) if solutions(p)], ids=lambda p: p.stem
)
def test_two_exercises_at_the_end_have_solutions_that_run(path, first_run, quick_values, tmp_path):
    """In the folder of a finished run, so that nothing is trained or played again."""
    found = solutions(path)
    assert len(found) == 2
    notebook = nbformat.read(path, as_version=4)
    notebook.cells += [nbformat.v4.new_code_cell(code) for code in found]
    nbformat.write(notebook, tmp_path / path.name)
    given = {n.name: n.given for n in load_profile("smoke", ROOT, quick_values).notebooks}[path.stem]
    execute(tmp_path / path.name, tmp_path / "executed.ipynb", given, ROOT)
    done = nbformat.read(tmp_path / "executed.ipynb", as_version=4).cells[-2:]
    assert all(cell.outputs for cell in done)
