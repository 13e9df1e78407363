"""Refinement tuning (the paper's equation 1) with transformers' Trainer on ready ids and labels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict
from torch.utils.data import Dataset
from tqdm import tqdm
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint

from agentrefine_lib.schema import Conversation
from agentrefine_lib.tuning.mask import IGNORED, Example, encode_all


class Recipe(BaseModel):
    """How a model is tuned. Every field is a notebook parameter of the same name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train_steps: int  # optimiser steps
    batch_size: int  # conversations per step
    learning_rate: float  # peak; linear warm-up over 5 % of the steps, then cosine to zero
    max_tokens: int  # longer conversations are left out and counted
    save_every: int  # steps between checkpoints; a killed run continues from the last
    seed: int


class ProgressLine(TrainerCallback):
    """A plain progress bar with the loss: it reaches a terminal through papermill, which the Trainer's own does not."""

    def __init__(self, name: str) -> None:
        self.name = name

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **rest: Any) -> None:
        self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc=self.name, unit="step", mininterval=1)

    def on_step_end(self, args: Any, state: TrainerState, control: Any, **rest: Any) -> None:
        self.bar.update()

    def on_log(self, args: Any, state: TrainerState, control: Any, logs: Any = None, **rest: Any) -> None:
        if "loss" in (logs or {}):
            self.bar.set_postfix_str(f"loss {float(logs['loss']):.3f}", refresh=False)

    def on_train_end(self, args: Any, state: TrainerState, control: Any, **rest: Any) -> None:
        self.bar.close()


class Examples(Dataset[dict[str, list[int]]]):
    """Encoded conversations as the Trainer reads them."""

    def __init__(self, examples: list[Example]) -> None:
        self.rows = [
            {"input_ids": e.input_ids, "labels": e.labels, "attention_mask": [1] * len(e.input_ids)} for e in examples
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        return self.rows[index]


def prepare(
    conversations: Iterable[Conversation], tokenizer: AutoTokenizer, max_tokens: int
) -> tuple[list[Example], int]:
    """Encode conversations; returns those that fit ``max_tokens`` and hold a trained token, and how many did not.

    A conversation is kept whole or not at all: cutting one would leave half a turn to learn from.
    """
    encoded = list(encode_all(conversations, tokenizer))
    kept = [e for e in encoded if len(e.input_ids) <= max_tokens and any(label != IGNORED for label in e.labels)]
    return kept, len(encoded) - len(kept)


def tune(base: Path | str, conversations: Iterable[Conversation], folder: Path, recipe: Recipe) -> pd.DataFrame:
    """Tune ``base`` on conversations and save model and tokenizer in ``folder``; a finished folder is left as it is.

    Returns the loss log: step, loss (nats per trained token, mean over the steps since the row before), learning_rate.
    """
    log_path = folder / "loss.csv"
    if log_path.exists():
        return pd.read_csv(log_path)
    torch.set_num_threads(1)  # two threads stall on two noisy cores
    tokenizer = AutoTokenizer.from_pretrained(base)
    examples, dropped = prepare(conversations, tokenizer, recipe.max_tokens)
    if not examples:
        mend = "raise it" if dropped else "there is nothing to learn from"
        raise ValueError(f"{folder.name}: none of {dropped} conversations fits max_tokens={recipe.max_tokens}; {mend}")
    trainer = Trainer(
        model=AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
        args=_arguments(folder, recipe),
        train_dataset=Examples(examples),
        data_collator=DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=IGNORED),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(ProgressLine(folder.name))
    checkpoint = get_last_checkpoint(folder) if folder.exists() else None
    trainer.train(resume_from_checkpoint=checkpoint)
    trainer.save_model(folder)
    tokenizer.save_pretrained(folder)
    log = pd.DataFrame([row for row in trainer.state.log_history if "loss" in row])[["step", "loss", "learning_rate"]]
    log = log.assign(examples=len(examples), dropped=dropped)
    log.to_csv(log_path, index=False)
    return log


def _arguments(folder: Path, recipe: Recipe) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=recipe.train_steps,
        per_device_train_batch_size=recipe.batch_size,
        train_sampling_strategy="group_by_length",
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, recipe.train_steps // 20),
        logging_steps=max(1, recipe.train_steps // 40),
        save_steps=recipe.save_every,
        save_total_limit=1,
        seed=recipe.seed,
        data_seed=recipe.seed,
        dataloader_pin_memory=False,
        report_to="none",
        disable_tqdm=True,
    )
