"""A wrong profile is refused before anything runs, with all its problems at once."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest
from pydantic import ValidationError

from agentrefine_lib.endpoint import Budget
from agentrefine_lib.runner import ProfileError, load_profile, repository
from agentrefine_lib.runner.parameters import fit, resolve
from agentrefine_lib.schema import spelt_out

NOTEBOOKS = "notebooks: [{name: 01_count, outputs: ['{run_dir}/log.txt']}]\n"


def test_every_problem_is_listed_at_once_with_the_nearest_name(suite):
    suite.profile("n_itms: 4\nseed: many\ncolour: 1\n" + NOTEBOOKS)
    code, printed = suite.run("-p", "n_items=2.5", "sede=1", "-p", "seed", "--dry-run")
    assert code == 2
    assert sorted(printed.splitlines()) == [
        "-p: found 'seed', expected name=value with a value in YAML",
        "-p: n_items: found 2.5 (float), expected int (how many)",
        "-p: sede: no notebook declares this parameter; did you mean seed?",
        "params/tiny.yaml:3: n_itms: no notebook declares this parameter; did you mean n_items?",
        "params/tiny.yaml:4: seed: found 'many' (str), expected int",
        "params/tiny.yaml:5: colour: no notebook declares this parameter",
    ]
    assert not (suite.root / "runs").exists()


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        ("int", [3], [True, 3.0, "3", None]),
        ("float", [3, 0.5], [True, "1e-3"]),
        ("str", ["a"], [1, None]),
        ("bool", [True], [1, "yes"]),
        ("list[int]", [[], [1]], [[1, "a"], 1, [True]]),
        ("list[str]", [["a"]], ["a", [1]]),
        ("list[float]", [[1, 0.5]], [["x"]]),
        ("dict[str, int]", [{"a": 1}], [{"a": "b"}, {1: 1}]),
        ("dict[str, list[str]]", [{"a": ["b"]}], [{"a": "b"}]),
        ("int | None", [None, 3], ["3"]),
    ],
)
def test_values_are_checked_strictly(annotation: str, good: list[Any], bad: list[Any]):
    for value in good:
        assert fit(annotation, value) == value
    for value in bad:
        with pytest.raises(ValueError, match=r"found .* expected "):
            fit(annotation, value)
    assert isinstance(fit("float", 3), float)


@pytest.mark.parametrize("annotation", ["__import__('os').system('true')", "os.PathLike", "Path", "dict[int, str]"])
def test_annotations_are_never_evaluated(annotation: str):
    with pytest.raises(ValueError, match="expected the type"):
        resolve(ast.parse(annotation, mode="eval").body)


def test_a_number_with_an_exponent_gets_a_hint(suite):
    suite.run("--dry-run")
    assert "has a dot and a sign, as in 1.0e-3" in suite.run("-p", "width=1e-3", "--dry-run")[1]
    assert suite.run("-p", "width=1.0e-3", "--dry-run")[0] == 0


def test_parameters_cells_are_checked(suite):
    suite.notebook("01_count", 'run_dir: str = "x"\nn_items = 3\nrate: int = "a"\nsize: int = 2 * 3\nwhen: date = 1')
    suite.notebook("02_draw", "width: int | None = None  # a = b\nrate: float = 1.0")
    with pytest.raises(ProfileError) as error:
        load_profile("tiny", suite.root)
    assert error.value.problems == [
        "notebooks/01_count.ipynb: found n_items = 3, expected a type, as in n_steps: int = 30",
        "notebooks/01_count.ipynb: rate: int = 'a': found 'a' (str), expected int",
        "notebooks/01_count.ipynb: size: int = 2 * 3: expected a plain value as the default, not an expression",
        "notebooks/01_count.ipynb: when: date = 1: expected the type int, float, str, bool, list[…], dict[str, …] "
        "or … | None",
        "notebooks/02_draw.ipynb: rate: found float, expected int as in notebooks/01_count.ipynb",
        "params/tiny.yaml:3: n_items: no notebook declares this parameter",
    ]


def test_declared_help_and_defaults_are_read_where_papermill_is_blind(suite):
    suite.notebook("01_count", 'goal: str = "a=b"  # as x=y\nlimit: int | None = None\nn_items: int = 3')
    declared = load_profile("tiny", suite.root).notebooks[0].declared
    assert declared["goal"][:3] == ("str", "a=b", "as x=y")
    assert declared["limit"][:2] == ("int | None", None)


def test_each_notebook_is_handed_only_what_it_declares(suite):
    count, draw = load_profile("tiny", suite.root, ["width=3"]).notebooks
    assert count.given == {"run_dir": "runs/tiny", "n_items": 4}
    assert count.defaulted == {"seed": 7}
    assert draw.given == {"run_dir": "runs/tiny", "figures_dir": "runs/tiny/figures", "width": 3.0}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("n_items: [\n", "params/tiny.yaml: not YAML"),
        ("n_items: 4\nextends: huge\n", "params/tiny.yaml:4: extends: found 'huge', expected one of tiny"),
        ("n_items: 4\nextends: tiny\n", "params/tiny.yaml:4: extends: tiny → tiny has no end"),
        ("notebooks: []\nrun_dir: x\n", "params/notebooks.yaml: not YAML"),
        ("notebooks: {name: 01_count}\n", "params/notebooks.yaml: .*expected a list|valid list"),
        ("n_items: 4\nn_items: 5\n" + NOTEBOOKS, "params/tiny.yaml: n_items: is there twice"),
        ("notebooks: [{name: 01_count}, {name: 01_count}]\n", "01_count: is there twice"),
        ("notebooks: [{name: 01_count, output: []}]\n", "field 0.output: found \\[\\]"),
        ("notebooks: [{name: 03_gone}]\n", "notebooks/03_gone.ipynb does not exist"),
        ("notebooks: [{name: 01_count, inputs: [a.txt]}]\n", "input a.txt does not exist and is no notebook's output"),
        ("notebooks: [{name: 01_count, inputs: ['{home}/a']}]\n", "no name in braces but {run_dir}"),
        ("notebooks: [{name: 01_count, outputs: ['{run_dir}']}]\n", "expected something inside run_dir or figures_dir"),
    ],
)
def test_a_broken_profile_is_refused(suite, text: str, problem: str):
    suite.profile(text)
    with pytest.raises(ProfileError, match=problem):
        load_profile("tiny", suite.root)


@pytest.mark.parametrize(
    ("folders", "problem"),
    [
        (
            "run_dir=runs/a figures_dir=runs/a",
            "figures_dir: found 'runs/a', which is or holds run_dir, 'runs/a'; expected",
        ),
        ("run_dir=runs/a/b figures_dir=runs/a", "figures_dir: found 'runs/a', which is or holds run_dir, 'runs/a/b'"),
        ("figures_dir=.", "figures_dir: found '.', which is or holds run_dir, 'runs/tiny'"),
        (
            "run_dir=. figures_dir=figures",
            "run_dir: found '.', which holds the repository; expected a folder of its own",
        ),
        ("run_dir=runs/.. figures_dir=figures", "run_dir: found 'runs/..', which holds the repository"),
        ("run_dir=/ figures_dir=figures", "run_dir: found '/', which holds the repository"),
    ],
)
def test_folders_that_would_mix_data_and_figures_are_refused(suite, folders: str, problem: str):
    with pytest.raises(ProfileError, match=re.escape(problem)):
        load_profile("tiny", suite.root, folders.split())
    load_profile("tiny", suite.root, ["run_dir=runs/a", "figures_dir=runs/b"])


def test_a_run_in_another_folder_leaves_the_figures_of_the_profile_alone(suite, monkeypatch):
    assert load_profile("tiny", suite.root, ["run_dir=runs/a"]).figures_dir == suite.root / "runs/a/figures"
    assert load_profile("tiny", suite.root, ["figures_dir=f"]).figures_dir == suite.root / "f"
    assert load_profile("tiny", suite.root, []).figures_dir == suite.root / "runs/tiny/figures"
    with pytest.raises(ProfileError, match=r"^-p: run_dir: found None \(NoneType\), expected str \(a folder\)$"):
        load_profile("tiny", suite.root, ["run_dir="])
    monkeypatch.setenv("HOME", "/home/ada")
    assert str(load_profile("tiny", suite.root, ["run_dir=~/a"]).figures_dir) == "/home/ada/a/figures"


def test_unknown_profiles_and_notebooks_name_those_that_exist(suite):
    suite.write("params/fsdp.yaml", "distributed_type: FSDP\n")
    with pytest.raises(ProfileError, match=r"params/huge.yaml does not exist; the profiles are: tiny$"):
        load_profile("huge", suite.root)
    assert suite.run("--only", "01,02_draw", "--dry-run")[1].count("never ran") == 2
    code, printed = suite.run("--only", "03", "1", "--dry-run")
    assert code == 2
    assert printed.splitlines() == [
        "--only 03: no such notebook; there are: 01_count, 02_draw",
        "--only 1: no such notebook; there are: 01_count, 02_draw",
    ]


def test_a_single_notebook_needs_its_inputs(suite):
    code, printed = suite.run("--only", "02")
    assert (code, printed) == (2, "02_draw: input runs/tiny/log.txt does not exist yet: run 01_count first\n")
    suite.write("runs/tiny/log.txt", "4\n")
    assert suite.run("--only", "02_draw", "--dry-run") == (0, "02_draw is stale: never ran\n")


def test_a_profile_holds_what_differs_from_the_one_that_it_extends(suite):
    suite.notebook("01_count", 'run_dir: str = "x"\nn_items: int = 3\nseed: int = 7')
    more = "extends: tiny\nrun_dir: runs/more\nfigures_dir: runs/more/figures\nseed: 8\nnotebooks: [01_count]\n"
    suite.write("params/more.yaml", more)
    (count,) = load_profile("more", suite.root).notebooks
    assert count.given == {"run_dir": "runs/more", "n_items": 4, "seed": 8}
    suite.write("params/most.yaml", more.replace("extends: tiny", "extends: more").replace("seed: 8", "n_items: 9"))
    assert load_profile("most", suite.root).notebooks[0].given == {"run_dir": "runs/more", "n_items": 9, "seed": 8}
    suite.write("params/more.yaml", more.replace("[01_count]", "[01_cuont]").replace("seed: 8", "sede: 8"))
    with pytest.raises(ProfileError) as error:
        load_profile("most", suite.root)
    assert error.value.problems == [
        "params/more.yaml:5: notebooks: found ['01_cuont'], expected a list of 01_count, 02_draw",
        "params/more.yaml:4: sede: no notebook declares this parameter; did you mean seed?",
    ]
    suite.write("params/more.yaml", "extends: tiny\nrun_dir: runs/more\n")
    with pytest.raises(ProfileError, match=r"params/more\.yaml: figures_dir: expected a folder of its own"):
        load_profile("more", suite.root)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("models={agentrefine: {sedes: [0]}}", "models: agentrefine: .*sedes"),
        ("base_model=/no/such", "base_model: found no folder '/no/such', expected one that transformers loads"),
        ("sets=[no_refinment]", "sets: no such no_refinment; expected some of no_refinement, "),
        ("device=gpu", "device: found 'gpu', expected one of auto, "),
        ("perturbations=[synonims, P1]", "perturbations: no such synonims; expected some of P1, .*synonyms"),
        ("panel={alfwrld: {a: [1]}}", "panel: engine: no such 'alfwrld'; expected one of alfworld, "),
        ("recipe=5", "recipe: found 5, expected its fields, as in recipe.train_steps=…"),
    ],
)
def test_what_a_later_chapter_would_refuse_is_refused_before_anything_runs(value, problem):
    with pytest.raises(ProfileError, match=f"^-p: {problem}"):
        load_profile("overnight", repository(), [value])


@pytest.mark.parametrize("jobs", ["0", "-1", "two", "100"])
def test_a_wrong_number_of_jobs_is_told_in_a_line(suite, jobs, capsys):
    with pytest.raises(SystemExit):
        suite.run(f"--jobs={jobs}", "--why")
    assert capsys.readouterr().err.endswith(f"argument --jobs: found '{jobs}', expected a number from 1 to 99\n")


SECTION = 'run_dir: str = "x"\nn_items: int = 3\nbudget: dict = {}  # limits: endpoint.Budget'


def test_fields_of_sections_are_given_one_by_one(suite):
    write = "from pathlib import Path\nPath(run_dir, 'log.txt').write_text('4')"
    suite.notebook("01_count", SECTION, write, "assert budget == {'requests': 6, 'tokens': 7, 'money': 0.1}")
    suite.profile("n_items: 4\nbudget: {tokens: 5, requests: 6}\n" + NOTEBOOKS)
    asked = ["budget.tokens=7", "budget={money: 1e-1}"]
    (count,) = load_profile("tiny", suite.root, asked).notebooks
    assert count.given["budget.money"] == 0.1
    assert load_profile("tiny", suite.root).notebooks[0].defaulted == {"budget.money": None}
    assert suite.run("-p", *asked)[0] == 0
    assert "parameter budget.tokens changed from 7 to 5" in suite.run("--why")[1]


def test_a_wrong_field_of_a_section_is_refused_wherever_it_comes_from(suite):
    suite.notebook("01_count", SECTION)
    suite.profile("budget:\n  tokens: many\n  monney: 1\n" + NOTEBOOKS)
    code, printed = suite.run("-p", "reqests=2", "budget=3")
    assert code == 2
    assert sorted(printed.splitlines()) == [
        "-p: budget: found 3, expected its fields, as in budget.requests=…",
        "-p: reqests: no notebook declares this parameter; did you mean budget.requests?",
        "params/tiny.yaml:4: budget.tokens: found 'many', expected: Input should be a valid integer, unable to parse "
        "string as an integer",
        "params/tiny.yaml:5: budget.monney: no notebook declares this parameter; did you mean budget.money?",
    ]
    with pytest.raises(ValidationError, match=r"no field 'monney'; did you mean money\?"):
        Budget(monney=1)


def test_a_range_of_seeds_is_spelt_out():
    asked = {"a": {"b": ["3..5", 9, "7..7"], "c": ["x..2", ["0..1"]]}, "d": "1..2", "e": ["5..3"]}
    spelt = {"a": {"b": [3, 4, 5, 9, 7], "c": ["x..2", [0, 1]]}, "d": "1..2", "e": ["5..3"]}
    assert spelt_out(asked) == spelt
