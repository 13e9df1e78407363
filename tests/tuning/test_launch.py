"""Two processes learn what one learns: DDP and FSDP over gloo, started by accelerate with the shipped files."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.schema import write_jsonl
from agentrefine_lib.tuning import Recipe, launch, tune

CONFIGS = Path(__file__).parents[2] / "params" / "accelerate"
RECIPE = Recipe(
    train_steps=4,
    batch_size=4,
    learning_rate=3e-3,
    max_tokens=1500,
    save_every=2,
    seed=0,
    lora_rank=0,
    precision="float32",
)
FSDP_ON_PROCESSORS = """
import runpy, sys
from accelerate.state import PartialState
from accelerate.utils import DistributedType
from torch.distributed.tensor import DTensor
from transformers import Trainer
# accelerate knows FSDP on GPUs only; the rest of its way works over gloo as well
PartialState._prepare_backend = lambda self, *rest, **more: ("gloo", DistributedType.MULTI_GPU)
step = Trainer.training_step
def checking(self, model, *rest, **more):
    assert self.accelerator.num_processes == 2 and all(isinstance(p, DTensor) for p in model.parameters())
    return step(self, model, *rest, **more)
Trainer.training_step = checking
runpy.run_module("agentrefine_lib.tuning", run_name="__main__")
"""


@pytest.fixture(scope="module")
def data(trajectories):
    return [to_conversation(t) for t in trajectories]


@pytest.fixture(scope="module")
def alone(tiny, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    return tune(tiny, data, folder, RECIPE), load_file(folder / "model.safetensors")


def assert_same(folder, alone):
    log, weights = pd.read_csv(folder / "loss.csv"), load_file(next(folder.glob("*model.safetensors")))
    for column in ("loss", "loss_refinement", "loss_ordinary", "learning_rate"):
        assert log[column].tolist() == pytest.approx(alone[0][column].tolist(), rel=1e-5), column
    assert weights.keys() - {"lm_head.weight"} == alone[1].keys()  # FSDP also writes the tied copy
    assert all((weights[name] - alone[1][name]).abs().max() < 1e-4 for name in alone[1])


@pytest.mark.slow
def test_two_processes_with_a_copy_each(tiny, data, tmp_path, alone, capfd):
    log = launch(tiny, data, tmp_path / "two", RECIPE, str(CONFIGS / "ddp_cpu.yaml"))
    assert len(log) == RECIPE.train_steps
    assert_same(tmp_path / "two", alone)
    shown = capfd.readouterr().out
    assert "4/4" in shown and shown.count("| 0/4 ") == 1  # progress is passed on, of one process
    assert not list((tmp_path / "two").glob("conversations.jsonl"))


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 4])
def test_two_processes_with_half_a_model_each(tiny, data, tmp_path, alone, rank):
    recipe = RECIPE.model_copy(update={"lora_rank": rank, "gradient_checkpointing": True})
    if rank:
        log = tune(tiny, data, tmp_path / "alone", recipe)
        alone = log, load_file(tmp_path / "alone" / "adapter_model.safetensors")
    write_jsonl(tmp_path / "data.jsonl", data)
    (tmp_path / "recipe.json").write_text(recipe.model_dump_json())
    (tmp_path / "program.py").write_text(FSDP_ON_PROCESSORS)
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", CONFIGS / "fsdp.yaml"]
    command += ["--num_processes", "2", "--main_process_port", "0", tmp_path / "program.py"]
    command += [tiny, tmp_path / "data.jsonl", tmp_path / "two", tmp_path / "recipe.json"]
    environment = os.environ | {"ACCELERATE_TORCH_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    assert_same(tmp_path / "two", alone)


def test_an_adapter_that_fsdp_would_lose_is_refused(tiny, data, tmp_path, monkeypatch):
    plugin = SimpleNamespace(activation_checkpointing=True)
    monkeypatch.setattr(AcceleratorState, "fsdp_plugin", plugin, raising=False)
    with pytest.raises(ValueError, match="PEFT would save an empty adapter; set gradient_checkpointing"):
        tune(tiny, data, tmp_path / "m", RECIPE.model_copy(update={"lora_rank": 4}))


@pytest.mark.slow
def test_a_failure_shows_the_end_of_what_the_processes_said(tiny, data, tmp_path):
    odd = RECIPE.model_copy(update={"batch_size": 3})
    with pytest.raises(RuntimeError, match=r"(?s)exit code 1.*found 3, expected a multiple of 2 \(2 processes × 1"):
        launch(tiny, data, tmp_path / "odd", odd, str(CONFIGS / "ddp_cpu.yaml"))


def test_a_configuration_that_is_not_there(tiny, data, tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a file like those in"):
        launch(tiny, data, tmp_path / "m", RECIPE, "nowhere.yaml")


def test_without_a_configuration_it_trains_here(tiny, data, tmp_path):
    log = launch(tiny, data, tmp_path / "here", RECIPE.model_copy(update={"train_steps": 1}))
    assert len(log) == 1
    assert json.loads((tmp_path / "here" / "job.json").read_text())["conversations"] == len(data)
