"""Episodes that are released with a model: taken where a run would have played the same ones, and still true."""

import asyncio
import json
import logging
from pathlib import Path

import pytest

from agentrefine_lib.environments import panel
from agentrefine_lib.policies import ExpertPolicy, RandomPolicy
from agentrefine_lib.rollout import Limits, roll_out, take_episodes
from agentrefine_lib.rollout.released import ABOUT, FOLDERS, TAKEN, read_archive, release_episodes
from agentrefine_lib.schema import Episode, keep_settings, read_jsonl
from agentrefine_lib.tuning.released import PLAYED, WEIGHTS

ROOT = Path(__file__).parents[2]
ARCHIVES = sorted((ROOT / "params" / "adapters").glob(f"*/{PLAYED}"))
TASKS = panel({"babyai": {"GoToRedBallGrey": range(4)}})
SETTINGS = {"limits": {"steps": 6}}


class Named(RandomPolicy):
    name = "m-0"


def model(folder, weights=b"weights"):
    folder.mkdir(parents=True)
    (folder / WEIGHTS).write_bytes(weights)
    return folder


def run_folder(run, archive=None, **settings):
    model(run / "models" / "m-0")
    if archive:
        (run / "models" / "m-0" / PLAYED).write_bytes(archive.read_bytes())
    keep_settings(SETTINGS | settings, run / "episodes", run / "perturbed")
    return run


def play(run, tasks, *where, policy=Named):
    path = run.joinpath("episodes", *where, "m-0.jsonl")
    return asyncio.run(roll_out(policy(), tasks, path, Limits(steps=6)))


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Four episodes of a model, and two that it played under a renaming, in the archive beside its weights."""
    run = run_folder(tmp_path_factory.mktemp("run"))
    play(run, TASKS)
    play(run, TASKS[:2], "..", "perturbed", "synonyms")
    released = model(tmp_path_factory.mktemp("released") / "m-0")
    first = release_episodes(run, "m-0", released, "c" * 40, "a processor").read_bytes()
    assert release_episodes(run, "m-0", released, "c" * 40, "a processor").read_bytes() == first
    return released / PLAYED


def test_what_is_released_is_taken_and_the_rest_is_played(archive, tmp_path):
    run = run_folder(tmp_path / "run", archive)
    taken = take_episodes(run, TASKS[:3], run / "episodes", run / "perturbed")
    expected = [
        ["m-0", "episodes", 3, "ccccccc", "a processor"],
        ["m-0", "perturbed/synonyms", 2, "ccccccc", "a processor"],
    ]
    assert taken.to_numpy().tolist() == expected
    told = {"m-0": {"commit": "ccccccc", "processor": "a processor"}}
    assert all(json.loads((run / folder / TAKEN).read_text()) == told for folder in ("episodes", "perturbed"))
    before = (run / "episodes" / "m-0.jsonl").read_bytes()
    play(run, TASKS)
    assert (run / "episodes" / "m-0.jsonl").read_bytes().startswith(before)
    assert {e.task.id for e in read_jsonl(run / "episodes" / "m-0.jsonl", Episode)} == {task.id for task in TASKS}
    assert take_episodes(run, TASKS[:3], run / "episodes", run / "perturbed").equals(taken)


def test_nothing_is_taken_over_what_was_played_here(archive, tmp_path):
    run = run_folder(tmp_path / "run", archive)
    here = play(run, TASKS[::-1], policy=type("Expert", (ExpertPolicy,), {"name": "m-0"})).read_bytes()
    assert take_episodes(run, TASKS, run / "episodes").empty
    assert (run / "episodes" / "m-0.jsonl").read_bytes() == here


def test_other_settings_are_played_anew_and_it_is_said(archive, tmp_path, caplog):
    run = run_folder(tmp_path / "run", archive, limits={"steps": 7})
    with caplog.at_level(logging.WARNING):
        assert take_episodes(run, TASKS, run / "episodes").empty
    assert "m-0: episodes were played with limits={'steps': 6}, now {'steps': 7}; they are played anew" in caplog.text
    assert not (run / "episodes" / "m-0.jsonl").exists()
    assert not (run / "episodes" / TAKEN).exists()


def test_episodes_of_other_weights_are_refused(archive, tmp_path):
    run = run_folder(tmp_path / "run", archive)
    (run / "models" / "m-0" / WEIGHTS).write_bytes(b"others")
    with pytest.raises(ValueError, match=r"those beside it are .*; delete the archive"):
        take_episodes(run, TASKS, run / "episodes")


def test_a_run_without_episodes_has_none_to_release(tmp_path):
    with pytest.raises(FileNotFoundError, match="no episodes of m-0; play chapters 04, 05 and 08 first"):
        release_episodes(run_folder(tmp_path / "run"), "m-0", model(tmp_path / "m-0"), "c", "p")


class Recorded:
    """Replies as an episode has them."""

    name, batch_size = "recorded", 1

    def __init__(self, episodes):
        self.replies = {episode.task.id: [step.reply for step in episode.steps] for episode in episodes}

    async def act(self, live):
        return [self.replies[episode.task.id][len(episode.steps)] for episode in live]


@pytest.mark.slow
@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.parent.name)
def test_engines_still_answer_as_they_did(archive, tmp_path):
    """The shortest episode on each engine, its replies played again: the same observations, errors and progress."""
    about, files = read_archive(archive)
    assert set(about.settings) <= set(FOLDERS) and ABOUT not in files
    found = sorted(
        map(Episode.model_validate_json, files["episodes/" + archive.parent.name + ".jsonl"].splitlines()),
        key=lambda e: len(e.steps),
    )
    chosen = {episode.task.engine: episode for episode in reversed(found)}
    limits = Limits(**about.settings["episodes"]["limits"])
    path = asyncio.run(
        roll_out(Recorded(chosen.values()), [e.task for e in chosen.values()], tmp_path / "e.jsonl", limits)
    )
    for again in read_jsonl(path, Episode):
        then = chosen[again.task.engine]
        assert [s.model_dump(exclude={"ending"}) for s in again.steps] == [
            s.model_dump(exclude={"ending"}) for s in then.steps
        ]
        assert (again.success, again.progress) == (then.success, then.progress)
