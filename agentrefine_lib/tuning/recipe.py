"""How a model is tuned, and the record of it that lies beside every tuned model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agentrefine_lib.schema import Conversation, write_whole
from agentrefine_lib.tuning.base import FOLDER, SMOLLM2


class Recipe(BaseModel):
    """How a model is tuned. Every field is a notebook parameter of the same name (``seed`` is ``training_seed``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train_steps: int = Field(gt=0)  # optimiser steps
    batch_size: int = Field(gt=0)  # conversations per step, over all processes and accumulated parts
    learning_rate: float  # peak; linear warm-up over 5 % of the steps, then cosine to zero
    max_tokens: int  # longer conversations are left out and counted
    save_every: int = Field(gt=0)  # steps between checkpoints; a killed run continues from the last
    seed: int  # order of the data, and a new adapter's weights
    accumulation: int = Field(default=1, gt=0)  # parts that a process takes its share of a step in; less memory
    lora_rank: int = Field(default=0, ge=0)  # of an adapter on every linear layer; 0: all weights are tuned
    lora_alpha: int = 16  # the adapter's output is scaled by lora_alpha / lora_rank
    precision: Literal["float32", "bfloat16"] = "float32"  # of the computation; fully tuned weights stay in float32
    gradient_checkpointing: bool = False  # compute activations twice, keep few of them
    optimizer: str = "adamw_torch"  # a name that transformers knows, e.g. adamw_torch_fused, paged_adamw_8bit
    weight_decay: float = 0.0
    attention: str = "by_sample"  # or flash_attention_2, sdpa, eager: see ``batches``
    report_to: str = "none"  # tensorboard, wandb, mlflow, …


def add_adapter(model: Any, rank: int, alpha: int = 16) -> Any:
    """The model with a new adapter of this rank on every linear layer, which alone is tuned."""
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(r=rank, lora_alpha=alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(model, lora)


class Job(BaseModel):
    """What a tuned model is made from: two equal jobs make equal models."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str  # folder, hub name or "smollm2"
    data_sha256: str
    conversations: int
    recipe: Recipe


def describe(base: Path | str, conversations: Iterable[Conversation], recipe: Recipe) -> Job:
    """The job of tuning ``base`` on the conversations; their hash is over one line of JSON each, in order."""
    digest, count = hashlib.sha256(), 0
    for count, conversation in enumerate(conversations, start=1):  # noqa: B007
        digest.update(conversation.to_json().encode() + b"\n")
    name = SMOLLM2 if Path(base) == FOLDER else str(base)  # the same model wherever it lies
    return Job(base=name, data_sha256=digest.hexdigest(), conversations=count, recipe=recipe)


def claim(folder: Path, job: Job) -> None:
    """Mark a folder as a job's; raises FileExistsError where it already holds another job's model or checkpoints."""
    path = folder / "job.json"
    if not path.exists():
        write_whole(path, job.model_dump_json(indent=1))
        return
    there = Job.model_validate_json(path.read_text(encoding="utf-8"))
    if there == job:
        return
    old, new = ({**j.model_dump(exclude={"recipe"}), **j.recipe.model_dump()} for j in (there, job))
    changes = "; ".join(f"{key} was {old[key]!r}, is {new[key]!r}" for key in new if old[key] != new[key])
    raise FileExistsError(f"{folder} holds a model made otherwise ({changes}); delete it or take another folder")
