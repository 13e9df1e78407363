"""Pre-training the nano model from scratch on chats of our own, with its ability to copy measured on the way.

``python -m agentrefine_lib.tuning.pretraining FOLDER`` makes the model that is shipped in ``nano_model``. A killed run
goes on from its last checkpoint: every step draws its own chats, so only weights and optimizer have to be kept.
"""

from __future__ import annotations

import json
import math
import random
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AttentionInterface, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from agentrefine_lib.tuning.mask import IGNORED
from agentrefine_lib.tuning.nano import build_model, build_tokenizer
from agentrefine_lib.tuning.pretraining.chats import tokenizer_texts, write_chat
from agentrefine_lib.tuning.pretraining.probe import measure


class Phase(NamedTuple):
    """A part of the training; later ones hold more of what copying needs, and longer rows."""

    steps: int
    tokens: int  # in a row
    questions: int  # at most, in a chat
    tables: float = 0.1  # share of the chats that are tables to look things up in
    repeats: int = 0  # rows of a step that are random tokens, said twice


class Plan(NamedTuple):
    """How the model is made; the defaults are those of the shipped one."""

    vocabulary: int = 2048
    width: int = 128
    layers: int = 4
    context: int = 4096
    phases: tuple[Phase, ...] = (
        Phase(1100, 512, 16, tables=0.35, repeats=1),
        Phase(150, 1024, 24, tables=0.35),
    )
    tokens_per_step: int = 2048
    learning_rate: float = 3e-3  # linear warm-up over 100 steps, then cosine to a twentieth
    save_every: int = 100
    probe_every: int = 500
    seed: int = 0


def pretrain(folder: Path, plan: Plan) -> LlamaForCausalLM:
    """Train as planned; model, tokenizer and ``pretrain.jsonl`` (loss and probes over tokens) lie in ``folder``."""
    torch.set_num_threads(1)
    torch.manual_seed(plan.seed)
    tokenizer = build_tokenizer(tokenizer_texts(plan.seed, 2000), plan.vocabulary)
    model = build_model(tokenizer, plan.width, plan.layers, plan.context, plan.seed)
    AttentionInterface.register("float32", _attend_in_float32)
    model.set_attn_implementation("float32")
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True
    )
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, log = folder / "checkpoint.pt", folder / "pretrain.jsonl"
    done, seen, spent = 0, 0, 0.0
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        done, seen, spent = kept["step"], kept["tokens"], kept["seconds"]
    total = sum(phase.steps for phase in plan.phases)
    losses: list[float] = []
    started = time.monotonic() - spent
    for step in range(done, total):
        phase = _phase(plan, step)
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * _schedule(step, total)
        ids, labels = _batch(tokenizer, plan, phase, step)
        loss = _loss(model, ids, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        seen += ids.numel()
        if (step + 1) % 50 == 0:
            print(step + 1, seen, round(time.monotonic() - started), sum(losses[-50:]) / 50, flush=True)
        if (step + 1) % plan.probe_every == 0 or step + 1 == total:
            row = {
                "step": step + 1,
                "tokens": seen,
                "seconds": round(time.monotonic() - started),
                "loss": sum(losses) / len(losses),
            }
            model.set_attn_implementation("sdpa")  # which knows of padding
            row |= measure(model, tokenizer, 50)
            model.set_attn_implementation("float32")
            with log.open("a") as lines:
                lines.write(json.dumps(row) + "\n")
        if (step + 1) % plan.save_every == 0 or step + 1 == total:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1, "tokens": seen}
            torch.save(state | {"seconds": time.monotonic() - started}, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").rename(checkpoint)
    model.set_attn_implementation("sdpa")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def _attend_in_float32(module: Any, *tensors: Tensor, **options: Any) -> Any:
    """PyTorch's attention is slower in bfloat16 than in float32 on a CPU, and its backward pass much."""
    with torch.autocast("cpu", enabled=False):
        return sdpa_attention_forward(module, *(t.float() if t is not None else t for t in tensors), **options)


def _schedule(step: int, total: int) -> float:
    return min((step + 1) / 100, 0.05 + 0.95 * (1 + math.cos(math.pi * step / total)) / 2)


def _phase(plan: Plan, step: int) -> Phase:
    for phase in plan.phases:
        if step < phase.steps:
            return phase
        step -= phase.steps
    raise ValueError("the plan has no such step")


def _batch(tokenizer: PreTrainedTokenizerFast, plan: Plan, phase: Phase, step: int) -> tuple[Tensor, Tensor]:
    """Rows of chats one after the other, cut at the row's end; only the assistant's tokens are labels."""
    ids, labels = [], []
    for row in range(plan.tokens_per_step // phase.tokens - phase.repeats):
        rng = random.Random(f"row {plan.seed} {step} {row}")
        row_ids: list[int] = []
        row_labels: list[int] = []
        while len(row_ids) <= phase.tokens:
            for message in write_chat(plan.seed + 1, rng.getrandbits(60), phase.questions, phase.tables):
                _append(tokenizer, message, row_ids, row_labels)
        ids.append(row_ids[: phase.tokens])
        labels.append(row_labels[1 : phase.tokens + 1])
    for row in range(phase.repeats):
        row_ids, row_labels = _repeats(random.Random(f"repeat {plan.seed} {step} {row}"), len(tokenizer), phase.tokens)
        ids.append(row_ids[: phase.tokens])
        labels.append(row_labels[1 : phase.tokens + 1])
    return torch.tensor(ids), torch.tensor(labels)


def _repeats(rng: random.Random, vocabulary: int, tokens: int) -> tuple[list[int], list[int]]:
    """Random sequences of 4 to 64 tokens, each said twice; the second time is learned from, but for its first token."""
    ids: list[int] = []
    labels: list[int] = []
    while len(ids) <= tokens:
        said = [rng.randrange(4, vocabulary) for _ in range(rng.randint(4, 64))]
        ids += said + said
        labels += [IGNORED] * (len(said) + 1) + said[1:]
    return ids, labels


def _append(tokenizer: PreTrainedTokenizerFast, message: dict[str, str], ids: list[int], labels: list[int]) -> None:
    """What the chat template makes of one message, without its overhead."""
    text = tokenizer.backend_tokenizer.encode(message["content"] + "<|end|>").ids
    ids += [tokenizer.convert_tokens_to_ids(f"<|{message['role']}|>"), *text]
    labels += [IGNORED, *(text if message["role"] == "assistant" else [IGNORED] * len(text))]


def _loss(model: Any, ids: Tensor, labels: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(ids, use_cache=False).last_hidden_state
        logits = model.lm_head(hidden[labels != IGNORED])
    return cross_entropy(logits.float(), labels[labels != IGNORED])
