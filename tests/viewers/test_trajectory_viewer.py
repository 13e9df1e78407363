"""Paging through files: facts, filters, search, notes and exports agree with the records themselves."""

import json

import pytest

from agentrefine_lib.schema import COMPLETED, SchemaError, Trajectory, read_jsonl, write_jsonl
from agentrefine_lib.verify import check_turns
from agentrefine_lib.viewers import Index, TrajectoryViewer
from agentrefine_lib.viewers.play import as_play
from agentrefine_lib.viewers.render import _differing


@pytest.fixture
def path(trajectories, tmp_path):
    write_jsonl(tmp_path / "trajectories.jsonl", trajectories)
    return tmp_path / "trajectories.jsonl"


def ids(viewer):
    """What the list of a viewer shows."""
    said = []
    viewer.send = said.append
    viewer._on_message(viewer, {"rows": [0, 10_000], "version": viewer.version}, [])
    return [row["title"] for row in said[0]["rows"]]


def test_the_facts_of_the_index_are_those_of_the_records(path, trajectories):
    for entry, trajectory in zip(Index(path).entries, trajectories, strict=True):
        play = as_play(trajectory)
        assert (entry.id, entry.outcome, entry.refinements) == (play.id, play.outcome, play.refinements)
        assert (entry.errors, entry.length) == (play.errors, len(play.exchanges))


def test_filters_leave_what_they_say(path, trajectories, tmp_path):
    viewer = TrajectoryViewer(path, out=tmp_path)
    assert viewer.count == len(trajectories)
    domain = trajectories[0].domain
    viewer.filters = {"engine": domain, "error": "logic error", "longest": 14}
    wanted = [
        t.id
        for t in trajectories
        if t.domain == domain
        and any(getattr(turn, "logic_error", False) for turn in t.turns)
        and sum(turn.role == "Player" for turn in t.turns) <= 14
    ]
    assert 0 < len(wanted) < len(trajectories)
    assert ids(viewer) == wanted
    viewer.filters = {"engine": "no such"}
    assert viewer.count == 0
    assert "No record" in viewer.body


@pytest.mark.parametrize("words", ["RAISES", 'say "hi"', "parameter", "naïve"])
def test_search_reads_texts_and_not_the_names_of_fields(path, trajectories, words, tmp_path):
    odd = trajectories[3].turns[1].model_copy(update={"thought": f'It raises: say "hi", Naïve {words}'})
    changed = trajectories[3].model_copy(update={"turns": [trajectories[3].turns[0], odd, *trajectories[3].turns[2:]]})
    viewer = TrajectoryViewer([*trajectories[:3], changed], out=tmp_path)
    viewer.filters = {"search": words}
    assert trajectories[3].id in ids(viewer)
    assert viewer.count < 4


def test_what_the_filters_leave_is_sorted_and_summed_up(trajectories, tmp_path):
    viewer = TrajectoryViewer(trajectories[:9], out=tmp_path)
    viewer.filters = {"sort": "most errors"}
    errors = {t.id: len(as_play(t).errors) for t in trajectories[:9]}
    assert ids(viewer) == sorted(errors, key=lambda name: -errors[name])  # equal ones as they were
    mended = sum(as_play(t).refinements for t in trajectories[:9])
    told = f"{sum(errors.values()) / 9:.1f} errors each · {100 * mended / sum(errors.values()):.0f} % corrected"
    assert viewer.status == f"9 of 9 records · 9 succeeded (100 %) · {told}"
    assert viewer.choices["sort"] == ["most actions", "most errors", "most corrected"]  # no progress in these
    viewer.show(trajectories[4].id)
    assert viewer.selected == 4 and viewer.note["id"] == trajectories[4].id
    with pytest.raises(ValueError, match="found no record 'nobody'"):
        viewer.show("nobody")


def test_a_record_is_there_as_json_with_its_place(path, tmp_path):
    viewer = TrajectoryViewer(path, out=tmp_path)
    assert f"as JSON: {path}:1" in viewer.body and "&quot;trajectory&quot;: [" in viewer.body


def test_where_two_episodes_part_words_are_marked():
    told = _differing("go to the red ball", "go to a ball")
    assert told == "go to <mark>the red</mark> ball"
    assert _differing("<b>", "x") == "<mark>&lt;b&gt;</mark>"


def test_the_next_error_is_in_a_later_record(path, trajectories, tmp_path):
    clean = trajectories[0].model_copy(update={"id": "clean", "turns": trajectories[0].turns[:1]})
    viewer = TrajectoryViewer([trajectories[0], clean, clean, trajectories[1]], out=tmp_path)
    viewer._on_message(viewer, {"next_error": 0}, [])
    assert viewer.selected == 3
    viewer._on_message(viewer, {"next_error": 3}, [])
    assert viewer.status == "no later record holds an error"
    viewer._on_message(viewer, {"previous_error": 3}, [])
    assert viewer.selected == 0
    viewer._on_message(viewer, {"previous_error": 0}, [])
    assert viewer.status == "no earlier record holds an error"


