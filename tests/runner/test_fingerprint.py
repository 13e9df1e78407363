"""What a notebook depends on, and each way of being stale in words; no kernel is started here."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from agentrefine_lib.runner import State, judge, library_files, load_profile, repository
from agentrefine_lib.runner.attempt import NotebookFailedError, refuse_unwritten, stamps
from agentrefine_lib.runner.fingerprint import Digests, fingerprint, where_they_part


def pretend_done(suite, status: str = "done") -> None:
    """Leave the outputs and states behind that a finished run leaves."""
    suite.write("runs/tiny/log.txt", "4\n")
    suite.write("runs/tiny/figures/fig.csv", "4\n")
    profile = load_profile("tiny", suite.root)
    for notebook in profile.notebooks:
        digests = Digests(profile)
        State(
            status=status,
            fingerprint=judge(notebook, profile, digests).now,
            given=notebook.given,
            defaulted=notebook.defaulted,
            commit=None,
            dirty=None,
            started="2025-01-01T00:00:00+00:00",
            resumed=False,
            outputs=digests.of_all(notebook.outputs),
        ).save(profile, notebook)


def reasons(suite, *overrides: str) -> list[list[str]]:
    profile = load_profile("tiny", suite.root, overrides)
    return [judge(notebook, profile, Digests(profile)).reasons for notebook in profile.notebooks]


def test_nothing_changed(suite):
    assert reasons(suite) == [["never ran"], ["never ran"]]
    pretend_done(suite)
    assert reasons(suite) == [[], []]
    assert suite.run("--why") == (0, "01_count is up to date\n02_draw is up to date\n")


def test_every_kind_of_change_is_told_in_words(suite):
    suite.write("agentrefine_lib/__init__.py", "")
    suite.write("agentrefine_lib/mask.py", "WEIGHT = 1\n")
    suite.notebook("02_draw", "width: float = 2.5", "from agentrefine_lib.mask import WEIGHT")
    pretend_done(suite)
    suite.write("agentrefine_lib/mask.py", "from agentrefine_lib.other import WEIGHT\n")
    suite.write("agentrefine_lib/other.py", "WEIGHT = 2\n")
    suite.write("runs/tiny/log.txt", "5\n")
    (suite.figures / "fig.csv").unlink()
    suite.write("constraints.txt", "papermill==2.7.1\n")
    suite.notebook("02_draw", "width: float = 2.5\ncolour: str = 'red'", "from agentrefine_lib.mask import WEIGHT")
    assert reasons(suite, "n_items=100", "width=3") == [
        [
            "parameter n_items changed from 4 to 100",
            "constraints.txt changed",
            "output runs/tiny/log.txt was changed by something else",
        ],
        [
            "parameter colour is new",
            "parameter width changed from 2.5 to 3.0",
            "agentrefine_lib/mask.py changed",
            "agentrefine_lib/other.py is now imported",
            "input runs/tiny/log.txt changed",
            "constraints.txt changed",
            "the notebook itself changed",
            "output runs/tiny/figures/fig.csv is missing",
        ],
    ]


def test_a_released_adapter_is_an_input(suite):
    header = "models: dict[str, dict] = {'ours': {'seeds': [0], 'released': 'params/adapters'}}"
    suite.notebook("02_draw", header, "print(models)")
    suite.write("params/adapters/ours-0/adapter_config.json", "{}")
    pretend_done(suite)
    assert reasons(suite)[1] == []
    suite.write("params/adapters/ours-0/adapter_config.json", '{"r": 8}')
    assert reasons(suite)[1] == ["input params/adapters/ours-0/adapter_config.json changed"]


def test_files_and_folders_that_a_value_names_are_inputs(suite):
    suite.notebook("02_draw", "files: dict = {}\nother_runs: dict[str, str] = {}\ntext: str = ''", "print(files)")
    suite.write("mine.jsonl", "1")
    suite.write("runs/other/episodes/a.jsonl", "1")
    text = f"text: {'long ' * 999}\n"
    suite.profile("files: {ours: {path: mine.jsonl, drop: ''}}\nother_runs: {other: runs/other}\n" + text)
    pretend_done(suite)
    assert reasons(suite)[1] == []
    suite.write("mine.jsonl", "2")
    suite.write("runs/other/episodes/a.jsonl", "2")
    assert reasons(suite)[1] == ["input mine.jsonl changed", "input runs/other/episodes/a.jsonl changed"]


@pytest.mark.parametrize("text", ["", ".", "..", "/", "runs", "runs/tiny", "runs/tiny/figures", "runs/tiny/log.txt"])
def test_what_a_run_writes_and_what_it_lies_in_are_no_inputs_by_value(suite, text: str):
    suite.notebook("01_count", "run_dir: str = 'runs/x'\nfiles: list[str] = []", "print(files)")
    suite.profile(f"files: ['{text}']\n")
    pretend_done(suite)
    profile = load_profile("tiny", suite.root)
    assert fingerprint(profile.notebooks[0], profile, Digests(profile)).inputs == {}


def test_the_plan_says_what_follows_from_what(suite):
    pretend_done(suite)
    printed = suite.run("--why", "-p", "n_items=5")[1].splitlines()
    assert printed == [
        "01_count is stale: parameter n_items changed from 4 to 5",
        "02_draw is stale: input runs/tiny/log.txt may change: 01_count runs first",
    ]


def test_outputs_and_metadata_of_a_notebook_do_not_count(suite):
    pretend_done(suite)
    file = suite.root / "notebooks/01_count.ipynb"
    file.write_text(file.read_text().replace('"outputs": []', '"outputs": [], "id": "other"'))
    assert reasons(suite) == [[], []]


def test_only_outputs_of_the_same_parts_are_resumed_from(suite):
    def resumable(*overrides: str, force: bool = False) -> bool:
        profile = load_profile("tiny", suite.root, overrides)
        return judge(profile.notebooks[0], profile, Digests(profile), force).resumable

    suite.write("runs/tiny/log.txt", "of unknown origin\n")
    assert not resumable()
    pretend_done(suite, status="running")
    assert reasons(suite)[0] == ["was interrupted"]
    assert resumable()
    assert not resumable("n_items=5")
    suite.write("runs/tiny/log.txt", "more of it\n")
    assert resumable()
    assert not resumable(force=True)
    pretend_done(suite, status="failed")
    assert reasons(suite)[0] == ["failed the last time"]
    suite.notebook("01_count", 'run_dir: str = "runs/x"\nn_items: int = 3\nseed: int = 7', "print('mended')")
    assert reasons(suite)[0] == ["failed the last time", "the notebook itself changed"]
    assert resumable()


def test_what_is_shown_of_episodes_may_change_without_playing_them_again(suite):
    suite.notebook("01_count", 'run_dir: str = "runs/x"\nn_items: int = 3\nseed: int = 7\ncase: list[str] = ["a", "b"]')
    pretend_done(suite)
    profile = load_profile("tiny", suite.root, ["case=[b, c]"])
    verdict = judge(profile.notebooks[0], profile, Digests(profile))
    assert verdict.reasons == ['parameter case changed from ["a", "b"] to ["b", "c"]']
    assert verdict.resumable and not verdict.kept


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(b"4", marks=pytest.mark.fault("reproduce", "half a last line", "output named, made anew")),
        pytest.param(
            b"4\n\0", marks=pytest.mark.fault("reproduce", "garbage in the last line", "output named, made anew")
        ),
        pytest.param(b"", marks=pytest.mark.fault("reproduce", "truncated Parquet", "output named, made anew")),
    ],
)
def test_an_output_that_was_spoilt_is_named_and_not_continued(suite, spoil):
    pretend_done(suite)
    (suite.run_dir / "log.txt").write_bytes(spoil)
    profile = load_profile("tiny", suite.root)
    verdict = judge(profile.notebooks[0], profile, Digests(profile))
    assert verdict.reasons == ["output runs/tiny/log.txt was changed by something else"]
    assert not verdict.resumable
    for name in ("01_count.json", "digests.json"):  # the runner's own notes
        (suite.run_dir / ".state" / name).write_bytes(b'{"status": "do')
    assert reasons(suite)[0] == ["never ran"]


@pytest.mark.parametrize("when", [86_400, 4_000_000_000])  # seconds of the epoch: 1970 and 2096
@pytest.mark.fault("reproduce", "clock jump", "what counts is content, and whether a time stamp is another")
def test_no_clock_is_trusted(suite, when):
    pretend_done(suite)
    log, profile = suite.run_dir / "log.txt", load_profile("tiny", suite.root)
    os.utime(log, (when, when))
    assert reasons(suite) == [[], []]
    before = stamps(profile.notebooks[0])
    with pytest.raises(NotebookFailedError, match=r"log\.txt was left untouched"):
        refuse_unwritten(profile.notebooks[0], profile, before)
    refuse_unwritten(profile.notebooks[0], profile, before, resumed=True)  # stopped when its data were whole
    os.utime(log, (when - 5, when - 5))  # written anew, after the clock was set back
    refuse_unwritten(profile.notebooks[0], profile, before)


def test_a_figure_that_was_touched_is_drawn_anew_from_what_is_there(suite):
    pretend_done(suite)
    suite.write("runs/tiny/figures/fig.csv", "edited")
    profile = load_profile("tiny", suite.root)
    verdict = judge(profile.notebooks[1], profile, Digests(profile))
    assert verdict.reasons == ["output runs/tiny/figures/fig.csv was changed by something else"]
    assert verdict.resumable


def test_imports_are_followed_through_magics_and_await(suite):
    for name in ("__init__", "a/__init__", "a/deep", "b", "c", "d", "e", "unused", "runner/__init__"):
        suite.write(f"agentrefine_lib/{name}.py", "")
    suite.write("agentrefine_lib/a/deep.py", "def late():\n    import torch\n    from agentrefine_lib.b import thing\n")
    suite.write("agentrefine_lib/a/templates/chat.jinja", "")
    suite.write("agentrefine_lib/data.json", "")
    cells = [
        "%matplotlib inline\nimport pandas as pd\nfrom agentrefine_lib.a import deep",
        "import agentrefine_lib.c\nfiles = !ls\nawait something()",
        "%%time\nfrom agentrefine_lib import d",
        "%%bash\nls agentrefine_lib; from agentrefine_lib import unused",
        "this is no python",
        "if True:\n    from agentrefine_lib.e import *\n    from agentrefine_lib.runner import workspace",
    ]
    found = [str(file.relative_to(suite.root / "agentrefine_lib")) for file in library_files(cells, suite.root)]
    assert found == [
        "__init__.py",
        "a/__init__.py",
        "a/deep.py",
        "a/templates/chat.jinja",
        "b.py",
        "c.py",
        "d.py",
        "data.json",
        "e.py",
    ]


PANEL = "panel: dict[str, dict[str, list[int]]] = {'babyai': {'Pickup': [0]}, 'arena': {'Chess': [0]}, 'by-hand': {}}"


def test_of_long_values_the_difference_is_shown():
    long = ", ".join(f"model_{number}: [0]" for number in range(9))
    before, after = where_they_part(long, long.replace("model_6: [0]", "model_6: [0, 1]"))
    assert "model_6: [0], model_7" in before and "model_6: [0, 1], model_7" in after
    assert before.startswith("… ") and len(after) < 70
    assert where_they_part("4", long)[0] == "4"


def test_modules_imported_by_name_count_where_they_are_used(suite):
    for name in ("__init__", "environments/__init__", "environments/babyai/__init__", "environments/pddl/__init__"):
        suite.write(f"agentrefine_lib/{name}.py", "")
    named = 'from importlib import import_module\nload = lambda name: import_module(f"{__name__}.{name}")\n'
    suite.write("agentrefine_lib/mechanics/__init__.py", named)
    suite.write("agentrefine_lib/environments/babyai/environment.py", "from agentrefine_lib.environments import words")
    modules = ["environments/words.py", "environments/babyai/wording.yaml", "environments/arena.py"]
    others = ["environments/pddl/environment.py", "mechanics/places.py"]
    for name in [*modules, *others]:
        suite.write(f"agentrefine_lib/{name}", "A = 1")
    suite.notebook("01_count", PANEL, "import agentrefine_lib.environments")
    suite.notebook("02_draw", "width: float = 2.5", "import agentrefine_lib.mechanics", "'pddl'")
    suite.profile("width: 2.0\n")
    pretend_done(suite)
    assert reasons(suite) == [[], []]
    for name in [*modules, *others]:
        suite.write(f"agentrefine_lib/{name}", "A = 2")
    assert reasons(suite) == [
        [f"agentrefine_lib/{name} changed" for name in sorted(modules)],
        ["agentrefine_lib/mechanics/places.py changed"],
    ]
    suite.notebook("02_draw", "width: float = 2.5", 'panel({"pddl": {}})')
    assert "agentrefine_lib/environments/pddl/environment.py is now imported" in reasons(suite)[1]


def test_the_engines_that_a_chapter_plays_and_the_mechanics_of_worlds_are_part_of_it():
    profile = load_profile("laptop", repository())
    found = {
        notebook.name[:2]: fingerprint(replace(notebook, inputs=[]), profile, Digests(profile))
        for notebook in profile.notebooks
        if notebook.name[:2] in ("01", "03", "04", "08")
    }
    library = {name: parts.library for name, parts in found.items()}
    examples = {name for name, parts in found.items() if "params/examples/babyai.jsonl" in parts.inputs}
    assert examples == {"04", "08"}  # 03 plays nothing: its section, selection, is not set
    rooms = "agentrefine_lib/environments", "agentrefine_lib/teachers/embedded/mechanics"
    assert f"{rooms[1]}/places.py" in library["01"]
    played = [f"{rooms[0]}/{name}" for name in ("babyai/environment.py", "babyai/view.py", "pddl/domains/gripper.pddl")]
    assert set(played) <= library["04"].keys()
    assert f"{rooms[0]}/hotpotqa/environment.py" in library["08"]
    for name in ("babyai/environment.py", "hotpotqa/environment.py", "textarena.py", "check.py"):
        assert f"{rooms[0]}/{name}" not in library["03"]
    assert f"{rooms[0]}/textarena.py" not in library["04"]


def test_a_folder_counts_file_by_file_and_is_read_once(suite):
    profile = load_profile("tiny", suite.root)
    suite.write("runs/tiny/model/config.json", "{}")
    suite.write("runs/tiny/model/.cache/junk", "")
    digests = Digests(profile)
    first = digests.of_all([suite.run_dir / "model", suite.run_dir / "gone"])
    assert list(first) == ["runs/tiny/model/config.json"]
    digests.save()
    again = Digests(profile)
    assert again.of_all([suite.run_dir / "model"]) == first
    suite.write("runs/tiny/model/config.json", "[]")
    assert again.of_all([suite.run_dir / "model"]) != first
