"""Refinement tuning (the paper's equation 1) with transformers' Trainer on ready ids and labels.

Rows are padding-free (``batches``), and the model's last layer, its largest, is computed for trained tokens only. The
loss of a step is its mean over all trained tokens of the step, however many processes or parts share it.
"""

import csv
import io
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic_core import from_json
from tqdm import tqdm
from transformers import (
    AutoModelForCausalLM,
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerState,
    TrainingArguments,
)

from agentrefine_lib.schema import Conversation, atomic_write_text, file_lock
from agentrefine_lib.schema.progress import bar_stream
from agentrefine_lib.tuning.base import load_tokenizer
from agentrefine_lib.tuning.batches import ISOLATING, Examples, Flatten, Order
from agentrefine_lib.tuning.card import write_model_card
from agentrefine_lib.tuning.mask import IGNORED, REASONS, Example, prepare
from agentrefine_lib.tuning.recipe import Job, Recipe, add_adapter, claim, describe, require_whole

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("refinement", "ordinary")  # trained replies right after a masked one, and all others


class ProgressLine(TrainerCallback):
    """A plain progress bar with the loss: it reaches a terminal through papermill, which the Trainer's own does not."""

    def __init__(self, name: str) -> None:
        self.name = name

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **rest: Any) -> None:
        self.bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc=self.name,
            unit="step",
            mininterval=1,
            disable=not state.is_world_process_zero,
            file=bar_stream(),
        )

    def on_step_end(self, args: Any, state: TrainerState, control: Any, **rest: Any) -> None:
        self.bar.update()

    def on_log(self, args: Any, state: TrainerState, control: Any, logs: Any = None, **rest: Any) -> None:
        if "loss" in (logs or {}):
            self.bar.set_postfix_str(f"loss {float(logs['loss']):.3f}", refresh=False)

    def on_train_end(self, args: Any, state: TrainerState, control: Any, **rest: Any) -> None:
        self.bar.close()


class RefinementTrainer(Trainer):
    """Equation 1, and what refinements and ordinary replies contribute to it."""

    loss_is_scaled_for_ga = True  # it is divided by the trained tokens of the whole step

    def __init__(self, recipe: Recipe, **rest: Any) -> None:
        super().__init__(**rest)
        self.recipe = recipe
        self.model_accepts_loss_kwargs = True  # so that the step's trained tokens are counted and handed over
        self.tally = torch.zeros(2, 2, dtype=torch.float64)  # a row per kind: nats, tokens; since the last log

    def _get_train_sampler(self, train_dataset: Any = None) -> Order:
        total = self.recipe.train_steps * self.recipe.batch_size
        return Order(len(self.train_dataset), total, self.recipe.seed)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Nats of the part's trained tokens, over the trained tokens of the whole step."""
        nats, mends = token_losses(model, inputs)
        with torch.no_grad():
            kinds = torch.stack([mends, ~mends])
            wide = torch.float32 if nats.device.type == "mps" else torch.float64  # which Apple's GPUs do not have
            sums = torch.stack([torch.where(kinds, nats.to(wide), 0.0).sum(-1), kinds.sum(-1)], dim=-1)
            self.tally = self.tally.to(sums) + sums  # stays on the device: to read it would wait for the step
        # the mean of the gradients over processes is theirs summed, divided by their number
        loss = nats.sum() / num_items_in_batch * self.accelerator.num_processes
        return (loss, {"nats": nats}) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds ``loss_refinement`` and ``loss_ordinary``: nats per token of that kind since the last log."""
        if "loss" in logs:
            sums = self.accelerator.reduce(self.tally.to(self.args.device)).tolist()
            self.tally.zero_()
            for kind, (nats, tokens) in zip(KINDS, sums, strict=True):
                logs[f"loss_{kind}"] = nats / tokens if tokens else float("nan")
        super().log(logs, start_time)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        here = Path(self.args.output_dir)  # one process writes, and removes what is too old
        now = here / f"checkpoint-{self.state.global_step}"  # what a kill or a full disk left of it may be there
        earlier = [old for old in here.glob("checkpoint-*") if old != now] if self.args.should_save else []
        for old in earlier:
            step = int(old.name.partition("-")[2])
            os.utime(old, (step, step))  # the oldest is deleted by its time: a clock set back would cost the new one
        super()._save_checkpoint(model, trial)
        for state in (state for old in earlier for state in old.glob("optimizer*")):  # only the newest continues a run
            state.unlink() if state.is_file() else shutil.rmtree(state)


def token_losses(model: Any, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Negative log-likelihood in nats of each trained token of a ``Flatten`` batch, and whether it is of a refinement.

    Both have shape (trained tokens,), in order. Other tokens get no logits: they cannot contribute.
    """
    read = {key: value for key, value in batch.items() if key not in ("labels", "refined")}
    labels, refined = batch["labels"][0, 1:], batch["refined"][0, 1:]
    trained = (labels != IGNORED).nonzero()[:, 0]  # position i predicts token i + 1
    # with a cache transformers would not look for borders in a row, and sdpa and eager would mix conversations
    logits = model(**read, logits_to_keep=trained, use_cache=False).logits[0]
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return torch.nn.functional.cross_entropy(logits, labels[trained], reduction="none"), refined[trained]


