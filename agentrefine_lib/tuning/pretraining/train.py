"""Pre-training the nano model from scratch on chats of our own, with its ability to copy measured on the way.

A killed run goes on from its last checkpoint: every step draws its own chats, so only weights and optimizer are kept.
"""

from __future__ import annotations

import json
import math
import random
from collections import deque
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn.functional import cross_entropy
from tqdm import tqdm
from transformers import AttentionInterface, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from agentrefine_lib.schema import appears_whole
from agentrefine_lib.tuning.mask import IGNORED
from agentrefine_lib.tuning.nano import build_model, build_tokenizer
from agentrefine_lib.tuning.pretraining.chats import tokenizer_texts, write_chat
from agentrefine_lib.tuning.pretraining.drills import Chat, write_drill
from agentrefine_lib.tuning.pretraining.probe import measure

CHECKPOINT = "checkpoint.pt"


class Phase(BaseModel):
    """A part of the training with an optimizer of its own: from near to far, from single questions to long chats."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(gt=0)
    rows: int = Field(gt=0)  # in a step
    tokens: int = Field(gt=0)  # in a row
    drills: float = Field(ge=0, le=1)  # share of the chats that are drills
    questions: int = 10  # at most, in another chat
    tables: float = 0.12  # share of the other chats that are long tables
    decisions: float = 0.0  # share of the other chats that ask for the next step
    lookups: float = 0.0  # share of the other chats that ask where things are, before the share above is taken
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
    seed: int = 0


def pretrain(folder: Path, plan: Plan) -> pd.DataFrame:
    """Train as planned and save model, tokenizer and ``pretrain.jsonl`` in ``folder``; a finished one is left alone.

    Returns the log: step, tokens, loss (nats per token of an answer, mean of 50 steps), and the accuracy of each probe
    of ``measure``.
    """
    log = folder / "pretrain.jsonl"
    if (folder / "model.safetensors").exists():
        return pd.read_json(log, lines=True)
    torch.set_num_threads(1)  # two threads stall on two noisy cores
    tokenizer = build_tokenizer(tokenizer_texts(plan.seed, 2000), plan.vocabulary)
    model = build_model(tokenizer, plan.width, plan.layers, plan.context, plan.seed)
    model.set_attn_implementation("float32")
    folder.mkdir(parents=True, exist_ok=True)
    steps = [(number, step) for number, phase in enumerate(plan.phases) for step in range(phase.steps)]
    done, seen, kept = _restore(folder, model)  # a killed run may have logged a step twice: same seed, same numbers
    losses: deque[float] = deque(maxlen=50)
    optimizer: torch.optim.Optimizer | None = None
    for number, step in (bar := tqdm(steps[done:], initial=done, total=len(steps), desc="pre-training", mininterval=5)):
        phase = plan.phases[number]
        if optimizer is None or step == 0:
            optimizer = _optimizer(model, plan)
            if kept and step:
                optimizer.load_state_dict(kept)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * _schedule(phase, step)
        ids, labels = _batch(tokenizer, phase, f"{plan.seed} {number} {step}")
        loss = _loss(model, ids, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        seen, done = seen + ids.numel(), done + 1
        bar.set_postfix_str(f"loss {fmean(losses):.3f}", refresh=False)
        if done % plan.save_every == 0 or done == len(steps):
            _save(folder, model, optimizer, done, seen)
        if done % plan.probe_every == 0 or done == len(steps):
            row = {"step": done, "tokens": seen, "loss": fmean(losses)} | measure(model, tokenizer, plan.n_probes)
            with log.open("a") as lines:
                lines.write(json.dumps(row) + "\n")
    model.set_attn_implementation("sdpa")
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    return pd.read_json(log, lines=True)


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


def _batch(tokenizer: PreTrainedTokenizerFast, phase: Phase, seed: str) -> tuple[Tensor, Tensor]:
    """Ids and labels, (rows, tokens): chats one after the other, cut at the row's end; only replies are labels."""
    ids, labels = [], []
    for row in range(phase.rows):
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
    if rng.random() < phase.drills:
        return write_drill(rng)
    return write_chat(1, rng.getrandbits(60), phase.questions, phase.tables, phase.decisions, phase.lookups)


def _say_twice(rng: random.Random, vocabulary: int, ids: list[int], labels: list[int]) -> None:
    """4 to 64 random tokens, twice; the second time is learned from, but for its first token."""
    said = [rng.randrange(4, vocabulary) for _ in range(rng.randint(4, 64))]
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


def _loss(model: Any, ids: Tensor, labels: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(ids, use_cache=False).last_hidden_state
        logits = model.lm_head(hidden[labels != IGNORED])
    return cross_entropy(logits.float(), labels[labels != IGNORED])
