"""Whole files of trajectories, over processes: the same verdicts in the same order, and no line ends it."""

import json

import pytest

from agentrefine_lib.schema import SchemaError
from agentrefine_lib.verify import check_trajectories
from agentrefine_lib.verify.batch import CHUNK


@pytest.fixture(scope="module")
def file(tmp_path_factory, trajectories):
    """Four chunks of good plays; every tenth line is bad in one of three ways."""
    path = tmp_path_factory.mktemp("batch") / "t.jsonl"
    with open(path, "w") as out:
        for number in range(4 * CHUNK):
            record = json.loads(trajectories[number % len(trajectories)].to_json()) | {"id": f"n{number}"}
            if number % 30 == 0:
                record["trajectory"] = record["trajectory"][:-1]
            if number % 30 == 10:
                record["script"]["Goal"] = ""
            out.write("{\n" if number % 30 == 20 else json.dumps(record) + "\n")
    return path


@pytest.mark.fault("verification", "garbage in the last line", "the line gets a verdict, wherever it stands")
def test_one_verdict_a_line_in_order(file):
    verdicts = list(check_trajectories(file, processes=1))
    assert [v.line for v in verdicts] == list(range(1, 4 * CHUNK + 1))
    for number, verdict in enumerate(verdicts):
        reason = {0: "goal_not_reached", 10: "script_malformed", 20: "record_malformed"}.get(number % 30)
        assert (verdict.finding and verdict.finding.reason) == reason
        assert verdict.id == ("" if number % 30 == 20 else f"n{number}")


def test_processes_change_nothing(file):
    assert list(check_trajectories(file, processes=2)) == list(check_trajectories(file, processes=1))


def test_the_bound_on_refinements_is_passed_on(file):
    strict = [v.finding for v in check_trajectories(file, processes=2, min_refinements=99)]
    assert strict[1].reason == "too_few_refinements"


@pytest.mark.fault("verification", "half a last line", "the line gets a verdict, the others theirs")
def test_half_a_last_line_is_no_record(file, tmp_path):
    (tmp_path / "t.jsonl").write_bytes(file.read_bytes()[:-100])
    *others, last = check_trajectories(tmp_path / "t.jsonl", processes=1)
    assert last.finding.reason == "record_malformed"
    assert others == list(check_trajectories(file, processes=1))[:-1]


def test_a_reader_may_stop_early(file):
    verdicts = check_trajectories(file, processes=2)
    assert next(verdicts).line == 1
    verdicts.close()


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SchemaError, match="no such file"):
        next(check_trajectories(tmp_path / "none.jsonl"))
