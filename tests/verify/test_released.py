"""Files in the released format: each flaw is found, counted and named; only an unreadable file ends the check."""

import json
import subprocess
import sys
import tracemalloc
from typing import get_args

import pytest

from agentrefine_lib.dataset import to_conversation, write_conversations
from agentrefine_lib.schema import Conversation, SchemaError, write_jsonl
from agentrefine_lib.verify import check_file, limits
from agentrefine_lib.verify.released import Kind

ASK = {"from": "human", "value": "Goal: x.\n\nObservation: y.", "loss": None}
SAY = {"from": "gpt", "value": "Thought: t\nAction: take cup", "loss": True}


def row(number, *messages):
    return {"id": f"r{number}", "conversations": list(messages)}


BAD_ROWS = {  # kind → row and the field that the report names
    "row_malformed": ({"id": 3, "conversations": [ASK, SAY]}, "id"),
    "first_not_human": (row(1, SAY), "conversations.0.from"),
    "last_not_gpt": (row(2, ASK, SAY, ASK), "conversations.2.from"),
    "roles_not_alternating": (row(3, ASK, ASK, SAY), "conversations.1.from"),
    "value_empty": (row(4, ASK, SAY, ASK | {"value": " \n"}, SAY), "conversations.2.value"),
    "reply_not_react": (row(5, ASK, SAY | {"value": "take cup"}), "conversations.1.value"),
    "loss_on_human": (row(6, ASK | {"loss": False}, SAY), "conversations.0.loss"),
    "all_masked": (row(7, ASK, SAY | {"loss": False}), "conversations"),
    "character_unfit": (row(8, ASK | {"value": "a\u202eb"}, SAY), "conversations.0.value"),
    "special_token": (row(9, ASK, SAY | {"value": SAY["value"] + "<|im_end|>"}), "conversations.1.value"),
    "id_duplicate": (row(0, ASK, SAY), "id"),
}


@pytest.mark.parametrize("kind", BAD_ROWS)
def test_each_flaw_alone(tmp_path, kind):
    bad, field = BAD_ROWS[kind]
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps(row(0, ASK, SAY)) + "\n\n" + json.dumps(bad) + "\n")
    report = check_file(path)
    assert report.flaws == {kind: 1} and [(e.row, e.field) for e in report.examples] == [(3, field)]
    assert report.counts["rows"] == 2 and not report.ok


def test_all_flaws_together_in_both_formats(tmp_path, monkeypatch):
    for module in ("schema.jsonl", "verify.rows"):
        monkeypatch.setattr(f"agentrefine_lib.{module}.MAX_LINE_BYTES", 2_000)
    good = row(0, ASK, SAY, ASK, SAY | {"loss": False}, ASK, SAY | {"loss": None})
    lines = [json.dumps(good), *(json.dumps(bad) for bad, _ in BAD_ROWS.values()), "{", '"\\ud800"', "[" * 999]
    (tmp_path / "c.jsonl").write_bytes("\n".join([*lines, "x" * 9_000, json.dumps(row(99, ASK, SAY))]).encode())
    report = check_file(tmp_path / "c.jsonl")
    assert report.flaws == dict.fromkeys(get_args(Kind), 1) | {"row_malformed": 4}
    assert [report.counts[name] for name in ("rows", "trained", "masked", "unmarked")] == [17, 12, 2, 1]
    assert list(report.flaws) == list(get_args(Kind))
    assert "row_malformed: 4" in str(report) and f"row {len(lines) + 1}, row: over 2000 bytes" in str(report)

    rows = [Conversation.model_validate(bad) for kind, (bad, _) in BAD_ROWS.items() if kind != "row_malformed"]
    write_conversations(tmp_path / "c.parquet", [Conversation.model_validate(good), *rows])
    parquet = check_file(tmp_path / "c.parquet").flaws
    assert parquet == dict.fromkeys(parquet, 1) and set(parquet) == set(BAD_ROWS) - {"row_malformed"}


