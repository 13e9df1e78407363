"""What a notebook opened by hand relies on."""

from __future__ import annotations

import os

import pytest

from agentrefine_lib.runner import repository, upstream, workspace
from agentrefine_lib.runner.attempt import NotebookFailedError
from agentrefine_lib.runner.pack import pack
from agentrefine_lib.runner.profile import Profile


def test_the_workspace_is_the_same_from_everywhere(suite, monkeypatch):
    monkeypatch.chdir(os.sep)
    assert (repository() / "agentrefine_lib/runner/workspace.py").exists()
    folder = workspace("runs/by_hand", suite.root)
    assert folder == suite.root / "runs/by_hand"
    assert folder.is_dir()


def test_chapters_that_read_a_run_start_from_a_copy_of_the_default_one(suite, capsys):
    workspace("runs/reading", suite.root).rmdir()
    assert capsys.readouterr().out == ""
    for name in ("interactive", "laptop"):
        suite.write(f"runs/{name}/models/models.csv", name)
    for name in ("models/a-0/checkpoint-2/optimizer.pt", "notebooks/04.ipynb", "figures/fig.csv", ".state/04.json"):
        suite.write(f"runs/laptop/{name}", "")
    workspace("runs/reading/figures", suite.root)
    reading = workspace("runs/reading", suite.root)
    assert capsys.readouterr().out.count("runs/reading starts as a copy of runs/laptop;") == 1
    assert [path.name for path in reading.rglob("*") if path.is_file()] == ["models.csv"]
    assert (reading / "models/models.csv").read_text() == "laptop"


def test_without_a_run_they_start_from_the_packed_one(suite, capsys):
    """What a fresh clone has: figures/run.tar.xz and the released adapters."""
    for name in ("a-0", "b-0"):
        suite.write(f"runs/tiny/episodes/{name}.jsonl", f"{name}\n" * 300)
        suite.write(f"runs/tiny/synthesis/{name}.jsonl", "line\n" * 300)
    suite.write("runs/tiny/models/models.csv", "policy,base\nuntuned,smollm2\na-0,smollm2\nb-0,smollm2\n")
    suite.write("params/adapters/a-0/adapter_config.json", "{}")
    run, figures = suite.root / "runs/tiny", suite.root / "figures"
    profile = Profile("tiny", suite.root, run, figures, [])
    packed = pack(profile).read_bytes()
    assert pack(profile).read_bytes() == packed
    reading = workspace("runs/reading", suite.root)
    assert "starts as a copy of figures/run.tar.xz" in capsys.readouterr().out
    assert (reading / "models/models.csv").read_text().split() == ["policy,base", "untuned,smollm2", "a-0,smollm2"]
    assert (reading / "episodes/a-0.jsonl").read_text() == "a-0\n" * 300
    assert not (reading / "episodes/b-0.jsonl").exists()  # its weights are not released
    assert (reading / "synthesis/a-0.jsonl").read_text() == "line\n" * 200
    assert (reading / "models/a-0/tokenizer.json").exists()


def test_inputs_that_are_there_or_that_nobody_makes(suite, capsys):
    there = suite.write("runs/mine/log.txt", "9\n")
    suite.profile("notebooks: [{name: 01_count, outputs: ['{run_dir}/log.txt']}]\n", name="smoke")
    upstream(there, root=suite.root)
    assert capsys.readouterr().out == ""
    with pytest.raises(FileNotFoundError, match=r"no notebook of params/notebooks.yaml writes it"):
        upstream(suite.root / "runs/mine/other.txt", root=suite.root)


def test_a_notebook_does_not_run_again_over_what_it_made_for_a_set_that_it_did_not_make(suite):
    suite.profile("notebooks: [{name: 01_count, outputs: ['{run_dir}/sets']}]\n", name="smoke")
    suite.write("runs/mine/sets/one.jsonl", "1")
    with pytest.raises(FileNotFoundError, match=r"two\.jsonl: 01_count made only one\.jsonl; run it with values that"):
        upstream(suite.root / "runs/mine/sets/two.jsonl", root=suite.root)
    assert not (suite.root / "runs/mine/notebooks").exists()


def test_an_input_that_was_left_half_made_is_made_to_its_end(suite, capsys, monkeypatch):
    log, stops = suite.run_dir / "log.txt", iter([KeyboardInterrupt, NotebookFailedError, None])

    def execute(source, executed, values, root):
        suite.write("runs/tiny/log.txt", "half")
        if stop := next(stops):
            raise stop
        suite.write("runs/tiny/log.txt", "whole")

    monkeypatch.setitem(upstream.__globals__, "execute", execute)
    for stop in (KeyboardInterrupt, NotebookFailedError):
        with pytest.raises(stop):
            upstream(log, root=suite.root)
    upstream(log, log, root=suite.root)
    upstream(log, suite.write("mine.txt", ""), root=suite.root)
    assert log.read_text() == "whole"
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "log.txt is missing",
        "log.txt was left half-made",
        "log.txt was left half-made",
    ]


@pytest.mark.slow
def test_missing_inputs_are_made_by_the_notebooks_upstream(suite, capsys):
    hand = f"""\
from pathlib import Path
from agentrefine_lib.runner import upstream
upstream(Path(run_dir, "log.txt"), root=Path({str(suite.root)!r}))
assert Path(run_dir, "log.txt").read_text() == "3\\n", "the default, not the profile's 4"
Path(figures_dir).mkdir(parents=True)
Path(figures_dir, "fig.csv").write_text("1")
"""
    suite.notebook("02_draw", 'run_dir: str = "runs/by_hand"\nfigures_dir: str = "runs/by_hand/figures"', hand)
    upstream(suite.root / "runs/by_hand/figures/fig.csv", root=suite.root)
    printed = capsys.readouterr().out
    assert "fig.csv is missing: running 02_draw with its defaults to make it …" in printed
    assert "log.txt is missing: running 01_count with its defaults to make it …" in printed
    assert (suite.root / "runs/by_hand/notebooks/01_count.ipynb").exists()
    suite.notebook("01_count", 'run_dir: str = "runs/x"', "pass")
    with pytest.raises(FileNotFoundError, match="01_count did not write it"):
        upstream(suite.root / "runs/other/log.txt", root=suite.root)