def tune(base: Path | str, conversations: Sequence[Conversation], folder: Path, recipe: Recipe) -> "pd.DataFrame":
    """``train``, and the loss log: step, loss, loss_refinement, loss_ordinary (nats per trained token, mean over the
    steps since the row before), learning_rate, and in every row examples, read and dropped: how many conversations
    there were to learn from, how many the steps read, how many were left out, and REASONS: how many for each."""
    train(base, conversations, folder, recipe)
    return read_log(folder)


def read_log(folder: Path) -> "pd.DataFrame":
    """The loss log of a finished model."""
    import pandas as pd  # here: training needs none, and compute nodes may have none

    return pd.read_csv(folder / "loss.csv")


def train(base: Path | str, conversations: Sequence[Conversation], folder: Path, recipe: Recipe) -> None:
    """Tune ``base`` on conversations; model, tokenizer, card and log go to ``folder``, a finished one is left as it is.

    A run that was killed continues from its last checkpoint and ends with the same weights. Raises FileExistsError
    where the folder holds a model made otherwise or the base itself, FileNotFoundError where a finished one lacks a
    file, SchemaError while another run trains there.
    """
    job, log_path = describe(base, conversations, recipe), folder / "loss.csv"
    first = os.environ.get("RANK", "0") == "0"  # the processes of a distributed run share the folder; this one speaks
    if first:
        claim(folder, job)
    if log_path.exists():
        require_whole(folder, recipe)
        return
    with file_lock(folder / "job.json") if first else nullcontext(), _kept(folder):
        _train(base, conversations, folder, job)


