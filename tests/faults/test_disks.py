"""Disks that are full or cannot be written, lines that a kill or a disk has spoilt, clocks that jump, second runs."""

import errno
import os

import pytest

from agentrefine_lib.dataset import read_conversations, write_conversations
from agentrefine_lib.schema import SchemaError, file_lock
from agentrefine_lib.tuning.train import last_checkpoint

ROOM = {"synthesis": 100_000, "rollouts": 12_000, "dataset": 8_000, "training": 25_000_000}  # bytes: for a part of it


def told(error):
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("synthesis", marks=pytest.mark.fault("synthesis", "full disk", "file and way out named; goes on")),
        pytest.param("rollouts", marks=pytest.mark.fault("rollouts", "full disk", "file and way out named; goes on")),
        pytest.param("dataset", marks=pytest.mark.fault("dataset", "full disk", "no half file stays; written again")),
        pytest.param("training", marks=pytest.mark.fault("training", "full disk", "goes on from the last checkpoint")),
    ],
)
def test_a_full_disk_is_told_and_the_next_run_goes_on(operations, undisturbed, disk, name):
    operation, whole = operations[name], undisturbed(name)
    folder = disk.path / "run"
    disk.leave(ROOM[name])
    with pytest.raises(Exception) as caught:
        operation.run(folder)
    assert str(folder) in told(caught.value) and "run the same" in told(caught.value)
    assert name == "training" or caught.value.errno == errno.ENOSPC
    kept = (folder / operation.file).read_bytes() if name in ("synthesis", "rollouts") else b""
    finished = kept[: kept.rfind(b"\n") + 1].splitlines()
    assert finished or name in ("dataset", "training")
    assert name != "dataset" or list(folder.iterdir()) == []
    assert name != "training" or last_checkpoint(folder) == str(folder / "checkpoint-4")
    disk.make_room()
    operation.run(folder)
    assert operation.result(folder) == whole
    assert set(finished) <= set((folder / operation.file).read_bytes().splitlines())


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("synthesis", marks=pytest.mark.fault("synthesis", "read-only output", "file and reason named")),
        pytest.param("rollouts", marks=pytest.mark.fault("rollouts", "read-only output", "file and reason named")),
        pytest.param("dataset", marks=pytest.mark.fault("dataset", "read-only output", "file and reason named")),
        pytest.param("training", marks=pytest.mark.fault("training", "read-only output", "file and reason named")),
    ],
)
def test_an_output_that_cannot_be_written_is_told(operations, disk, name):
    disk.mount("remount", "ro")
    with pytest.raises(OSError, match=f"Read-only file system: '{disk.path}/run") as caught:
        operations[name].run(disk.path / "run")
    assert "Fix the disk, then run the same again" in told(caught.value)


def test_what_is_finished_can_be_used_from_a_read_only_disk(operations, undisturbed, disk):
    operations["training"].run(disk.path)
    disk.mount("remount", "ro")
    operations["training"].run(disk.path)
    assert operations["training"].result(disk.path) == undisturbed("training")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("synthesis", marks=pytest.mark.fault("synthesis", "half a last line", "made again")),
        pytest.param("rollouts", marks=pytest.mark.fault("rollouts", "half a last line", "made again")),
    ],
)
def test_half_a_last_line_is_made_again(operations, undisturbed, tmp_path, name):
    operations[name].run(tmp_path)
    file = tmp_path / operations[name].file
    os.truncate(file, file.stat().st_size - 100)
    operations[name].run(tmp_path)
    assert operations[name].result(tmp_path) == undisturbed(name)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            "synthesis", marks=pytest.mark.fault("synthesis", "garbage in the last line", "line named; goes on")
        ),
        pytest.param(
            "rollouts", marks=pytest.mark.fault("rollouts", "garbage in the last line", "line named; goes on")
        ),
    ],
)
@pytest.mark.parametrize("garbage", [b"\0" * 512, b'\xff\xfe{"id', b"[" * 100_000], ids=["NUL", "no UTF-8", "deep"])
def test_a_garbage_line_is_named_and_can_be_deleted(operations, undisturbed, tmp_path, name, garbage):
    operations[name].run(tmp_path)
    file = tmp_path / operations[name].file
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:-1], garbage + b"\n"]))
    for _ in range(2):
        with pytest.raises(SchemaError, match=rf"{file.name}:{len(lines)}: not a .*; delete this line and run again"):
            operations[name].run(tmp_path)
    file.write_bytes(b"".join(lines[:-1]))
    operations[name].run(tmp_path)
    assert operations[name].result(tmp_path) == undisturbed(name)


