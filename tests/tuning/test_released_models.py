"""Released adapters: what is taken is what was tuned, and other data or another base are told apart."""

import json
import logging

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.tuning import Recipe
from agentrefine_lib.tuning.released import release
from agentrefine_lib.tuning.variants import plan, tune_all

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
    with pytest.raises(FileNotFoundError, match=r"no adapter_config\.json"):
        tune_all(
            tiny,
            data,
            tmp_path / "none",
            plan({"no": {"variant": "agentrefine", "seeds": [0]} | {"released": "x"}}),
            RECIPE,
        )
