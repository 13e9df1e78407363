"""Runs side by side: what differs, the tables, paired tests, and a sweep that makes its runs."""

import json
from hashlib import sha256

import pytest

from agentrefine_lib.results.compare import report
from agentrefine_lib.results.sweep import sweep
from agentrefine_lib.schema import Episode, Step, Task, write_jsonl

REGISTRY = """\
- {id: tab, title: A table, notebook: 04_play, columns: [source, method, metric, value], reported: none}
"""
TABLE = """\
source,method,metric,value,n
this run,<i>ours</i>,success,{},8
this run,theirs,success,0.5,8
paper,ours,success,1,8
"""


def episode(name: str, won: bool) -> Episode:
    step = Step(reply="", thought="", action="a", observation="o", progress=float(won), error=None)
    task = Task(engine="babyai", name=name, seed=0)
    rest = {"goal": "g", "observation": "o", "steps": [step], "success": won, "progress": float(won)}
    return Episode(id=f"p-0/{task.id}", policy="p-0", task=task, engine_version="1", **rest)


def write_run(root, name: str, value: float, won: int, **given):
    """A finished run with one table and eight episodes, of which so many are won."""
    folder = root / "runs" / name
    (folder / "figures").mkdir(parents=True)
    (folder / "figures/tab.csv").write_text(TABLE.format(value))
    write_jsonl(folder / "episodes/p-0.jsonl", [episode(f"t{i}", i < won) for i in range(8)])
    digest = sha256((folder / "episodes/p-0.jsonl").read_bytes()).hexdigest()
    parameters = {"given": {"run_dir": f"runs/{name}"} | given, "defaulted": {"seed": 0, "panel": {"babyai": [1]}}}
    record = {"parameters": parameters, "outputs": {f"runs/{name}/episodes/p-0.jsonl": digest}}
    manifest = {"profile": "tiny", "commit": None, "notebooks": {"03_tune": None, "04_play": record}}
    (folder / "figures/manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def root(tmp_path):
    """Two runs, x and y."""
    (tmp_path / "params").mkdir()
    (tmp_path / "params/artefacts.yaml").write_text(REGISTRY)
    write_run(tmp_path, "x", 0.25, won=0, steps=10)
    write_run(tmp_path, "y", 0.75, won=7, steps=20)
    return tmp_path


def test_two_runs_are_told_apart_in_a_terminal_and_on_a_page(root):
    page = root / "page.html"
    told = report([root / "runs/x", root / "runs/y/figures"], root, page)
    lines = [line.split() for line in told.splitlines()]
    assert ["steps", "10", "20"] in lines
    assert ["<i>ours</i>", "success", "0.25", "(n", "=", "8)", "0.75", "(n", "=", "8)"] in lines
    assert "1 rows are the same" in told and "panel" not in told
    assert "0.875 [0.571, 1], p = 0.016, n = 8 (7 differ), 1 seed" in told
    assert "&lt;i&gt;ours&lt;/i&gt;" in page.read_text() and "<i>ours" not in page.read_text()


def test_episodes_that_are_no_longer_as_the_run_left_them_are_not_tested(root):
    (root / "runs/y/episodes/p-0.jsonl").write_bytes((root / "runs/x/episodes/p-0.jsonl").read_bytes())
    assert "no episodes of the same tasks are there" in report(
        [root / "runs/x", root / "runs/y"], root, root / "p.html"
    )


@pytest.mark.parametrize(
    ("manifest", "told"),
    [(None, "z: no run: it has no manifest"), ("[]", "not the manifest of a run"), ("{", "not the")],
)
def test_what_is_no_run_is_told(root, manifest, told):
    (root / "runs/z").mkdir()
    if manifest:
        (root / "runs/z/manifest.json").write_text(manifest)
    with pytest.raises(ValueError, match=told):
        report([root / "runs/x", root / "runs/z"], root, root / "p.html")
    with pytest.raises(ValueError, match="nowhere: no such folder"):
        report([root / "runs/x", root / "nowhere"], root, root / "p.html")
    with pytest.raises(ValueError, match="expected two runs that are not the same"):
        report([root / "runs/x", root / "runs/x"], root, root / "p.html")


@pytest.mark.slow
def test_a_sweep_runs_each_value_in_its_own_folder_and_goes_on(suite, capsys):
    words = ["tiny", "--root", str(suite.root), "--only", "01", "-p", "n_items=[5,6]", "seed=1"]
    assert sweep(words) == 0
    told = capsys.readouterr().out
    assert ["n_items", "5", "6"] in [line.split() for line in told.splitlines()]
    assert (suite.root / "runs/tiny/sweep/n_items=6/log.txt").read_text() == "6\n"
    assert (suite.root / "runs/tiny/sweep/compared.html").exists()
    assert sweep(words) == 0
    assert capsys.readouterr().out.count("01_count is up to date") == 2


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["n_items=5"], "found none, expected one -p NAME=[…] whose parameter is no list"),
        (["n_items=[5,6]", "seed=[1,2]"], "found n_items=[5,6] and seed=[1,2], expected one"),
        (["n_items=[5,many]"], "n_items: found 'many' (str), expected int"),
        (["n_items=[5,5]"], "expected two values or more that are not the same"),
        (["sizes=[1,2]"], "sizes is itself a list: it takes one value"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_before_anything_runs(suite, capsys, given, told):
    suite.notebook("01_count", 'run_dir: str = "x"\nn_items: int = 3\nseed: int = 7\nsizes: list[int] = []')
    assert sweep(["tiny", "--root", str(suite.root), "-p", *given]) == 2
    assert told in capsys.readouterr().err
    assert not (suite.root / "runs").exists()