def test_a_garbage_rejection_locks_no_other_file(operations, tmp_path):
    operations["synthesis"].run(tmp_path)
    file = tmp_path / "rejections.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + b"{]\n")
    with pytest.raises(SchemaError, match="delete this line") as told:
        operations["synthesis"].run(tmp_path)
    file.write_bytes(whole)
    operations["synthesis"].run(tmp_path)  # while the error and its frames live, as in a notebook
    assert told.value


@pytest.mark.fault("dataset", "half a last line", "refused with file and line")
@pytest.mark.fault("dataset", "garbage in the last line", "refused with file and line")
@pytest.mark.fault("dataset", "truncated Parquet", "refused with the file's name, whatever is missing")
def test_a_spoilt_data_set_is_refused_with_its_name(conversations, tmp_path):
    for name in ("c.jsonl", "c.parquet"):
        write_conversations(tmp_path / name, conversations)
    rows, parquet = (tmp_path / "c.jsonl").read_bytes(), (tmp_path / "c.parquet").read_bytes()
    for spoilt in (rows[:-100], rows + b"\0\xff\n"):
        (tmp_path / "c.jsonl").write_bytes(spoilt)
        number = len(conversations) + spoilt.endswith(b"\n")
        with pytest.raises(SchemaError, match=rf"c\.jsonl:{number}: no JSON"):
            list(read_conversations(tmp_path / "c.jsonl"))
    for size in (0, 3, 4, 100, len(parquet) // 2, len(parquet) - 9, len(parquet) - 1):
        (tmp_path / "c.parquet").write_bytes(parquet[:size])
        with pytest.raises(SchemaError, match=r"c\.parquet: not a whole Parquet file"):
            list(read_conversations(tmp_path / "c.parquet"))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("synthesis", marks=pytest.mark.fault("synthesis", "two runs at once", "the second is refused")),
        pytest.param("rollouts", marks=pytest.mark.fault("rollouts", "two runs at once", "the second is refused")),
    ],
)
def test_a_file_that_another_run_is_writing_is_refused(operations, undisturbed, tmp_path, name):
    with (
        file_lock(tmp_path / operations[name].file),
        pytest.raises(SchemaError, match="another run is writing this file"),
    ):
        operations[name].run(tmp_path)
    operations[name].run(tmp_path)
    assert operations[name].result(tmp_path) == undisturbed(name)


@pytest.mark.fault("dataset", "two runs at once", "the second is refused, the first one's file is whole")
def test_a_second_writer_does_not_mix_its_rows_into_the_first_ones(conversations, tmp_path):
    path = tmp_path / "c.jsonl"

    def interrupted():
        yield from conversations[:5]
        with pytest.raises(SchemaError, match=r"c\.jsonl\.part: another run is writing this file"):
            write_conversations(path, conversations)
        yield from conversations[5:]

    write_conversations(path, interrupted())
    assert list(read_conversations(path)) == conversations


@pytest.mark.fault("training", "two runs at once", "the second is refused, the first goes on undisturbed")
def test_a_folder_in_which_another_run_trains_is_refused(operations, undisturbed, tmp_path, at_step):
    def again():
        with pytest.raises(SchemaError, match=r"job\.json: another run is writing"):
            operations["training"].run(tmp_path)

    at_step(6, again)
    operations["training"].run(tmp_path)
    assert operations["training"].result(tmp_path) == undisturbed("training")


LONG_AGO, FAR_AHEAD = 86_400, 4_000_000_000  # seconds of the epoch: 1970 and 2096


@pytest.mark.parametrize("when", [LONG_AGO, FAR_AHEAD])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("synthesis", marks=pytest.mark.fault("synthesis", "clock jump", "no time stamp counts")),
        pytest.param("rollouts", marks=pytest.mark.fault("rollouts", "clock jump", "no time stamp counts")),
    ],
)
def test_a_run_goes_on_whatever_its_files_say_about_the_time(operations, undisturbed, tmp_path, name, when):
    operations[name].run(tmp_path)
    file = tmp_path / operations[name].file
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:3]))
    os.utime(file, (when, when))
    operations[name].run(tmp_path)
    assert operations[name].result(tmp_path) == undisturbed(name)


@pytest.mark.parametrize("when", [LONG_AGO, FAR_AHEAD])
@pytest.mark.fault("training", "clock jump", "the newest checkpoint is kept and continued, by its number")
def test_a_clock_that_jumps_costs_no_checkpoint(operations, undisturbed, tmp_path, at_step, when):
    class PowerError(Exception):
        pass

    def jump():
        for path in tmp_path.glob("checkpoint-*"):
            os.utime(path, (when, when))

    def die():
        raise PowerError

    at_step(6, jump)
    at_step(9, die)
    with pytest.raises(PowerError):
        operations["training"].run(tmp_path)
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-8")
    operations["training"].run(tmp_path)
    assert operations["training"].result(tmp_path) == undisturbed("training")
