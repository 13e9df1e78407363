"""An engine that cannot be played here: told first, replaced as the profile says, and played once it is there."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest

from agentrefine_lib.runner import load_profile, repository

PANEL = "panel: dict[str, dict[str, list[int]]] = {}\nheld_in: list[str] = []"
WRITE = """\
from pathlib import Path
Path(run_dir, "played.txt").write_text(f"{panel} {held_in}")
"""
PROFILE = """\
panel: {jericho: {goat: [0]}, pddl: {gripper: [0]}}
held_in: [jericho]
notebooks:
  - name: 01_play
    outputs: ["{run_dir}/played.txt"]
"""
WITHOUT = "without:\n  jericho: {held_in: [pddl]}\n"


@pytest.fixture
def played(suite):
    """A suite of one notebook, which writes down what it was told to play."""
    suite.notebook("01_play", f'run_dir: str = "runs/x"\n{PANEL}', WRITE)
    suite.profile(WITHOUT + PROFILE)
    return suite


@pytest.fixture
def no_jericho(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("agentrefine_lib.environments.jericho")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jericho", None)
    return monkeypatch


@pytest.mark.slow
@pytest.mark.skipif(find_spec("jericho") is None, reason="jericho is not installed")
def test_what_an_engine_was_missing_for_is_made_again_once_it_is_there(played, no_jericho):
    code, printed = played.run()
    assert code == 0
    first, second = printed.splitlines()[:2]
    assert first.startswith("left out: jericho cannot be played here: ")
    assert first.endswith('To get it: pip install -c constraints.txt -e ".[engines]" (needs a C++ compiler and make)')
    assert second == "    instead, by params/tiny.yaml: held_in: ['pddl']"
    assert (played.run_dir / "played.txt").read_text() == "{'pddl': {'gripper': [0]}} ['pddl']"
    assert "[1/1] 01_play is up to date" in played.run()[1]

    no_jericho.undo()
    code, printed = played.run()
    assert code == 0
    assert "left out" not in printed
    assert 'parameter held_in changed from ["pddl"] to ["jericho"]; parameter panel changed from' in printed
    assert "'jericho': {'goat': [0]}" in (played.run_dir / "played.txt").read_text()


def test_a_panel_of_which_nothing_is_left_is_refused_before_anything_runs(played, no_jericho):
    code, printed = played.run("-p", "panel={jericho: {goat: [0], mine: [1]}}")
    assert code == 2
    assert "panel: nothing of it can be played here: jericho cannot be played here" in printed
    assert "or give other tasks, as in -p 'panel={babyai:" in printed
    assert not played.run_dir.exists()


def test_a_name_that_is_no_engine_is_refused_before_anything_runs(played):
    code, printed = played.run("-p", "panel={chess: {any: [0]}}")
    assert code == 2
    assert "panel: engine: no such 'chess'; expected one of alfworld" in printed
    assert not played.run_dir.exists()


def test_a_profile_that_extends_another_keeps_its_own_models_without_an_engine():
    """Only entries that the other profile names under ``without`` differ; ``null`` leaves one out."""
    found = {}
    for missing in ((), ("alfworld",)):
        given = {
            k: v for n in load_profile("overnight", repository(), (), missing).notebooks for k, v in n.given.items()
        }
        found[missing] = given["models"]
    assert found["alfworld",].pop("expert_only") == {"seeds": [0]}
    assert found[()].keys() - found["alfworld",].keys() == {"expert_only", "expert_only_general"}
    assert all(found[()][name] == entry for name, entry in found["alfworld",].items())


@pytest.mark.parametrize(
    ("without", "told"),
    [
        ("without: {jericho: {held: [pddl]}}\n", "without: jericho: held: no notebook declares this parameter"),
        ("without: {jericho: {held_in: 3}}\n", "without: jericho: held_in: found 3 (int), expected list[str]"),
        ("without: [jericho]\n", "without: found ['jericho'], expected engine: {parameter: value, …}"),
    ],
)
def test_values_for_a_missing_engine_are_checked_where_it_is_there_too(played, without, told):
    played.profile(without + PROFILE)
    code, printed = played.run("--dry-run")
    assert code == 2
    assert told in printed