def _train(base: Path | str, conversations: Sequence[Conversation], folder: Path, job: Job) -> None:
    torch.set_num_threads(1)  # two threads stall on two noisy cores
    tokenizer = load_tokenizer(base)
    examples, left_out = prepare(conversations, tokenizer, job.recipe.max_tokens)
    recipe = job.recipe.over(len(examples))
    told = "; ".join(
        f"{reason} {len(ids)} ({', '.join([*ids[:3], '…'][: len(ids)])})" for reason, ids in left_out.items()
    )
    if not examples:
        mend = f"; max_tokens={recipe.max_tokens}: raise it" if "over_max_tokens" in left_out else ""
        found = f"found nothing to train on in {job.conversations} conversations"
        raise ValueError(f"{folder.name}: {found}: left out: {told or 'none'}{mend}")
    trainer = make_trainer(base, examples, folder, recipe)
    if left_out and trainer.is_world_process_zero():
        print(f"{folder.name}: {len(examples)} conversations to train on; left out: {told}", flush=True)
    trainer.train(resume_from_checkpoint=last_checkpoint(folder))
    trainer.save_model(folder)
    why = {reason: len(left_out.get(reason, ())) for reason in REASONS}
    read = min(len(examples), recipe.train_steps * recipe.batch_size)
    same = {"examples": len(examples), "read": read, "dropped": sum(why.values())} | why
    columns = ("step", "loss", *(f"loss_{kind}" for kind in KINDS), "learning_rate")
    rows = [row for row in trainer.state.log_history if "loss" in row]
    if trainer.is_world_process_zero():
        done = job.model_copy(update={"recipe": recipe})  # its passes over the data as steps
        _finish(folder, tokenizer, done, [{name: row[name] for name in columns} | same for row in rows])
    trainer.accelerator.wait_for_everyone()


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """What torch and safetensors say of a full disk names neither the disk nor what is left."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, ValueError):  # of the data or the recipe
            told = f"{folder}, {shutil.disk_usage(folder).free / 2**20:,.0f} MiB free"
            kept = (
                ": its last whole checkpoint is kept; run the same again to continue" if last_checkpoint(folder) else ""
            )
            error.add_note(told + kept)
        raise


def _finish(folder: Path, tokenizer: Any, job: Job, log: list[dict[str, Any]]) -> None:
    tokenizer.save_pretrained(folder)
    write_model_card(folder, job, log)
    table = io.StringIO()
    writer = csv.DictWriter(table, list(log[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value != value else value for name, value in row.items()} for row in log)  # no nan
    atomic_write_text(folder / "loss.csv", table.getvalue())  # last: it says that the model is finished


def make_trainer(base: Path | str, examples: Sequence[Example], folder: Path, recipe: Recipe) -> RefinementTrainer:
    """The trainer of a recipe, in every process of a distributed run."""
    torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for every length, and every conversation has its own
    trainer = RefinementTrainer(
        recipe,
        model=load_base(base, recipe),
        args=training_arguments(folder, recipe),
        train_dataset=Examples(examples),
        data_collator=Flatten(),
    )
    sharding = getattr(trainer.accelerator.state, "fsdp_plugin", None)
    if recipe.lora_rank and sharding is not None and sharding.activation_checkpointing:  # it renames the layers
        told = "found true, expected false with lora_rank above 0, where PEFT would save an empty adapter"
        raise ValueError(f"fsdp_activation_checkpointing: {told}; set gradient_checkpointing in the recipe instead")
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(ProgressLine(folder.name))
    return trainer


def load_base(base: Path | str, recipe: Recipe) -> PreTrainedModel:
    """The model to tune, with a new adapter where the recipe has a rank."""
    if recipe.attention not in ISOLATING:  # the others mix the conversations of a row
        raise ValueError(f"attention: found {recipe.attention!r}, expected one of {', '.join(ISOLATING)}")
    half = recipe.lora_rank and recipe.precision == "bfloat16"  # frozen weights need no float32
    how = {"dtype": torch.bfloat16 if half else torch.float32, "attn_implementation": recipe.attention}
    model = AutoModelForCausalLM.from_pretrained(base, trust_remote_code=False, **how)
    if recipe.lora_rank:
        torch.manual_seed(recipe.seed)
        model = add_adapter(model, recipe.lora_rank, recipe.lora_alpha)
    if recipe.compiled:
        compile_layers(model)
    return model


def compile_layers(model: PreTrainedModel) -> None:
    """Compile all of every layer but its attention, whose calls differ from conversation to conversation."""
    for name, part in model.named_modules():
        if name.endswith(("layernorm", ".mlp")):
            part.compile(dynamic=True)


def last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end, or None; the trainer's state is what it writes last."""
    states = folder.glob("checkpoint-*/trainer_state.json")
    for state in sorted(states, key=lambda path: -int(path.parent.name.split("-")[1])):
        with suppress(ValueError):
            from_json(state.read_bytes())
            return str(state.parent)
    return None


def training_arguments(folder: Path, recipe: Recipe) -> TrainingArguments:
    """The recipe in transformers' words; raises ValueError where processes and parts cannot share a step evenly."""
    log_every = max(1, recipe.train_steps // 40)
    if recipe.epochs:
        log_every = gcd(log_every, recipe.save_every)  # a checkpoint ends each pass
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=recipe.train_steps,
        gradient_accumulation_steps=recipe.accumulation,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, int(recipe.train_steps * recipe.warmup + 1e-9)) if recipe.warmup else 0,
        weight_decay=recipe.weight_decay,
        optim=recipe.optimizer,
        bf16=recipe.precision == "bfloat16",
        use_cpu=not torch.accelerator.is_available() and recipe.precision == "bfloat16",  # it has to be asked for there
        activation_checkpointing=recipe.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False},
        logging_steps=log_every,
        logging_nan_inf_filter=False,  # a loss that is no number is shown as such
        save_steps=-(-recipe.save_every // log_every) * log_every,  # a resumed run has lost no half row of the log
        save_total_limit=recipe.checkpoints,
        seed=recipe.seed,
        data_seed=recipe.seed,
        ddp_find_unused_parameters=False,  # there are none
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        report_to=recipe.report_to,
        disable_tqdm=True,
    )
    shares = arguments.world_size * recipe.accumulation
    if recipe.batch_size % shares:
        parts = f"{arguments.world_size} processes × {recipe.accumulation} accumulated parts"
        raise ValueError(f"batch_size: found {recipe.batch_size}, expected a multiple of {shares} ({parts})")
    arguments.per_device_train_batch_size = recipe.batch_size // shares
    return arguments
