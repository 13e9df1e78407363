"""What one GPU does: exactness against the processor, speed of tuning and of playing. At most eight minutes.

    make gpu                                    # benchmarks/gpu.json, with the card's name
    python benchmarks/gpu.py --device cpu --tiny --out /tmp/gpu.json   # the same steps, mechanically, anywhere

Needs no network, and of packages torch, transformers, peft, pydantic and google-re2 only. Tuning is a full step
(forward, backward, optimiser) on conversations of the embedded teacher, end to end in a row: SmolLM2 on 8 of them, a
model of Llama-3-8B's shape with random weights on 6, both with an adapter of rank 16. Operations are counted as 4 a
parameter and token, 6 with activation checkpointing, attention left out; ``share`` is of the card's dense bfloat16 peak
on its data sheet. A variant that fails is told with its error; what the time does not allow is left out and said so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.environments import panel
from agentrefine_lib.policies import LocalPolicy
from agentrefine_lib.policies.generation import pick_device
from agentrefine_lib.rollout import Limits, roll_out
from agentrefine_lib.schema import Conversation, Episode, Trajectory, read_jsonl
from agentrefine_lib.teachers import MECHANICS, Brief, EmbeddedTeacher, embedded_persona
from agentrefine_lib.tuning import SMOLLM2, Recipe, base_folder, batches, prepare
from agentrefine_lib.tuning.batches import Examples, Flatten
from agentrefine_lib.tuning.recipe import add_adapter
from agentrefine_lib.tuning.train import token_losses, train
from agentrefine_lib.verify import check_script, parse_turns

PEAKS = {
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "H200": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "B200": 2250e12,
}  # dense bfloat16, data sheets
LLAMA_8B = {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "vocab_size": 128_256}
LLAMA_8B |= {"num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 8192}
TINY = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "vocab_size": 49_152}
TINY |= {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096}
Row = dict[str, Any]


class Bench:
    """One run: the device, its rows, and the time that is left."""

    def __init__(self, device: str, tiny: bool, limit_s: float) -> None:
        self.device, self.tiny, self.until = device, tiny, time.monotonic() + limit_s
        self.rows: list[Row] = []
        name = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or platform.machine()
        self.peak = next((peak for known, peak in PEAKS.items() if known in name), None) if device == "cuda" else None
        self.card = name

    def row(self, what: str, work: Callable[[], Row], at_least_s: float = 0.0) -> None:
        """Do one piece of work and keep what it measured, or why it did not."""
        begun = time.monotonic()
        if begun + at_least_s > self.until:
            found: Row = {"left out": "no time left"}
        else:
            try:
                found = work()
            except Exception as error:
                found = {"error": f"{type(error).__name__}: {error}"[:300]}
        torch.cuda.empty_cache()
        self.rows.append({"what": what, **found, "took_s": round(time.monotonic() - begun, 1)})
        shown = "  ".join(f"{key} {value}" for key, value in self.rows[-1].items() if key != "what")
        print(f"{what:44} {shown}", flush=True)

    def wait(self) -> float:
        """Seconds on the clock, the device's work done."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def conversations(count: int) -> list[Conversation]:
    """Of the embedded teacher, not verified: their lengths are what matters here."""
    teacher, made = EmbeddedTeacher(), []

    async def one(seed: int) -> Conversation:
        brief = Brief(embedded_persona(seed), seed)
        script: Any = check_script(await teacher.write_script(brief))
        turns, _ = parse_turns(await teacher.play(brief, script, []))
        return to_conversation(Trajectory(id=f"t-{seed:04d}", script=script, turns=turns))

    for seed in range(count):
        made.append(asyncio.run(one(seed)))
    return made


def exactness(bench: Bench, rows: Examples, vocabulary: int, dtype: torch.dtype) -> Row:
    """Loss and gradients of a small model on the device, relative to those of float32 on the processor."""
    config = LlamaConfig(**TINY | {"vocab_size": vocabulary, "tie_word_embeddings": True})
    config._attn_implementation = "by_sample"
    batch, found = Flatten()([rows[i] for i in range(3)]), []
    for device in ("cpu", bench.device):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config).float().to(device)
        half = dtype != torch.float32 and len(found) == 1
        with torch.autocast(device, dtype, enabled=half):
            loss = token_losses(model, on(batch, device))[0].mean()
        loss.backward()
        found.append((loss.item(), torch.cat([weight.grad.cpu().flatten() for weight in model.parameters()])))
    (loss, gradient), (theirs, their_gradient) = found
    off = (their_gradient - gradient).norm() / gradient.norm()
    return {"loss_off": f"{abs(theirs / loss - 1):.1e}", "gradient_off": f"{off:.1e}"}


