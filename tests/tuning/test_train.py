"""Training: it learns, it can be killed, and the same seed gives the same weights."""

import hashlib
import subprocess
import sys

import pandas as pd
import pytest
import torch
from peft import AutoPeftModelForCausalLM
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.schema import write_jsonl
from agentrefine_lib.tuning import IGNORED, Recipe, encode, merge, prepare, tune
from agentrefine_lib.tuning.batches import Order
from agentrefine_lib.tuning.recipe import claim, describe
from agentrefine_lib.tuning.train import last_checkpoint, training_arguments

RECIPE = Recipe(
    train_steps=12,
    batch_size=4,
    learning_rate=3e-3,
    max_tokens=1500,
    save_every=4,
    seed=0,
    lora_rank=0,
    precision="float32",
)
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
@pytest.mark.fault("training", "kill -9", "goes on from the last checkpoint to the same weights")
def test_killed_training_ends_with_the_same_weights(tiny, trajectories, tmp_path):
    data = [to_conversation(t) for t in trajectories]
    whole = tune(tiny, data, tmp_path / "whole", RECIPE)
    assert whole["loss"].iloc[-1] < whole["loss"].iloc[0] - 0.3
    write_jsonl(tmp_path / "data.jsonl", data)
    killed = [
        sys.executable,
        "-c",
        PROGRAM,
        tiny,
        tmp_path / "data.jsonl",
        tmp_path / "killed",
        RECIPE.model_dump_json(),
    ]
    assert subprocess.run(killed, capture_output=True, timeout=200, check=False).returncode == 9
    assert (tmp_path / "killed" / "checkpoint-8").is_dir()
    resumed = tune(tiny, data, tmp_path / "killed", RECIPE)
    assert resumed["loss"].tolist() == whole["loss"].tolist()
    a, b = (load_file(tmp_path / run / "model.safetensors") for run in ("whole", "killed"))
    assert all((a[name] == b[name]).all() for name in a)


def test_a_checkpoint_between_two_rows_of_the_log_loses_nothing(tiny, trajectories, tmp_path):
    """Rows are means over four steps here; a checkpoint inside of one would forget its first half."""
    recipe = RECIPE.model_copy(update={"train_steps": 160, "save_every": 2})
    arguments = training_arguments(tmp_path, recipe)
    assert (arguments.logging_steps, arguments.save_steps) == (4, 4)


def test_passes_over_the_data_with_a_checkpoint_after_each(tmp_path):
    recipe = RECIPE.model_copy(update={"epochs": 10, "batch_size": 4, "warmup": 0.0, "checkpoints": 10}).over(250)
    arguments = training_arguments(tmp_path, recipe)
    assert (arguments.max_steps, arguments.save_steps, arguments.save_total_limit) == (630, 63, 10)
    assert arguments.warmup_steps == 0 and training_arguments(tmp_path, RECIPE).warmup_steps >= 1


def test_a_checkpoint_that_a_kill_left_unfinished_is_passed_over(tmp_path):
    assert last_checkpoint(tmp_path / "nothing") is None
    for step, state in ((8, "{}"), (12, "{}"), (100, None), (104, ""), (108, '{"log_history": [{"step": 1}')):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state is not None:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-12")


@pytest.mark.slow
def test_the_newest_checkpoints_stay_and_what_a_stop_left_of_one_is_written_anew(tiny, trajectories, tmp_path):
    """They are sorted as numbers, not as names; the newest keeps its optimiser, to go on from."""
    data = [to_conversation(t) for t in trajectories[:2]]
    recipe = RECIPE.model_copy(update={"train_steps": 12, "batch_size": 1, "save_every": 4, "checkpoints": 2})
    half = tmp_path / "m" / "checkpoint-12"  # a full disk left no more of it
    claim(tmp_path / "m", describe(tiny, data, recipe))
    half.mkdir()
    (half / "optimizer.pt").write_bytes(b"")
    tune(tiny, data, tmp_path / "m", recipe)
    kept = sorted(path.name for path in (tmp_path / "m").glob("checkpoint-*"))
    assert kept == ["checkpoint-12", "checkpoint-8"]
    assert (half / "optimizer.pt").stat().st_size and not (tmp_path / "m" / "checkpoint-8" / "optimizer.pt").exists()


def test_a_folder_with_another_model_is_not_taken_for_this_one(tiny, trajectories, tmp_path):
    data, short = [to_conversation(t) for t in trajectories[:4]], RECIPE.model_copy(update={"train_steps": 1})
    first = tune(tiny, data, tmp_path / "m", short)
    assert tune(tiny, data, tmp_path / "m", short).equals(pd.read_csv(tmp_path / "m" / "loss.csv"))
    assert len(first) == 1
    with pytest.raises(FileExistsError, match=r"learning_rate was 0.003, is 0.001\); delete it or take another"):
        tune(tiny, data, tmp_path / "m", short.model_copy(update={"learning_rate": 1e-3}))
    with pytest.raises(FileExistsError, match=r"data_sha256 was .*conversations was 4, is 3"):
        tune(tiny, data[:3], tmp_path / "m", short)


VARIANTS = {
    "in parts": ({"accumulation": 2}, 1e-5),
    "activations computed twice": ({"gradient_checkpointing": True}, 1e-5),
    "block mask": ({"attention": "sdpa"}, 1e-5),
    "another optimiser": ({"optimizer": "adamw_torch_fused"}, 1e-4),
    "half precision": ({"precision": "bfloat16"}, 2e-2),
    "compiled": ({"compiled": True}, 1e-5),
}


@pytest.fixture(scope="module")
def plain(tiny, trajectories, tmp_path_factory):
    recipe = RECIPE.model_copy(update={"train_steps": 3})
    return tune(tiny, [to_conversation(t) for t in trajectories[:8]], tmp_path_factory.mktemp("plain"), recipe)


