"""Pre-training the nano model from scratch on chats of our own, with its ability to copy measured on the way.

A killed run goes on from its last checkpoint: every step draws its own chats, so only weights and optimizer are kept.
"""

from __future__ import annotations

import json
import math
import random
from collections import deque
from collections.abc import Iterable
from datetime import timedelta
from multiprocessing import parent_process
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import torch
import torch.multiprocessing
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, distributed
from torch.nn.functional import cross_entropy
from tqdm import tqdm
from transformers import AttentionInterface, AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from agentrefine_lib.schema import appears_whole, held
from agentrefine_lib.tuning.mask import IGNORED
from agentrefine_lib.tuning.nano import build_model, build_tokenizer
from agentrefine_lib.tuning.pretraining.chats import tokenizer_texts, write_chat
from agentrefine_lib.tuning.pretraining.drills import Chat, write_drill, write_letters
from agentrefine_lib.tuning.pretraining.probe import measure

CHECKPOINT, LOG = "checkpoint.pt", "pretrain.jsonl"


class Phase(BaseModel):
    """A part of the training with an optimizer of its own: from near to far, from single questions to long chats."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(gt=0)
    rows: int = Field(gt=0)  # in a step
    tokens: int = Field(gt=0)  # in a row
    drills: float = Field(ge=0, le=1)  # share of the chats that are drills
    letters: float = 0.0  # share of the chats that are tables of random letters, before the share above is taken
    questions: int = 10  # at most, in another chat
    tables: float = 0.12  # share of the other chats that are long tables
    decisions: float = 0.0  # share of the other chats that ask for the next step
    lookups: float = 0.0  # share of the other chats that ask where things are, before the share above is taken
    steps_asked: float = 0.0  # share of the other chats that do both, before the shares above are taken
    repeats: int = 0  # rows of random tokens said twice, so that the wiring is not unlearned
    warm_up: int = 50  # steps
    decays: bool = False  # to a twentieth of the rate, along a cosine


class Plan(BaseModel):
    """How the model is made; ``params/nano.yaml`` says how the shipped one was."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vocabulary: int
    width: int
    layers: int
    context: int
    phases: list[Phase] = Field(min_length=1)
    wired_rate: float  # learning rate of attention in the first two layers: at 3e-3 the wiring was lost in 300 steps
    embedding_rate: float
    learning_rate: float  # of the rest
    save_every: int = 100
    probe_every: int = 1000
    n_probes: int = 50  # prompts of each kind
    processes: int = Field(default=1, gt=0)  # of one thread each, which share the rows of a step
    seed: int = 0

    @model_validator(mode="after")
    def _each_has_a_row(self) -> Plan:
        if (fewest := min(phase.rows for phase in self.phases)) < self.processes:
            raise ValueError(
                f"processes: found {self.processes}, expected at most {fewest}, the fewest rows of a phase"
            )
        return self


def pretrain(folder: Path, plan: Plan) -> pd.DataFrame:
    """Train as planned and save model, tokenizer and ``pretrain.jsonl`` in ``folder``; a finished one is left alone.

    Returns the log: step, tokens, loss (nats per token of an answer, mean of 50 steps), and the accuracy of each probe
    of ``measure``.
    """
    if not (folder / "model.safetensors").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with held(folder / LOG):
            build_tokenizer(tokenizer_texts(plan.seed, 2000), plan.vocabulary).save_pretrained(folder)
            if plan.processes == 1:
                _pretrain(0, folder, plan)
            else:
                with TemporaryDirectory() as meeting:
                    torch.multiprocessing.spawn(_join, (folder, plan, f"file://{meeting}/point"), plan.processes)
    return pd.read_json(folder / LOG, lines=True)


def _join(rank: int, folder: Path, plan: Plan, meeting: str) -> None:
    """One of several processes: they add up their gradients in every step."""
    distributed.init_process_group("gloo", meeting, world_size=plan.processes, rank=rank, timeout=timedelta(minutes=10))
    try:
        _pretrain(rank, folder, plan)
    finally:
        distributed.destroy_process_group()


def _pretrain(rank: int, folder: Path, plan: Plan) -> None:
    torch.set_num_threads(1)  # two threads stall on two noisy cores
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    model = build_model(tokenizer, plan.width, plan.layers, plan.context, plan.seed)
    model.set_attn_implementation("float32")
    steps = [(number, step) for number, phase in enumerate(plan.phases) for step in range(phase.steps)]
    done, seen, kept = _restore(folder, model)  # a killed run may have logged a step twice: same seed, same numbers
    losses: deque[float] = deque(maxlen=50)
    optimizer: torch.optim.Optimizer | None = None
    bar = tqdm(steps[done:], initial=done, total=len(steps), desc="pre-training", mininterval=5, disable=rank > 0)
    for number, step in bar:
        phase = plan.phases[number]
        if optimizer is None or step == 0:
            optimizer = _optimizer(model, plan)
            if kept and step:
                optimizer.load_state_dict(kept)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * _schedule(phase, step)
        if (parent := parent_process()) and not parent.is_alive():
            raise SystemExit  # whoever started this process was killed, and may start another run
        rows = range(rank, phase.rows, plan.processes)
        losses.append(_backward(model, *_batch(tokenizer, phase, f"{plan.seed} {number} {step}", rows)))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seen, done = seen + phase.rows * phase.tokens, done + 1
        bar.set_postfix_str(f"loss {fmean(losses):.3f}", refresh=False)
        last = done == len(steps)
        if rank == 0 and (done % plan.save_every == 0 or last):
            _save(folder, model, optimizer, done, seen)
        if rank == 0 and (done % plan.probe_every == 0 or last):
            row = {"step": done, "tokens": seen, "loss": fmean(losses)} | measure(model, tokenizer, plan.n_probes)
            with (folder / LOG).open("a") as lines:
                lines.write(json.dumps(row) + "\n")
    if rank == 0:
        model.set_attn_implementation("sdpa")
        model.save_pretrained(folder)