def on(batch: Row, device: str) -> Row:
    return {name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in batch.items()}


@contextmanager
def attending(how: str) -> Iterator[None]:
    """One call for a "row", or one a conversation, in "parts"; "cudnn": with the plans that PyTorch picks on Hopper."""
    in_one_call = batches.in_one_call
    torch.backends.cuda.enable_cudnn_sdp(how == "cudnn")
    if how != "row":
        batches.in_one_call = lambda query: None
    try:
        yield
    finally:
        batches.in_one_call = in_one_call
        torch.backends.cuda.enable_cudnn_sdp(False)


def steps(bench: Bench, make: Callable[[], Any], rows: Examples, share: int, how: str = "row", **more: bool) -> Row:
    """Full steps of a model that ``make`` makes, ``share`` conversations each, none of them twice."""
    model = make()
    if more.get("checkpointing"):
        model.get_base_model().activation_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    if more.get("compiled"):  # by region: each decoder layer
        for layer in model.get_base_model().model.layers:
            layer.compile(dynamic=True)
    weights = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    warm, timed = (1, 1) if bench.tiny else (3, 8)
    collate, tokens, begun = Flatten(), 0, 0.0
    with attending(how):
        for number in range(warm + timed):
            if number == warm:
                begun, tokens = bench.wait(), 0
                if bench.device == "cuda":
                    torch.cuda.reset_peak_memory_stats()
            batch = collate([rows[(number * share + i) % len(rows)] for i in range(share)])
            tokens += batch["input_ids"].numel()
            with torch.autocast(bench.device, torch.bfloat16):
                token_losses(model.train(), on(batch, bench.device))[0].mean().backward()
            optimizer.step()
            optimizer.zero_grad()
        seconds = bench.wait() - begun
    speed = tokens / seconds
    found: Row = {"tokens/s": round(speed), "step_s": round(seconds / timed, 4), "tokens_a_step": tokens // timed}
    operations = 6 if more.get("checkpointing") else 4
    found["share"] = round(operations * weights * speed / bench.peak, 3) if bench.peak else None
    if bench.device == "cuda":
        found["memory_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
    return found


def adapted(bench: Bench, base: str | None, shape: dict[str, int]) -> Any:
    """A model in bfloat16 on the device with an adapter of rank 16: a base, or a shape with random weights."""
    if base:
        kept = {"dtype": torch.bfloat16, "attn_implementation": "by_sample"}
        model = AutoModelForCausalLM.from_pretrained(base, trust_remote_code=False, **kept).to(bench.device)
    else:
        config = LlamaConfig(**shape)
        config._attn_implementation = "by_sample"
        with torch.device(bench.device):
            model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    return add_adapter(model, 16)


def tune_as_chapter_3(base: str, data: list[Conversation], folder: Path, tiny: bool) -> Row:
    """The whole trainer, with its data, log and checkpoint, on the device that it finds."""
    sizes = {"train_steps": 2 if tiny else 60, "batch_size": 2 if tiny else 8, "max_tokens": 2048}
    begun = time.perf_counter()
    train(base, data, folder, Recipe(**sizes, save_every=sizes["train_steps"], learning_rate=1.5e-3, seed=0))
    seconds = time.perf_counter() - begun
    last = (folder / "loss.csv").read_text().splitlines()[-1].split(",")
    return {"steps": sizes["train_steps"], "seconds": round(seconds, 1), "loss": last[1]}


def play(model: Path, device: str, count: int, turns: int) -> Row:
    """``count`` tasks of the teacher's worlds, ``turns`` steps each, all in flight."""
    mechanics = list(MECHANICS)
    tasks = panel({"embedded": {name: range(-(-count // len(mechanics))) for name in mechanics}})[:count]
    policy = LocalPolicy(model, "smollm2", context=4096, reply_tokens=80, device=device)
    with tempfile.TemporaryDirectory() as folder:
        path, begun = Path(folder) / "episodes.jsonl", time.perf_counter()
        asyncio.run(roll_out(policy, tasks, path, Limits(steps=turns, in_flight=count)))
        seconds = time.perf_counter() - begun
        played = [step for episode in read_jsonl(path, Episode) for step in episode.steps]
    written = sum(step.ending.tokens or 0 for step in played if step.ending)
    speed = round(written / seconds)
    return {"seconds": round(seconds, 1), "tasks": len(tasks), "replies": len(played), "tokens/s": speed}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    options.add_argument("--base", default=SMOLLM2, help="the folder of SmolLM2, where set-up did not make it")
    options.add_argument("--tiny", action="store_true", help="a few steps of tiny models: does it run?")
    options.add_argument("--limit-s", type=float, default=440, help="nothing begins later than that")
    options.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    given = options.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch sees no NVIDIA GPU here; --device cpu --tiny runs the same steps, for a look whether they run")
    bench = Bench(given.device, given.tiny, given.limit_s)
    measure(bench, base_folder(given.base))
    versions = {name: version(name) for name in ("torch", "transformers", "peft")}
    found = {"card": bench.card, "device": given.device, "tiny": given.tiny, "python": platform.python_version()}
    found |= {"date": time.strftime("%Y-%m-%d"), **versions, "cuda": torch.version.cuda, "rows": bench.rows}
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    print(f"{bench.card}: {given.out}")


def measure(bench: Bench, base: str) -> None:
    """Fill the bench's rows, what matters most first."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    data = conversations(8 if bench.tiny else 320)
    rows = Examples(prepare(data, tokenizer, 2048)[0])
    small, large = (1, 1) if bench.tiny else (8, 6)
    for dtype in (torch.float32, torch.bfloat16):
        bench.row(f"exactness, {dtype}", lambda dtype=dtype: exactness(bench, rows, len(tokenizer), dtype))

    def smollm2() -> Any:
        return adapted(bench, None if bench.tiny else base, TINY)

    def eight_b() -> Any:
        return adapted(bench, None, TINY if bench.tiny else LLAMA_8B)

    bench.row("SmolLM2, a step", lambda: steps(bench, smollm2, rows, small))
    bench.row("8B, a step", lambda: steps(bench, eight_b, rows, large), 30)
    bench.row("8B, a step, checkpointing", lambda: steps(bench, eight_b, rows, large, checkpointing=True), 40)
    with tempfile.TemporaryDirectory() as folder:
        if bench.tiny:
            base = f"{folder}/base"
            small_one = LlamaConfig(**TINY, eos_token_id=tokenizer.eos_token_id)
            AutoModelForCausalLM.from_config(small_one).save_pretrained(base)
            tokenizer.save_pretrained(base)
        model = Path(folder) / "agentrefine-0"
        bench.row("SmolLM2, chapter 3", lambda: tune_as_chapter_3(base, data, model, bench.tiny), 30)
        count, turns = (2, 2) if bench.tiny else (140, 15)
        bench.row("SmolLM2, play", lambda: play(model, bench.device, count, turns), 60)
        if bench.device == "cuda" and pick_device("auto") == "vllm":
            bench.row("SmolLM2, play, vLLM", lambda: play(model, "vllm", count, turns), 120)
    for how in ("parts", "cudnn"):
        bench.row(f"SmolLM2, a step, attention: {how}", lambda how=how: steps(bench, smollm2, rows, small, how), 15)
        bench.row(f"8B, a step, attention: {how}", lambda how=how: steps(bench, eight_b, rows, large, how), 40)
    if not bench.tiny:
        bench.row("SmolLM2, a step, compiled", lambda: steps(bench, smollm2, rows, small, compiled=True), 60)
        bench.row("8B, a step, compiled", lambda: steps(bench, eight_b, rows, large, compiled=True), 90)
        bench.row("8B, a step, liger", lambda: liger(bench, eight_b, rows, large), 40)


def liger(bench: Bench, make: Callable[[], Any], rows: Examples, share: int) -> Row:
    """With liger-kernel's layers where it is installed; last, since it changes transformers for good."""
    from liger_kernel.transformers import apply_liger_kernel_to_llama

    apply_liger_kernel_to_llama(cross_entropy=False, fused_linear_cross_entropy=False)
    return steps(bench, make, rows, share)


if __name__ == "__main__":
    main()
