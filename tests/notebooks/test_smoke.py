"""The real notebooks under the real runner: everything runs, twice the same, and the second time nothing does.

The solutions of the exercises stand in this file, too, so that one worker makes the two runs that all need.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

from agentrefine_lib.results.book import build
from agentrefine_lib.runner.attempt import execute
from agentrefine_lib.runner.profile import load_profile

ROOT = Path(__file__).parents[2]
OUR_BAR = re.compile(r"(synthesis|[\w-]+-\d+(@\d+)?|trained|expert|random|untuned|tiny): +\d+%\|")
SOLUTION = re.compile(r"<details><summary>Solution</summary>(.*?)</details>", re.DOTALL)
CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb"))  # the chapters; appendices have none
CUT = re.compile(r"[\w@-]+: \d+ of \d+ replies end at reply_tokens=\d+: raise it$")
pytestmark = pytest.mark.timeout(900)  # whoever comes first waits for the first run


@pytest.mark.slow
def test_two_runs_of_one_seed_give_the_same_bytes(two_runs):
    first, second = (run / "figures" for run in two_runs)
    names = sorted(path.name for path in first.iterdir())
    assert {"tab1_main.csv", "fig1_overall.png", "fig1_overall.pdf", "manifest.json"} <= set(names)
    for name in set(names) - {"manifest.json", "index.html", "README.md"}:  # they say when, and how long it took
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


@pytest.mark.slow
def test_the_second_run_skips_everything_and_the_manifest_tells_of_the_first(reproduce, first_run):
    again = reproduce(first_run)
    assert again.returncode == 0
    notebooks = yaml.safe_load((ROOT / "params" / "notebooks.yaml").read_text())
    assert again.stdout.count("is up to date") == len(notebooks)
    manifest = json.loads((first_run / "figures" / "manifest.json").read_text())
    notebook = manifest["notebooks"]["03_finetuning"]
    assert notebook["parameters"]["given"]["recipe.train_steps"] == 3
    assert notebook["parameters"]["defaulted"]["recipe.learning_rate"] == 1e-3
    assert (notebook["seeds"]["recipe.seed"], notebook["seeds"]["models.agentrefine"]) == (0, [0])
    assert "minigrid" in manifest["engines"]


@pytest.mark.slow
def test_what_a_cell_shows_is_in_the_executed_notebook(first_run):
    text = (first_run / "notebooks" / "03_finetuning.ipynb").read_text()
    assert "struck through" in text
    assert '"output_type": "error"' not in text


@pytest.mark.slow
def test_the_executed_notebooks_warn_of_nothing(first_run):
    """On stderr there is the last state of progress bars and how many replies were cut; no bar of another package."""
    said = []
    for path in sorted((first_run / "notebooks").glob("*.ipynb")):
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        streams = [output for cell in cells for output in cell.outputs if output.output_type == "stream"]
        lines = [(o.name, line) for o in streams for line in re.split(r"[\r\n]|\x1b\[A", o.text) if line.strip()]
        said += [
            (path.name, line)
            for name, line in lines
            if name == "stderr" and not (OUR_BAR.match(line) or CUT.match(line))
        ]
        said += [(path.name, line) for _, line in lines if re.search(r"\w*Warning\b|\bdeprecated\b", line)]
        said += [(path.name, "every state of a progress bar") for o in streams if "\r" in o.text]
    assert said == []


@pytest.mark.slow
def test_every_chapter_is_in_the_book_with_its_figures_and_their_captions(first_run, quick_values):
    index = build(load_profile("smoke", ROOT, quick_values))
    assert sum(path.stat().st_size for path in index.parent.iterdir()) < 15e6
    for path in index.parent.glob("[0A]*.html"):
        page = BeautifulSoup(path.read_text(), "html.parser").main
        assert page.select("table") and all(image.get("alt") for image in page.select("img"))
        assert path.stem in ("01_synthesis", "A1_errata") or page.select("figure > img")
        assert not [caption for caption in page.select("figcaption") if "A figure of" in caption.text]
    assert len(list(index.parent.iterdir())) == len(NOTEBOOKS) + 3


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_two_exercises_have_solutions_that_pass_their_own_check(path, first_run, quick_values, tmp_path):
    """In the folder of a finished run, so that nothing is trained or played again. Shell and YAML are not run."""
    notebook = nbformat.read(path, as_version=4)
    told = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    solutions = [CODE.findall(solution) for solution in SOLUTION.findall(told)]
    checks = [cell.source for cell in notebook.cells if cell.source.startswith("answer_")]
    assert len(checks) == 2
    for (solution,), check in zip(solutions, checks, strict=True):
        notebook.cells += map(nbformat.v4.new_code_cell, (solution, check.partition("\n")[2]))
    nbformat.write(notebook, tmp_path / path.name)
    given = {n.name: n.given for n in load_profile("smoke", ROOT, quick_values).notebooks}[path.stem]
    execute(tmp_path / path.name, tmp_path / "executed.ipynb", given, ROOT)
    done = nbformat.read(tmp_path / "executed.ipynb", as_version=4).cells[-4:]
    assert all(cell.outputs for cell in done[::2])
    assert all("Right" in cell.outputs[0].text for cell in done[1::2])


def test_a_misspelt_parameter_is_refused_before_anything_runs(reproduce, tmp_path):
    refused = reproduce(tmp_path, "-p", "train_step=5")
    assert refused.returncode == 2
    assert "-p: train_step: no notebook declares this parameter; did you mean recipe.train_steps?" in refused.stderr
    assert not (tmp_path / "notebooks").exists()


@pytest.mark.slow
def test_a_notebook_opened_alone_makes_its_inputs(tmp_path):
    """As a reader would: chapter 4 first, in a folder where nothing was run."""
    executed = tmp_path / "out.ipynb"
    values = ["-p", "run_dir", str(tmp_path / "run"), "-p", "figures_dir", str(tmp_path / "run" / "figures")]
    values += ["-y", "{limits: {steps: 5}, decoding: {reply_tokens: 12}}"]
    command = [
        shutil.which("papermill", path=str(Path(sys.executable).parent)),
        "04_evaluation.ipynb",
        str(executed),
        *values,
    ]
    done = subprocess.run(command, cwd=ROOT / "notebooks", capture_output=True, text=True, timeout=380, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "run" / "figures" / "tab1_main.csv").exists()
    assert "is missing: running 03_finetuning" in executed.read_text()