def _backward(model: LlamaForCausalLM, ids: Tensor, labels: Tensor) -> float:
    """The gradient of the mean over all answers' tokens of a step, whoever has them; returns that mean."""
    nats, count = _nats(model, ids, labels), (labels != IGNORED).sum()
    nats.backward()
    sums = torch.stack([nats.detach(), count.float()])
    gradients = [weights.grad for weights in model.parameters() if weights.grad is not None]
    if distributed.is_initialized():
        joined = torch.cat([sums, *(gradient.flatten() for gradient in gradients)])
        distributed.all_reduce(joined)
        sums, *parts = joined.split([2, *(gradient.numel() for gradient in gradients)])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))
    for gradient in gradients:
        gradient /= sums[1]
    return (sums[0] / sums[1]).item()


def _optimizer(model: LlamaForCausalLM, plan: Plan) -> torch.optim.Optimizer:
    """Three groups, each with its own peak of the learning rate."""
    wired = list(model.model.layers[0].self_attn.parameters()) + list(model.model.layers[1].self_attn.parameters())
    embedding = list(model.model.embed_tokens.parameters())
    apart = {id(weights) for weights in (*wired, *embedding)}
    rest = [weights for weights in model.parameters() if id(weights) not in apart]
    rates = (wired, plan.wired_rate), (embedding, plan.embedding_rate), (rest, plan.learning_rate)
    groups = [{"params": weights, "lr": rate, "peak": rate} for weights, rate in rates]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0, fused=True)


def _save(folder: Path, model: LlamaForCausalLM, optimizer: torch.optim.Optimizer, step: int, tokens: int) -> None:
    """A checkpoint that is there whole or not at all."""
    kept = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "tokens": tokens}
    with appears_whole(folder / CHECKPOINT) as part:
        torch.save(kept, part)


def _restore(folder: Path, model: LlamaForCausalLM) -> tuple[int, int, dict[str, Any]]:
    """Steps and tokens behind the checkpoint and its optimizer's state, if there is one."""
    if not (folder / CHECKPOINT).exists():
        return 0, 0, {}
    kept = torch.load(folder / CHECKPOINT, weights_only=True)
    model.load_state_dict(kept["model"])
    return kept["step"], kept["tokens"], kept["optimizer"]


def _schedule(phase: Phase, step: int) -> float:
    decayed = 0.05 + 0.95 * (1 + math.cos(math.pi * step / phase.steps)) / 2 if phase.decays else 1.0
    return min(1.0, (step + 1) / phase.warm_up) * decayed


def _batch(tokenizer: PreTrainedTokenizerFast, phase: Phase, seed: str, rows: Iterable[int]) -> tuple[Tensor, Tensor]:
    """Ids and labels, (rows, tokens): chats one after the other, cut at the row's end; only replies are labels."""
    ids, labels = [], []
    for row in rows:
        rng = random.Random(f"row {seed} {row}")
        row_ids: list[int] = []
        row_labels: list[int] = []
        while len(row_ids) <= phase.tokens:
            if row < phase.repeats:
                _say_twice(rng, len(tokenizer), row_ids, row_labels)
            else:
                append(tokenizer, _draw(rng, phase), row_ids, row_labels)
        ids.append(row_ids[: phase.tokens])
        labels.append(row_labels[1 : phase.tokens + 1])
    return torch.tensor(ids), torch.tensor(labels)


def _draw(rng: random.Random, phase: Phase) -> Chat:
    if phase.letters and rng.random() < phase.letters:
        return write_letters(rng)
    if rng.random() < phase.drills:
        return write_drill(rng)
    shares = phase.tables, phase.decisions, phase.lookups, phase.steps_asked
    return write_chat(1, rng.getrandbits(60), phase.questions, *shares)


def _say_twice(rng: random.Random, vocabulary: int, ids: list[int], labels: list[int]) -> None:
    """4 to 64 random tokens, twice; the second time is learned from, but for its first token.

    In half of the cases only a few tokens are used, so that what comes next depends on more than the one before.
    """
    said = [rng.randrange(4, vocabulary) for _ in range(rng.randint(4, 64))]
    if rng.random() < 0.5:
        few = said[: rng.randint(4, 16)]
        said = [rng.choice(few) for _ in said]
    ids += said + said
    labels += [IGNORED] * (len(said) + 1) + said[1:]


def append(tokenizer: PreTrainedTokenizerFast, chat: Chat, ids: list[int], labels: list[int]) -> None:
    """What the chat template makes of a chat, without its overhead."""
    for message in chat:
        text = tokenizer.backend_tokenizer.encode(message["content"] + "<|end|>").ids
        ids += [tokenizer.convert_tokens_to_ids(f"<|{message['role']}|>"), *text]
        labels += [IGNORED, *(text if message["role"] == "assistant" else [IGNORED] * len(text))]


def _attend_in_float32(module: Any, *states: Any, **options: Any) -> Any:
    """Scores in bfloat16 are too coarse for the wired heads, which compare in sharp angles, and not faster here."""
    with torch.autocast("cpu", enabled=False):
        wide = (state if state is None else state.float() for state in states)
        return sdpa_attention_forward(module, *wide, **options)


AttentionInterface.register("float32", _attend_in_float32)


def _nats(model: Any, ids: Tensor, labels: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(ids, use_cache=False).last_hidden_state
        logits = model.lm_head(hidden[labels != IGNORED])
    return cross_entropy(logits.float(), labels[labels != IGNORED], reduction="sum")
