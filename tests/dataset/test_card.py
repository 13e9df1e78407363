"""The card says what was measured, and a hub can read its head."""

import pytest
import yaml

from agentrefine_lib.dataset import write_card
from agentrefine_lib.schema import DMTurn

NAMES = {"title": 'A "set": no. 1', "licence": "apache-2.0", "commit": "abc1234", "data_files": ["data.parquet"]}


def test_its_numbers_are_those_of_the_data(trajectories, tmp_path):
    text = write_card(tmp_path, iter(trajectories), **NAMES).read_text()
    _, head, body = text.split("---\n", 2)
    assert yaml.safe_load(head) == {
        "pretty_name": NAMES["title"],
        "license": "apache-2.0",
        "task_categories": ["text-generation"],
        "size_categories": ["n<1K"],
        "tags": ["agent", "refinement-tuning", "synthetic"],
        "configs": [{"config_name": "default", "data_files": ["data.parquet"]}],
    }
    answers = [turn for t in trajectories for turn in t.turns[1:] if isinstance(turn, DMTurn)]
    erroneous = sum(turn.is_error for turn in answers)
    expected = (
        f"{len(trajectories)} conversations with {len(answers)} replies, of which {erroneous} were judged erroneous."
    )
    assert expected in body
    in_all = sum(turn.place_error for turn in answers)
    [row] = [line for line in body.splitlines() if line.startswith("| place errors |")]
    assert row.split("|")[2].strip() == f"{in_all / len(trajectories):.1f}" and row.endswith(f"| {in_all} |")
    for domain in {t.domain for t in trajectories}:
        assert f"| {domain} | {sum(t.domain == domain for t in trajectories)} |" in body
    assert f"| teacher | embedded ({len(trajectories)} conversations) |" in body
    seeds = [t.seed for t in trajectories]
    assert f"| seeds | {len(set(seeds))} different, from {min(seeds)} to {max(seeds)} |" in body


def test_names_cannot_break_its_tables(three_turns, tmp_path):
    odd = three_turns.model_copy(update={"domain": "a|b\n# c", "teacher": "{{ 7 * 7 }}"})
    text = write_card(tmp_path, [odd], **NAMES).read_text()
    assert "| a\\|b # c | 1 |" in text and "| teacher | {{ 7 * 7 }} (1 conversations) |" in text


def test_nothing_to_describe(tmp_path):
    with pytest.raises(ValueError, match="no trajectories"):
        write_card(tmp_path, [], **NAMES)
