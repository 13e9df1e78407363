"""How a model is tuned, and the record of it that lies beside every tuned model."""

import hashlib
import json
import warnings
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentrefine_lib.schema import Conversation, Section, atomic_write_text, explain, file_lock
from agentrefine_lib.tuning.base import FOLDER, SMOLLM2

MODEL_FILES = {".safetensors", ".bin", ".gguf", ".json", ".jinja", ".model", ".txt"}  # weights, shape, tokenizer


class Recipe(Section):
    """How a model is tuned: the section ``recipe`` of chapter 3."""

    train_steps: int = Field(default=4, gt=0)  # optimiser steps
    epochs: int = Field(default=0, ge=0)  # passes over the data in place of train_steps, a checkpoint after each
    batch_size: int = Field(default=2, gt=0)  # conversations per step, over all processes and accumulated parts
    learning_rate: float = Field(default=1e-3, gt=0)  # peak; linear warm-up, then cosine to zero
    warmup: float = Field(default=0.05, ge=0, lt=1)  # share of the steps
    max_tokens: int = Field(default=2048, gt=0)  # longer conversations are left out and counted
    save_every: int = Field(default=50, gt=0)  # steps between checkpoints; a killed run continues from the last
    checkpoints: int = Field(default=1, gt=0)  # the newest ones that are kept
    seed: int = 0  # added to the models' own: order of the data, and a new adapter's weights
    accumulation: int = Field(default=1, gt=0)  # parts that a process takes its share of a step in; less memory
    lora_rank: int = Field(default=16, ge=0)  # of an adapter on every linear layer; 0: all weights are tuned
    lora_alpha: int = Field(default=32, gt=0)  # the adapter's output is scaled by lora_alpha / lora_rank
    precision: Literal["float32", "bfloat16"] = "bfloat16"  # of the computation; fully tuned weights stay in float32
    gradient_checkpointing: bool = False  # compute activations twice, keep few of them
    optimizer: str = "adamw_torch"  # a name that transformers knows, e.g. adamw_torch_fused, paged_adamw_8bit
    weight_decay: float = 0.0
    compiled: bool = False  # by torch.compile: 1.25 times as fast after a minute; needs a C++ compiler
    attention: str = "by_sample"  # or flash_attention_2, sdpa, eager: see ``batches``
    report_to: str = "none"  # tensorboard, wandb, mlflow, …

    def over(self, conversations: int) -> Self:
        """The recipe for so many conversations, in steps."""
        steps = -(-conversations // self.batch_size)
        return self.model_copy(update={"train_steps": self.epochs * steps, "save_every": steps} if self.epochs else {})


def add_adapter(model: Any, rank: int, alpha: int = 32) -> Any:
    """The model with a new adapter of this rank on every linear layer, which alone is tuned."""
    from peft import LoraConfig, get_peft_model
    from peft.tuners.lora import Linear

    lora = LoraConfig(r=rank, lora_alpha=alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT 0.21 asks by a name that transformers is about to change
        adapted = get_peft_model(model, lora)
    for layer in adapted.modules():
        if isinstance(layer, Linear):
            layer.__class__ = _fused()
    return adapted


@cache
def _fused() -> type:
    """PEFT's layer, W x + s B A x, in one pass over the output instead of four, two of them casts.

    Tuning with it is 1.25 times as fast on a processor (LOG.md).
    """
    from peft.tuners.lora import Linear

    class Fused(Linear):
        def forward(self, x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
            (name,) = self.active_adapters
            wide = self.base_layer(x)
            narrow = torch.nn.functional.linear(x, self.lora_A[name].weight)
            back = (self.lora_B[name].weight * self.scaling[name]).to(narrow.dtype).T
            added = torch.addmm(wide.flatten(0, -2).to(narrow.dtype), narrow.flatten(0, -2), back)
            return added.view(wide.shape)

    return Fused


class Job(BaseModel):
    """What a tuned model is made from: two equal jobs make equal models."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str  # folder, hub name or "smollm2"
    base_version: str = ""  # SHA-256 of what the folder holds, or the hub's commit
    data_sha256: str
    conversations: int
    recipe: Recipe


def describe(base: Path | str, conversations: Iterable[Conversation], recipe: Recipe) -> Job:
    """The job of tuning ``base`` on the conversations; their hash is over one line of JSON each, in order."""
    digest, count = hashlib.sha256(), 0
    for count, conversation in enumerate(conversations, start=1):  # noqa: B007
        digest.update(conversation.to_json().encode() + b"\n")
    name = SMOLLM2 if Path(base) == FOLDER else str(base)  # the same model wherever it lies
    return Job(
        base=name, base_version=_version(base), data_sha256=digest.hexdigest(), conversations=count, recipe=recipe
    )


def _version(base: Path | str) -> str:
    """What tells a model from another one in its place."""
    if not Path(base).is_dir():
        from transformers.utils import cached_file

        return Path(cached_file(str(base), "config.json")).parent.name  # a snapshot, named by its commit
    digest = hashlib.sha256()
    for path in sorted(path for path in Path(base).iterdir() if path.suffix in MODEL_FILES):
        digest.update(f"{path.name} {_sha256(path, path.stat().st_size, path.stat().st_mtime_ns)}\n".encode())
    return digest.hexdigest()


@cache
def _sha256(path: Path, size: int, changed: int) -> str:
    """Of a file that has this size and was changed at that time; a large base is read once, not for each model."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def claim(folder: Path, job: Job) -> None:
    """Mark a folder as a job's; raises FileExistsError where it already holds the base, or a model or checkpoints that
    another job made, or that no ``job.json`` tells of.
    """
    path, base = folder / "job.json", Path(job.base)
    if base.is_dir() and base.resolve().is_relative_to(folder.resolve()):
        raise FileExistsError(f"{folder} holds the base {base}, which must stay as it is; take another folder")
    if not path.exists():
        require_no_model(folder)
        atomic_write_text(path, job.model_dump_json(indent=1))
        return
    try:
        there = Job.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise FileExistsError(f"{path}: no job: {explain(error)}; delete {folder} or take another folder") from None
    if there == job:
        return
    if not of_a_model(folder):  # the other job came to nothing
        with file_lock(path):
            atomic_write_text(path, job.model_dump_json(indent=1))
        return
    old, new = ({**j.model_dump(exclude={"recipe"}), **j.recipe.model_dump()} for j in (there, job))
    changes = "; ".join(f"{key} was {old[key]!r}, is {new[key]!r}" for key in new if old[key] != new[key])
    raise FileExistsError(f"{folder} holds a model of other settings ({changes}); delete it or take another folder")


def require_no_model(folder: Path) -> None:
    """Raise FileExistsError where a folder holds a model, a part of one, or a checkpoint: none may be written over."""
    if found := of_a_model(folder):
        mend = "put that file back if it was lost, else take another folder or delete this one"
        raise FileExistsError(
            f"{folder} holds {', '.join(found[:3])} but no job.json that says how it was made; {mend}"
        )


def of_a_model(folder: Path) -> list[str]:
    """What a model or a training has left in a folder."""
    parts = ("*.safetensors", "*.bin", "*.gguf", "*config.json", "*.index.json", "checkpoint-*", "loss.csv")
    return sorted(path.name for part in parts for path in folder.glob(part))


def require_whole(folder: Path, recipe: Recipe) -> None:
    """Raise FileNotFoundError where a finished model lacks a file that playing it needs, or weights are cut off."""
    from safetensors import SafetensorError, safe_open

    kind = "adapter_" if recipe.lora_rank else ""
    index, weights = folder / "model.safetensors.index.json", {f"{kind}model.safetensors"}
    try:
        if index.exists():  # a large model lies in several files
            weights = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        for name in (f"{kind}config.json", "tokenizer.json", "tokenizer_config.json"):
            json.loads((folder / name).read_text(encoding="utf-8"))
        for name in sorted(weights):
            with safe_open(folder / name, "pt"):
                pass
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        told = f"loss.csv says that this model is finished, but a file is missing or broken ({error})"
        raise FileNotFoundError(f"{folder}: {told}; put it back, or delete loss.csv to train on") from error