def test_notes_outlive_the_viewer(path, tmp_path):
    viewer = TrajectoryViewer(path, out=tmp_path / "notes")
    viewer.selected = 2
    viewer.save_note("first", ["odd"])
    viewer.save_note("again", [" odd ", "", "loop"])
    again = TrajectoryViewer(path, out=tmp_path / "notes")
    assert again.note["note"] == ""
    again.selected = 2
    assert again.note == {"id": "t-0002", "note": "again", "tags": ["odd", "loop"]}
    assert again.status.endswith(" · 1 noted")
    again.filters = {"noted": "with a note"}
    assert ids(again) == ["t-0002"]


ENDS = "\u2028 \u2029 \x85 \v \f \x1c \x1d \x1e \r \n \ud83d"  # of a line, to Python; and what no file can hold


def test_no_note_and_no_kill_shuts_a_viewer_for_ever(path, tmp_path):
    viewer = TrajectoryViewer(path, out=tmp_path)
    viewer.save_note(ENDS, [ENDS])
    notes = tmp_path / "notes.jsonl"
    for half in (b'{"id": "t-0001", "note": "ha', b"\n\n", notes.read_bytes().rstrip(b"\n")):
        notes.write_bytes(notes.read_bytes() + half)
        viewer = TrajectoryViewer(path, out=tmp_path)
        assert viewer.note["note"] == ENDS.replace("\ud83d", "?")
        viewer.save_note("more", [], "t-0002")
        assert TrajectoryViewer(path, out=tmp_path)._notes["t-0002"].note == "more"
    notes.write_bytes(b"garbage\n" + notes.read_bytes())
    with pytest.raises(SchemaError, match=r"notes.jsonl:1: not a Note"):
        TrajectoryViewer(path, out=tmp_path)


@pytest.mark.parametrize(
    ("said", "flags", "won"),
    [
        ("Done. {} You may rest now.", {}, True),
        ("Done. {}", {}, True),
        ("Done. {}", {"logic_error": True}, False),
        ("Done. the task is completed", {}, False),
    ],
)
def test_a_play_has_ended_where_the_rules_say_so(trajectories, said, flags, won):
    last = trajectories[0].turns[-1].model_copy(update={"observation": said.format(COMPLETED), **flags})
    play = trajectories[0].model_copy(update={"turns": [*trajectories[0].turns[:-1], last]})
    assert (check_turns(play.script, play.turns) is None) == won
    assert as_play(play).outcome == Index([play]).entries[0].outcome == ("success" if won else "no success")
    cut = play.model_copy(update={"turns": play.turns[:-1]})
    opening = play.model_copy(update={"turns": [last]})
    assert (
        {as_play(t).outcome for t in (cut, opening)}
        == {e.outcome for e in Index([cut, opening]).entries}
        == {"no success"}
    )


def test_exports_hold_what_is_ticked_or_what_is_left(path, trajectories, tmp_path):
    viewer = TrajectoryViewer(path, out=tmp_path / "out")
    viewer.filters = {"shortest": 12}
    assert [t.id for t in read_jsonl(viewer.export("jsonl"), Trajectory)] == ids(viewer)
    viewer.ticked = [5, 1]
    assert list(read_jsonl(viewer.export("jsonl"), Trajectory)) == [trajectories[1], trajectories[5]]
    html = viewer.export("html").read_text()
    assert trajectories[5].id in html
    assert "http" not in html  # opens from disk, asks nobody
    with pytest.raises(ValueError, match="expected jsonl or html"):
        viewer.export("pdf")


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"id": "a", "trajectory": [{}]}', '{"id": "a", "steps": [3]}'])
def test_a_line_that_is_no_record_is_named(path, line):
    with open(path, "a") as out:
        out.write(line + "\n")
    with pytest.raises(SchemaError, match=r"trajectories.jsonl:61"):
        Index(path)


def test_a_folder_may_hold_other_things_but_nothing_broken(path):
    (path.parent / "rejections.jsonl").write_text('{"id": "a", "reason": "goal_not_reached"}\n')
    (path.parent / "empty.jsonl").write_text("")
    assert len(Index(path.parent)) == 60
    (path.parent / "broken.jsonl").write_text('{"id": \n{"id": "a"}\n')
    with pytest.raises(SchemaError, match=r"broken.jsonl:1: no JSON"):
        Index(path.parent)
    path.unlink()
    (path.parent / "broken.jsonl").unlink()
    (path.parent / "empty.jsonl").unlink()
    with pytest.raises(SchemaError, match=r"rejections.jsonl:1: found none of the fields"):
        Index(path.parent)


def test_a_record_is_checked_when_it_is_looked_at(path):
    lines = path.read_text().splitlines()
    broken = json.loads(lines[4]) | {"seed": "three"}
    path.write_text("\n".join([*lines[:4], json.dumps(broken), *lines[5:]]) + "\n")
    index = Index(path)
    with pytest.raises(SchemaError, match=r"trajectories.jsonl:5: not a Trajectory: field seed"):
        index.record(4)


def test_a_line_being_written_is_left_for_later(path):
    with open(path, "a") as out:
        out.write('{"id": "unfini')
    assert len(Index(path)) == 60


def test_a_last_line_that_only_lacks_its_end_counts(path):
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert len(Index(path)) == 60
