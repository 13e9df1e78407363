"""What a folder was made with is kept in it, and a change is told, never silent."""

from agentrefine_lib.schema import keep_settings


def test_a_change_is_told_where_something_is_there_and_nothing_is_touched(tmp_path, caplog):
    folder, other = tmp_path / "episodes", tmp_path / "ladder"
    keep_settings({"limits": {"steps": 2}, "panel": (1, 2)}, folder, other)
    (folder / "random.jsonl").write_text("{}\n")
    (folder / "none.jsonl").touch()
    keep_settings({"limits": {"steps": 2}, "panel": [1, 2]}, folder, other)  # as a file has it
    assert not caplog.records
    keep_settings({"limits": {"steps": 6}, "panel": [1, 2]}, folder, other)
    (told,) = caplog.messages  # in the other folder nothing is there yet
    assert told.startswith(f"{folder}: made with limits={{'steps': 2}}, now {{'steps': 6}}. What is there stays")
    keep_settings({"limits": {"steps": 6}, "panel": [1, 2]}, other)
    assert len(caplog.messages) == 1
