"""The shipped profiles and launch configurations: everything in them is known to the notebooks and to accelerate."""

import re
import shlex
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from accelerate.commands.config.config_args import load_config_from_file

from agentrefine_lib.environments import panel, table_1
from agentrefine_lib.environments.agentboard import load_labels
from agentrefine_lib.runner import load_profile
from agentrefine_lib.runner.missing import panels
from agentrefine_lib.runner.profile import makers, profiles
from agentrefine_lib.synthesis import SETS

ROOT = Path(__file__).parents[1]
PROFILES = profiles(ROOT)
BENCHMARKS = ROOT.parent / "shared" / "benchmarks"
with_benchmarks = pytest.mark.skipif(not BENCHMARKS.exists(), reason="AgentBoard's labels are not on this machine")
LAUNCH = sorted((ROOT / "params" / "accelerate").glob("*.yaml"))


def test_the_profiles_are_there():
    assert {"development", "gpu", "laptop", "one-gpu", "overnight", "paper", "sets", "smoke"} <= set(PROFILES)
    assert [path.stem for path in LAUNCH] == ["ddp", "ddp_cpu", "fsdp"]


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_fits_the_notebooks(name):
    profile = load_profile(name, ROOT)
    configs = [n.given["accelerate_config"] for n in profile.notebooks if n.given.get("accelerate_config")]
    assert all((ROOT / config).is_file() for config in configs)


@pytest.mark.parametrize("name", PROFILES)
def test_what_a_chapter_reads_is_made_before_it_and_nothing_is_made_by_two(name):
    profile = load_profile(name, ROOT)
    for place, notebook in enumerate(profile.notebooks):
        for path in notebook.inputs:
            made_by = makers(profile, path)
            assert not made_by or any(maker in profile.notebooks[:place] for maker in made_by), path
        assert all(makers(profile, path) == [notebook] for path in notebook.outputs)


def test_the_variants_in_the_header_of_the_paper_profile_are_values_that_it_takes():
    header = [line for line in (ROOT / "params" / "paper.yaml").read_text().splitlines() if line.startswith("#")]
    written = re.findall(r"(?<![\w-])([a-z][\w.]+=[^\s\";,…]+)", "\n".join(header))
    given = [value for value in written if not value.startswith("agentrefine=")]  # an adapter's name for vLLM
    assert len(given) > 10
    load_profile("paper", ROOT, given)


def test_the_papers_other_teacher_asks_for_no_more_conversations_than_it_makes():
    (told,) = re.findall(r'PROFILE=paper ONLY="01 .*P="(.+)"', (ROOT / "docs" / "running.md").read_text())
    notebooks = load_profile("paper", ROOT, shlex.split(told.replace("…", "http://x"))).notebooks
    values = {key: value for n in notebooks for key, value in n.given.items()}
    assert all(model.get("conversations", 0) <= values["n_trajectories"] for model in values["models"].values())
    assert set(values["case"]) <= {*values["models"], "untuned"}


@pytest.mark.parametrize("path", LAUNCH, ids=lambda path: path.stem)
def test_accelerate_reads_the_launch_configurations(path):
    assert load_config_from_file(str(path)).num_processes > 1


def given(name: str, missing: Collection[str] = ()) -> dict[str, Any]:
    """The values of a profile where those engines are missing."""
    return {key: value for n in load_profile(name, ROOT, (), missing).notebooks for key, value in n.given.items()}


def played(name: str, parameter: str, missing: Collection[str] = ()) -> set[str]:
    """The tasks of one parameter of a profile."""
    return {task.id for task in panel(given(name, missing).get(parameter, {}))}


@pytest.mark.parametrize("missing", [(), ("alfworld",)], ids=["all", "no alfworld"])
@pytest.mark.parametrize("name", PROFILES)
def test_nothing_that_is_played_later_was_not_played_in_chapter_4(name, missing):
    later = played(name, "robust_panel", missing) | played(name, "sampled_panel", missing)
    assert later <= played(name, "panel", missing)
    assert not played(name, "expert_panel", missing) & played(name, "panel", missing)


