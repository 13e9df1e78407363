"""What git sees of a notebook that JupyterLab has run and saved."""

import json
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAVED = {"codemirror_mode": {"name": "ipython", "version": 3}, "file_extension": ".py", "mimetype": "text/x-python"}
SAVED |= {"name": "python", "nbconvert_exporter": "python", "pygments_lexer": "ipython3", "version": "3.11.9"}


def test_a_notebook_that_was_run_is_committed_as_it_was_written():
    """The filter that `make lab` sets gives back the committed bytes."""
    assert "notebooks/*.ipynb filter=nbstripout" in (ROOT / ".gitattributes").read_text(encoding="utf-8")
    told = subprocess.run(["make", "-n", "lab"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (command,) = re.findall(r'git config filter\.nbstripout\.clean "(.+)"', told)
    written = (ROOT / "notebooks" / "04_evaluation.ipynb").read_bytes()
    notebook = json.loads(written)
    notebook["metadata"]["language_info"] = SAVED
    cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    cell |= {"execution_count": 3, "outputs": [{"name": "stdout", "output_type": "stream", "text": ["4\n"]}]}
    cell["metadata"]["execution"] = {"iopub.status.busy": "2026-11-29T12:00:00Z"}
    saved = (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()
    assert saved != written
    assert subprocess.run(command, shell=True, input=saved, capture_output=True, check=True).stdout == written
