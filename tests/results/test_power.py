"""The power of a panel, from the claims of a pilot."""

import pandas as pd
import pytest

from agentrefine_lib.results import power
from agentrefine_lib.runner import repository

ROW = {"compared": "a - b", "difference": 0.1, "low": 0.02, "high": 0.18, "p": 0.03, "n": 20, "seeds": 1, "differ": 10}


def test_a_claim_is_planned_on_the_tasks_of_its_engines(tmp_path):
    rows = [{"claim": "fig1_overall"} | ROW, {"claim": "worlds_all_turns"} | dict.fromkeys(ROW) | {"n": 0}]
    pd.DataFrame(rows).to_csv(tmp_path / "claims_04.csv", index=False)
    found = power.expected(tmp_path, "laptop", repository()).set_index("claim")
    assert found.loc["fig1_overall", "planned"] == 39  # as laptop.yaml lists them: 12, 16, 3, 4 and 4
    assert 0.9 < found.loc["fig1_overall", "power"] < 0.95 and found.loc["fig1_overall", "suffices"]
    assert pd.isna(found.loc["worlds_all_turns", "power"]) and not found.loc["worlds_all_turns", "suffices"]


def test_what_was_planned_is_told_in_words(tmp_path):
    assert power.read_power(tmp_path, "laptop") == {}
    (tmp_path / "params").mkdir()
    (tmp_path / power.FILE).write_text(
        "claim,profile,pilot,planned,power\na,laptop,22,39,0.924\nb,laptop,22,39,\nc,laptop,0,39,\n", encoding="utf-8"
    )
    told = {
        "a": "planned: 39 tasks, power 0.92",
        "b": "planned: 39 tasks, the pilot saw no difference, or had several seeds",
    }
    assert power.read_power(tmp_path, "laptop") == told
    assert power.read_power(tmp_path, "smoke") == {}


def test_a_profile_without_chapter_4_has_no_panel(tmp_path):
    with pytest.raises(Exception, match="no panel of chapter 4"):
        power.expected(tmp_path, "sets", repository())