@pytest.mark.parametrize("name", VARIANTS)
def test_what_only_saves_time_or_memory_does_not_change_the_curve(tiny, trajectories, tmp_path, plain, name):
    changes, tolerance = VARIANTS[name]
    recipe = RECIPE.model_copy(update={"train_steps": 3, **changes})
    log = tune(tiny, [to_conversation(t) for t in trajectories[:8]], tmp_path / "m", recipe)
    for column in ("loss", "loss_refinement", "loss_ordinary"):
        assert log[column].tolist() == pytest.approx(plain[column].tolist(), rel=tolerance)


def test_the_loss_of_refinements_and_of_ordinary_replies(plain, tiny, trajectories):
    """At step 1 the weights are still those of the base: its losses by kind, counted token by token, are the log's."""
    assert ((plain["loss_refinement"] - plain["loss"]) * (plain["loss_ordinary"] - plain["loss"]) <= 0).all()
    tokenizer, model = AutoTokenizer.from_pretrained(tiny), AutoModelForCausalLM.from_pretrained(tiny)
    kinds = {True: [], False: []}
    fitting = [c for c in map(to_conversation, trajectories[:8]) if len(encode(c, tokenizer).input_ids) <= 1500]
    for conversation in (fitting[index] for index in Order(len(fitting), 4, RECIPE.seed)):
        example, said = encode(conversation, tokenizer), conversation.conversations
        with torch.no_grad():
            log_p = model(input_ids=torch.tensor([example.input_ids])).logits[0].log_softmax(-1)
        for i, label in enumerate(example.labels):
            if label != IGNORED:
                mends = example.message[i] > 1 and said[example.message[i] - 2].loss is False
                kinds[mends].append(-log_p[i - 1, label].item())
    for mends, column in ((True, "loss_refinement"), (False, "loss_ordinary")):
        assert plain[column].iloc[0] == pytest.approx(sum(kinds[mends]) / len(kinds[mends]), rel=1e-5)


@pytest.mark.slow
def test_an_adapter_loads_merges_and_continues_after_a_kill(tiny, trajectories, tmp_path):
    data = [to_conversation(t) for t in trajectories[:12]]
    recipe = RECIPE.model_copy(update={"train_steps": 8, "lora_rank": 4, "learning_rate": 1e-2})
    log = tune(tiny, data, tmp_path / "adapter", recipe)
    assert log["loss"].iloc[-1] < log["loss"].iloc[0] - 0.01
    tuned = AutoPeftModelForCausalLM.from_pretrained(tmp_path / "adapter")
    trained = {name for name, p in load_file(tmp_path / "adapter" / "adapter_model.safetensors").items()}
    assert trained and all("lora_" in name for name in trained)
    merged = AutoModelForCausalLM.from_pretrained(merge(tmp_path / "adapter", tmp_path / "merged"))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "merged")
    ids = torch.tensor([encode(data[0], tokenizer).input_ids])
    base = AutoModelForCausalLM.from_pretrained(tiny)
    with torch.no_grad():
        ours, whole, before = (model(input_ids=ids).logits for model in (tuned, merged, base))
    assert torch.allclose(ours, whole, atol=1e-4) and not torch.allclose(ours, before, atol=1e-2)
    with pytest.raises(ValueError, match="expected a model tuned with lora_rank above 0"):
        merge(tiny, tmp_path / "nothing")

    for name in ("README.md", "loss.csv", "adapter_model.safetensors"):  # as if killed right before the end
        (tmp_path / "adapter" / name).unlink()
    assert (tmp_path / "adapter" / "checkpoint-8").is_dir()
    again = tune(tiny, data, tmp_path / "adapter", recipe)
    assert again["loss"].tolist() == log["loss"].tolist()


def test_the_card_says_what_the_model_was_made_from(tiny, trajectories, tmp_path):
    data = [to_conversation(t) for t in trajectories[:4]]
    log = tune(tiny, data, tmp_path / "m", RECIPE.model_copy(update={"train_steps": 2, "max_tokens": 1300}))
    card = (tmp_path / "m" / "README.md").read_text()
    lines = "".join(conversation.to_json() + "\n" for conversation in data)
    assert hashlib.sha256(lines.encode()).hexdigest() in card
    examples, read, dropped = log.iloc[0][["examples", "read", "dropped"]].astype(int)
    told = f"{examples} conversations, of which the steps read {read}; {dropped} of 4 were left out"
    assert told in card
    row = log.iloc[-1]
    assert f"| 2 | {row.loss:.3f} | {row.loss_refinement:.3f} | {row.loss_ordinary:.3f} |" in card
    for name, value in RECIPE.model_copy(update={"train_steps": 2, "max_tokens": 1300}).model_dump().items():
        assert f"| {name} | {value} |" in card
    assert "AutoModelForCausalLM" in card and "AutoPeft" not in card


def test_long_conversations_are_left_out_whole_and_counted(tiny, trajectories):
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    kept, left_out = prepare([to_conversation(t) for t in trajectories], tokenizer, max_tokens=1300)
    assert list(left_out) == ["over_max_tokens"] and left_out["over_max_tokens"]
    assert len(kept) + len(left_out["over_max_tokens"]) == len(trajectories)
    assert all(len(example.input_ids) <= 1300 for example in kept)


def test_nothing_that_fits_is_an_error(tiny, trajectories, tmp_path):
    with pytest.raises(ValueError, match=r"over_max_tokens 1 \(t-0000\); max_tokens=10: raise it"):
        tune(tiny, [to_conversation(trajectories[0])], tmp_path / "m", RECIPE.model_copy(update={"max_tokens": 10}))
