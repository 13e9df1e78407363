"""One record per engine: everything else reads it, and another package's engine is like our own."""

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from agentrefine_lib import plots
from agentrefine_lib.environments import __main__ as command
from agentrefine_lib.environments import engines, panel, table_1
from agentrefine_lib.environments.perturbations import make_perturbed, perturbations
from agentrefine_lib.environments.registry import OURS
from agentrefine_lib.metrics import episode_table, summarise
from agentrefine_lib.policies import ExpertPolicy, RandomPolicy
from agentrefine_lib.rollout import Limits, roll_out

ROOT = Path(__file__).parents[2]
REPORTED = pd.read_csv(ROOT / "params" / "reported.csv")


def test_records_are_read_without_the_engines_packages():
    program = "import sys; from agentrefine_lib.environments import engines; print(list(engines()), *sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told.startswith(str(list(OURS)))
    assert not {"minigrid", "gymnasium", "scienceworld", "jericho", "textworld", "alfworld", "bm25s"} & set(
        told.split()
    )


def test_the_papers_counts_are_those_that_are_cited():
    cited = REPORTED[REPORTED["artefact"] == "tab_tasks"].set_index("engine")["value"]
    assert table_1() == cited.to_dict()


@pytest.fixture
def hallway(tmp_path, monkeypatch):
    """The engine of docs/own-engine.md: one file of another package, which registers it."""
    code = (ROOT / "docs" / "own-engine.md").read_text().split("```python\n")[1].split("```")[0]
    assert len(code.splitlines()) <= 60
    (tmp_path / "hallway.py").write_text(code)
    (tmp_path / "hallway-1.dist-info").mkdir()
    (tmp_path / "hallway-1.dist-info" / "METADATA").write_text("Name: hallway\nVersion: 1\n")
    entry = "[agentrefine_lib.engines]\nhallway = hallway:ENGINE\nbroken = no_such_module:ENGINE\n"
    (tmp_path / "hallway-1.dist-info" / "entry_points.txt").write_text(entry)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    monkeypatch.syspath_prepend(tmp_path)
    engines.cache_clear()
    with pytest.warns(UserWarning, match="engine broken = no_such_module:ENGINE is left out: No module"):
        assert list(engines()) == [*OURS, "hallway"]
    yield engines()["hallway"]
    engines.cache_clear()
    perturbations.cache_clear()
    sys.modules.pop("hallway", None)


def test_another_packages_engine_is_checked_renamed_played_and_shown(hallway, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["environments", "hallway", "--check"])
    assert command.main() == 0
    told = capsys.readouterr().out
    assert "hallway: keeps the contract" in told and "expert: success 100%, progress 100.0% (n = 8)" in told
    monkeypatch.setattr(sys, "argv", ["environments", "hallway", "chess"])
    with pytest.raises(SystemExit):
        command.main()
    assert "no such engine chess; expected some of alfworld, babyai" in capsys.readouterr().err
    task = panel({"hallway": {}})[0]
    wrong = replace(hallway, perturbations={"synonyms": {"swich {lamp}": "flip {lamp}"}})
    with monkeypatch.context() as other:
        other.setattr(sys, "argv", ["environments", "hallway", "--check"])
        other.setitem(engines(), "hallway", wrong)
        perturbations.cache_clear()
        assert command.main() == 1 and "has no command 'swich {lamp}'" in capsys.readouterr().out
    perturbations.cache_clear()
    renamed = make_perturbed("synonyms", task)
    renamed.reset(task)
    assert renamed.valid_actions()[0] == "flip blue lamp"

    paths = [tmp_path / f"{name}.jsonl" for name in ("expert", "random")]
    tasks = [*panel({"hallway": {"lamps": [0, 1]}, "babyai": {"GoToRedBallGrey": [1]}})]
    for path, policy in zip(paths, (ExpertPolicy(), RandomPolicy()), strict=True):
        asyncio.run(roll_out(policy, tasks, path, Limits(steps=5)))
    episodes = episode_table(paths)
    table = plots.main_table(summarise(episodes), REPORTED, {"random": "r", "expert": "e"}, model="none", held_in={})
    assert table[table["source"] == plots.OURS]["engine"].unique().tolist() == ["babyai", "hallway"]
    figure, _ = plots.overall(table, "LLaMA-3-8B")
    assert "Hallway\nn = 2" in {ax.get_title() for ax in figure.axes}
    figure, _ = plots.outcomes(episodes, {"random": "r", "expert": "e"})
    assert figure.axes[1].get_title("left") == "Hallway"
    points = [
        {"engine": e, "task": "t", "x": 0.0, "y": 0.0, "nearest": 0.5} for e in ("synthesised", "hallway", "gone")
    ]
    figure = plots.environment_map(pd.DataFrame(points))
    assert [label.get_text() for label in figure.axes[1].get_yticklabels()] == ["synthesised", "Hallway", "gone"]
