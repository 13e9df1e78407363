"""A person labels turns: what is asked, what is kept, and the paper's figure 10 from it. Labels are never made up."""

from pathlib import Path

import pandas as pd

from agentrefine_lib.plots import OURS, PAPER, agreement_table, label_table
from agentrefine_lib.plots.tables import NO_LABELS
from agentrefine_lib.schema import exchanges
from agentrefine_lib.verify.judge import read_labels, turns_to_label, two_by_two
from agentrefine_lib.viewers import LabelTurns

REPORTED = pd.read_csv(Path(__file__).parents[2] / "params" / "reported.csv")
JUDGE = dict.fromkeys(("agreement", "agreement_low", "agreement_high", "kappa", "turns"), 0.5)


def figure_10(people):
    return agreement_table(JUDGE, "reader", REPORTED, people)


def test_without_labels_there_are_the_papers_alone():
    table = figure_10({})
    assert table[(table["source"] == OURS) & table["labels"].notna()][["labels", "turns"]].fillna(
        -1
    ).values.tolist() == [["no labels", -1]]
    shown = label_table(table)
    assert shown.loc[(PAPER, "GPT-4 wrong")].to_dict() == {"human right": 9, "human wrong": 41}
    assert list(shown.index) == [(OURS, NO_LABELS), (PAPER, "GPT-4 right"), (PAPER, "GPT-4 wrong")]


def test_a_persons_labels_become_a_table_and_travel_in_files(trajectories, tmp_path):
    path = tmp_path / "labels.jsonl"
    asked = turns_to_label(trajectories, 5, 0)
    flags = {(t.id, a.turn): answer.is_error for t in trajectories for a, answer in exchanges(t.turns)}
    assert len(asked) == 10 and sum(flags[t.id, turn] for t, turn in asked) == 5
    view = LabelTurns(trajectories, path, count=5)
    trajectory, turn = asked[0]
    assert trajectory.turns[turn + 1].observation not in view._page.body  # the answer to the turn that is asked about
    for number in range(10):
        view.label(number == 0 or flags[asked[number][0].id, asked[number][1]])
    view._at = 1
    view.label(True)  # another opinion on the second
    counts = two_by_two(trajectories, read_labels(path))
    assert sum(counts.values()) == 10 and counts["DM wrong, human right"] == 0
    assert counts["DM right, human wrong"] == sum(not flags[t.id, turn] for t, turn in asked[:2])
    assert label_table(figure_10(counts)).loc[(OURS, "DM wrong"), "human wrong"] == 5
    view.export_labels(tmp_path / "mine.jsonl")
    other = LabelTurns(trajectories, tmp_path / "other.jsonl", count=5)
    other.import_labels(tmp_path / "no.jsonl")
    assert "nothing was read" in other._status.body
    other.export_labels("")
    assert "the name of a file" in other._status.body
    other.import_labels(tmp_path / "mine.jsonl")
    assert read_labels(tmp_path / "other.jsonl") == read_labels(path)
    assert "10 labelled" in other._status.body
