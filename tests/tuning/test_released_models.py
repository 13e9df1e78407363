"""Released adapters: what is taken is what was tuned, and other data or another base are told apart."""

import asyncio
import json
import logging
import os
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.runner import load_profile
from agentrefine_lib.runner.sections import nested
from agentrefine_lib.schema import Trajectory, read_jsonl
from agentrefine_lib.synthesis import Synthesis, synthesize
from agentrefine_lib.tuning import Recipe, base_folder, prepare
from agentrefine_lib.tuning.recipe import Job
from agentrefine_lib.tuning.released import PLAYED, Release, ids_hash, release
from agentrefine_lib.tuning.train import ProgressLine, read_log, tune
from agentrefine_lib.tuning.variants import plan, tune_all

ROOT = Path(__file__).parents[2]
ADAPTERS = sorted((ROOT / "params" / "adapters").glob("*/release.json"))

RECIPE = Recipe(train_steps=2, batch_size=1, learning_rate=3e-3, max_tokens=1500, save_every=2, seed=0, lora_rank=2)


@pytest.mark.slow
def test_a_released_adapter_is_taken_as_it_was_tuned(tiny, trajectories, tmp_path, caplog):
    data = {"agentrefine": [to_conversation(t) for t in trajectories[:6]]}
    logs = tune_all(tiny, data, tmp_path / "models", plan({"agentrefine": {"seeds": [0]}}), RECIPE)
    made = {"commit": "0" * 40, "device": "a test", "hours": 0.1}
    folder = tmp_path / "adapters" / "agentrefine-0"
    said = release(tmp_path / "models" / "agentrefine-0", data["agentrefine"], folder, **made)
    assert 0 < said.trained_tokens < said.tokens
    planned = plan({"agentrefine": {"seeds": [0], "released": str(tmp_path / "adapters")}})
    renamed = {"agentrefine": [c.model_copy(update={"id": f"x{c.id}"}) for c in data["agentrefine"]]}
    with caplog.at_level(logging.WARNING):
        taken = tune_all(tiny, renamed, tmp_path / "run", planned, RECIPE)
    assert not caplog.records
    pd.testing.assert_frame_equal(taken["agentrefine-0"], logs["agentrefine-0"])
    whole = load_file(tmp_path / "models" / "agentrefine-0" / "adapter_model.safetensors")
    half = load_file(tmp_path / "run" / "agentrefine-0" / "adapter_model.safetensors")
    assert all(torch.equal(half[name], whole[name].to(torch.bfloat16)) for name in whole)
    config = json.loads((tmp_path / "run" / "agentrefine-0" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(tiny)
    with caplog.at_level(logging.WARNING):
        tune_all(tiny, {"agentrefine": data["agentrefine"][::-1]}, tmp_path / "other", planned, RECIPE)
    assert "other ids or labels than this run makes: its data are those of commit 000000000000" in caplog.text
    with pytest.raises(FileExistsError, match="holds a model that was tuned there"):
        tune_all(tiny, data, tmp_path / "models", planned, RECIPE)
    assert whole.keys() == load_file(tmp_path / "models" / "agentrefine-0" / "adapter_model.safetensors").keys()
    tune_all(tiny, data, tmp_path / "run", planned, RECIPE)  # again, over what was taken before
    played = plan({"agentrefine": {"seeds": [0], "released": str(tmp_path / "adapters"), "played": [0]}})
    with pytest.raises(FileNotFoundError, match=r"no played\.tar\.xz; leave out .* `played` to play it"):
        tune_all(tiny, data, tmp_path / "run", played, RECIPE)
    (folder / PLAYED).write_bytes(b"episodes")
    for given, there in ((played, True), (planned, False)):
        tune_all(tiny, data, tmp_path / "run", given, RECIPE)
        assert (tmp_path / "run" / "agentrefine-0" / PLAYED).exists() == there
    assert 'place(Path("params/adapters/agentrefine-0")' in (folder / "README.md").read_text()
    with pytest.raises(FileNotFoundError, match=r"no adapter_config\.json"):
        tune_all(
            tiny,
            data,
            tmp_path / "none",
            plan({"no": {"variant": "agentrefine", "seeds": [0]} | {"released": "x"}}),
            RECIPE,
        )


def values(profile):
    """What a profile hands to its chapters, a section in one dictionary."""
    return nested({key: value for n in load_profile(profile, ROOT).notebooks for key, value in n.given.items()})


def test_what_is_released_is_what_the_overnight_profile_tunes():
    given = values("overnight")
    recipe = Recipe(**given["recipe"])
    planned = {model.policy: model for model in plan(given["models"])}
    wanted = [model.policy for model in plan(values("laptop")["models"]) if model.released]
    assert set(wanted) <= {path.parent.name for path in ADAPTERS}
    for path in ADAPTERS:
        model = planned[path.parent.name]
        own = {"seed": model.seed, "train_steps": model.train_steps or recipe.train_steps}
        assert Job.model_validate_json((path.parent / "job.json").read_text()).recipe == recipe.model_copy(update=own)


def test_all_played_is_laptop_with_nothing_taken():
    shorter = {name: {k: v for k, v in m.items() if k != "played"} for name, m in values("laptop")["models"].items()}
    assert values("all-played")["models"] == shorter


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """The laptop profile's data, made anew, with the released job and its hash of ids and labels."""
    folder = ROOT / "params" / "adapters" / "agentrefine-0"
    said = Release.model_validate_json((folder / "release.json").read_text())
    recipe = Job.model_validate_json((folder / "job.json").read_text()).recipe
    given = values("laptop")
    asked, made = Synthesis(**given["synthesis"]), tmp_path_factory.mktemp("plays")
    path = asyncio.run(synthesize(asked.teacher(), asked.jobs(given["n_trajectories"]), made, asked.limits()))
    return folder, said, recipe, [to_conversation(play) for play in read_jsonl(path, Trajectory)]


@pytest.mark.slow
def test_the_released_model_was_tuned_on_what_the_laptop_profile_makes(released):
    _, said, recipe, data = released
    tokenizer = AutoTokenizer.from_pretrained(base_folder("smollm2"), trust_remote_code=False)
    assert ids_hash(prepare(data, tokenizer, recipe.max_tokens)[0]) == said.ids_sha256


@pytest.mark.skipif("RETRAIN" not in os.environ, reason="takes four minutes: set RETRAIN=1")
def test_the_first_steps_of_the_released_model_are_found_again(released, tmp_path, monkeypatch):
    """The first row of its log is the released one's."""
    folder, _, recipe, data = released
    theirs = read_log(folder).iloc[0]

    def stop(self, args, state, control, **rest):
        control.should_training_stop = state.global_step >= theirs["step"]

    monkeypatch.setattr(ProgressLine, "on_step_end", stop)
    again = recipe.model_copy(update={"compiled": False})
    ours = tune(base_folder("smollm2"), data, tmp_path / "again", again).iloc[0]
    assert ours["step"] == theirs["step"]
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=0.03)  # bfloat16 rounds differently on another processor