def test_columns_of_another_type_are_malformed_rows(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    flags_as_text = [{**message, "loss": str(message["loss"])} for message in (ASK, SAY)]
    pq.write_table(pa.Table.from_pylist([row(0, *flags_as_text), {"id": "r1"}]), tmp_path / "c.parquet")
    report = check_file(tmp_path / "c.parquet")
    assert report.flaws == {"row_malformed": 2} and report.examples[0].field == "conversations.0.loss"


def test_our_own_data_is_fine(trajectories, tmp_path):
    write_jsonl(tmp_path / "c.jsonl", map(to_conversation, trajectories))
    report = check_file(tmp_path / "c.jsonl")
    assert report.ok and report.counts["rows"] == len(trajectories)
    assert report.counts["masked"] > 0 == report.counts["unmarked"]


@pytest.mark.fault("verification", "truncated Parquet", "refused with the file's name")
def test_unreadable_files_are_named(tmp_path):
    write_conversations(tmp_path / "c.parquet", [Conversation.model_validate(row(0, ASK, SAY))] * 50)
    whole = (tmp_path / "c.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[:-20])
    (tmp_path / "empty.parquet").write_bytes(b"")
    for name, said in {
        "": "is a folder",
        "none.jsonl": "no such file",
        "cut.parquet": "not a whole Parquet file",
        "empty.parquet": "not a whole Parquet file",
    }.items():
        with pytest.raises(SchemaError, match=said):
            check_file(tmp_path / name)


def test_memory_does_not_grow_with_the_file(tmp_path):
    def peak(rows):
        text = "x" * 20_000
        conversations = (Conversation.model_validate(row(n, ASK | {"value": text}, SAY)) for n in range(rows))
        write_jsonl(tmp_path / "c.jsonl", conversations)
        tracemalloc.start()
        check_file(tmp_path / "c.jsonl")
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    assert peak(1_000) - peak(50) < 1_000_000  # the file grows by 19 MB, and only the ids are kept


def test_the_command(tmp_path):
    def run(*arguments):
        command = [sys.executable, "-m", "agentrefine_lib.verify", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    (tmp_path / "good.jsonl").write_text(json.dumps(row(0, ASK, SAY)) + "\n")
    (tmp_path / "bad.jsonl").write_text(json.dumps(row(0, ASK, SAY | {"loss": False})) + "\n")
    (tmp_path / "nothing.jsonl").write_text("")
    good = run(tmp_path / "good.jsonl")
    assert (good.returncode, good.stderr) == (0, "") and "1 rows, 1 replies" in good.stdout
    bad = run(tmp_path, tmp_path / f"{'long' * 99}.jsonl", tmp_path / "bad.jsonl", tmp_path / "good.jsonl")
    assert (bad.returncode, bad.stderr) == (1, "")
    assert "is a folder" in bad.stdout and "File name too long" in bad.stdout
    assert "all_masked: 1" in bad.stdout and "good.jsonl: 1 rows" in bad.stdout
    assert run(tmp_path / "nothing.jsonl").returncode == 1
    trajectories = run("--trajectories", "--processes", 1, tmp_path / "good.jsonl")
    assert trajectories.returncode == 1 and "record_malformed: 1, first in line 1 (r0)" in trajectories.stdout


def test_limits_leave_room_for_the_embedded_teacher(trajectories):
    """Every limit is at least three times what good data needs."""
    for trajectory in trajectories:
        actions = trajectory.script.available_actions
        assert 3 * len(trajectory.turns) < limits.MAX_TURNS
        assert 3 * len(actions) < limits.MAX_ACTIONS
        assert 3 * len(trajectory.script.to_json()) < limits.MAX_SCRIPT_CHARS
        assert (
            3 * max(len(v) for spec in actions.values() for v in [[], *spec.parameters.values()]) < limits.MAX_CHOICES
        )


@pytest.mark.parametrize("token", ["<SYS>", "</SYS>", "<<SYS>>", "[/INST]", "<eos>", "<｜end▁of▁sentence｜>"])
def test_every_familys_special_tokens_are_found(tmp_path, token):
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps(row(1, ASK, SAY | {"value": SAY["value"] + token})) + "\n")
    assert check_file(path).flaws.get("special_token") == 1
