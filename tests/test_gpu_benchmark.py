"""benchmarks/gpu.py runs from its first step to its last, on a processor and tiny models: a GPU's time is dear."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "gpu.py"


def run(*arguments):
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_every_row_is_measured_and_the_card_is_named(tmp_path):
    done = run("--device", "cpu", "--tiny", "--out", str(tmp_path / "gpu.json"))
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((tmp_path / "gpu.json").read_text())
    rows = {row["what"]: row for row in found["rows"]}
    assert found["card"] and found["tiny"] and not [row for row in rows.values() if "error" in row or "left out" in row]
    assert {"SmolLM2, a step", "8B, a step", "8B, a step, checkpointing", "SmolLM2, chapter 3", "SmolLM2, play"} <= set(
        rows
    )
    assert float(rows["exactness, torch.float32"]["gradient_off"]) < 1e-5
    assert float(rows["exactness, torch.bfloat16"]["gradient_off"]) < 0.05
    assert all(what in done.stdout for what in rows)


@pytest.mark.slow
def test_without_time_every_row_is_left_out_and_said_so(tmp_path):
    assert run("--device", "cpu", "--tiny", "--limit-s", "0", "--out", str(tmp_path / "gpu.json")).returncode == 0
    rows = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert rows and all(row["left out"] == "no time left" for row in rows)