@pytest.mark.parametrize("missing", ["alfworld", "jericho", "scienceworld"])
@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_can_do_without_an_engine_that_may_be_missing(name, missing):
    """Its panels keep something to play, and the held-in baseline something to train on, with which it is marked."""
    values = given(name, {missing})
    for parameter in ("panel", "expert_panel", "robust_panel", "sampled_panel"):
        assert not values.get(parameter) or set(values[parameter]) - {missing}, parameter
    trained_on = {engine for engines in values["held_in"].values() for engine in engines}
    if "expert_panel" in values:
        assert set(values["expert_panel"]) - {missing} == trained_on
    if "robust_panel" in values:
        assert set(values["robust_panel"]) & trained_on


@pytest.mark.parametrize("name", PROFILES)
def test_engines_are_looked_for_whatever_sections_a_profile_leaves_out(name):
    named = [(parameter, tasks) for n in load_profile(name, ROOT).notebooks for parameter, tasks in panels(n)]
    assert named and all(isinstance(tasks, dict) for _, tasks in named)


def test_no_expert_trains_on_what_any_profile_evaluates():
    evaluated = {task for name in PROFILES for task in played(name, "panel")}
    for name in PROFILES:
        assert not evaluated & played(name, "expert_panel"), name


PAPER = {  # the paper's values, as sections 3.2, 4.1, A and D and tables 2, 4, 5, 6 and 11 have them
    "n_trajectories": 64_000,
    "synthesis.calls": 4,
    "synthesis.personas": "data/persona.jsonl",
    "base_model": "meta-llama/Meta-Llama-3-8B",
    "recipe.learning_rate": 5e-6,
    "recipe.warmup": 0,
    "recipe.batch_size": 64,
    "recipe.max_tokens": 8192,
    "recipe.epochs": 10,
    "recipe.checkpoints": 10,
    "recipe.lora_rank": 0,
    "limits.steps": 30,
    "limits.steps_in": {"hotpotqa": 8},
    "n_samples": 10,
}
SIZES = {"agentrefine": 32_000, "no_refinement": 8_000, "no_refinement_loss": 8_000, "all_turns": 8_000}


def test_the_paper_profile_is_the_paper():
    values = given("paper")
    assert {name: values[name] for name in PAPER} == PAPER
    sizes = {name: model.get("conversations") for name, model in values["models"].items()}
    assert SIZES.items() <= sizes.items()
    scaled = {None, *(k * 1000 for k in (4, 8, 16, 32))}  # None: all that were accepted of n_trajectories
    assert {count for name, count in sizes.items() if name.startswith("agentrefine")} == scaled
    assert (sizes[values["ablated"][0]], sizes[values["compared"]]) == (8_000, 4_000)
    played = Counter(task.engine for task in panel(values["panel"]))
    assert {name: played[name] for name in table_1()} == table_1() | {"jericho": 11}  # 20 cannot be shipped
    assert played["hotpotqa"] == 300
    assert set(values["robust_panel"]) == set(values["sampled_panel"]) == set(table_1())  # the paper: AlfWorld
    assert {"P1", "P2", "P3", "P4"} < set(values["perturbations"])


@with_benchmarks
def test_its_tasks_are_agentboards():
    """Of the label files half is here."""
    ours = {task.id for task in panel(given("paper")["panel"])}
    for engine in ("babyai", "scienceworld"):
        assert set(load_labels(BENCHMARKS / f"{engine}.jsonl", engine)) <= ours


def test_the_sets_profile_makes_every_set_and_has_tasks_for_as_many_plays_of_each():
    values = given("sets")
    assert set(values["sets"]) == set(SETS)
    per_engine = {engine: sum(map(len, names.values())) for engine, names in values["expert_panel"].items()}
    assert per_engine["alfworld"] >= values["n_trajectories"]
    assert per_engine["babyai"] + per_engine["scienceworld"] >= values["n_trajectories"]


def test_nothing_is_chosen_on_a_task_of_the_results():
    developed = played("development", "panel")
    assert len(developed) > 40
    assert not developed & played("laptop", "panel")
