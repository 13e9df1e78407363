"""Training: it learns, it can be killed, and the same seed gives the same weights."""

import subprocess
import sys

import pytest
from safetensors.torch import load_file
from transformers import AutoTokenizer

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.schema import write_jsonl
from agentrefine_lib.tuning import Recipe, prepare, tune

RECIPE = Recipe(train_steps=12, batch_size=4, learning_rate=3e-3, max_tokens=1500, save_every=4, seed=0)
PROGRAM = """
import os, sys
from pathlib import Path
from transformers import Trainer
from agentrefine_lib.schema import Conversation, read_jsonl
from agentrefine_lib.tuning import Recipe, tune
step = Trainer.training_step
def dying(self, *args, **kwargs):
    if self.state.global_step == 9:
        os._exit(9)
    return step(self, *args, **kwargs)
Trainer.training_step = dying
data = list(read_jsonl(sys.argv[2], Conversation))
tune(sys.argv[1], data, Path(sys.argv[3]), Recipe.model_validate_json(sys.argv[4]))
"""


@pytest.mark.slow
def test_killed_training_ends_with_the_same_weights(nano, trajectories, tmp_path):
    data = [to_conversation(t) for t in trajectories]
    whole = tune(nano, data, tmp_path / "whole", RECIPE)
    assert whole["loss"].iloc[-1] < whole["loss"].iloc[0] - 0.3
    write_jsonl(tmp_path / "data.jsonl", data)
    killed = [
        sys.executable,
        "-c",
        PROGRAM,
        nano,
        tmp_path / "data.jsonl",
        tmp_path / "killed",
        RECIPE.model_dump_json(),
    ]
    assert subprocess.run(killed, capture_output=True, timeout=200, check=False).returncode == 9
    assert (tmp_path / "killed" / "checkpoint-8").is_dir()
    resumed = tune(nano, data, tmp_path / "killed", RECIPE)
    assert resumed["loss"].tolist() == whole["loss"].tolist()
    a, b = (load_file(tmp_path / run / "model.safetensors") for run in ("whole", "killed"))
    assert all((a[name] == b[name]).all() for name in a)


def test_long_conversations_are_left_out_whole_and_counted(nano, trajectories):
    tokenizer = AutoTokenizer.from_pretrained(nano)
    kept, dropped = prepare([to_conversation(t) for t in trajectories], tokenizer, max_tokens=1300)
    assert dropped > 0
    assert len(kept) + dropped == len(trajectories)
    assert all(len(example.input_ids) <= 1300 for example in kept)


def test_nothing_that_fits_is_an_error(nano, trajectories, tmp_path):
    with pytest.raises(ValueError, match="max_tokens=10; raise it"):
        tune(nano, [to_conversation(trajectories[0])], tmp_path / "m", RECIPE.model_copy(update={"max_tokens": 10}))
