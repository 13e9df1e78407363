"""How fast masks are built and models tuned, ours against others: one line of JSON. Takes about ten minutes.

    python benchmarks/tuning.py [--llama-factory VENV/bin/python] [--base FOLDER] [--rounds 3]

``masks``: conversations a second from messages to ids and labels, and those of the bare tokenizer on the same texts.
``tuning``: tokens of data a second (padding not counted), median of the rounds, for ours, TRL's SFTTrainer as it is by
default (padded batches of the same ready ids and labels; only gradient checkpointing is off), and LLaMA-Factory 0.9
(``pip install llamafactory`` in a virtual environment of its own; it reads the conversations and trains on every
reply). SmolLM2 with the same new adapter (rank 16 on every linear layer) sees the same conversations once, two a step,
in bfloat16 on one thread; only ``Trainer.train`` is timed, by the wall clock and by the processor's time, and they take
turns, because the machine is shared. ``compiled``: ours with ``Recipe.compiled``, after what it compiles was compiled.
``of_a_product``: operations, four a parameter and token, over those of a plain bfloat16 product of two matrices
on the same core.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agentrefine_lib.tuning.launch import KEPT_MEMORY

ROWS, BATCH, RATE = 16, 2, 1e-3
LIBRARY = Path(__file__).parents[1]
TIMED = """
import json, os, sys, time
import torch, transformers
torch.set_num_threads(1)
train = transformers.Trainer.train
def timed(self, *rest, **more):
    wall, processor = time.perf_counter(), time.process_time()
    result = train(self, *rest, **more)
    took = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
    took |= {"steps": self.state.global_step, "loss": result.training_loss}
    took["tokens"] = sum(len(row["input_ids"]) for row in self.train_dataset)
    open(os.environ["TOOK"], "w").write(json.dumps(took))
    return result
transformers.Trainer.train = timed
base, data, out = sys.argv[1:]
"""
OURS = """
from pathlib import Path
from agentrefine_lib.schema import Conversation, read_jsonl
from agentrefine_lib.tuning import Recipe, tune
rows = list(read_jsonl(Path(data) / "conversations.jsonl", Conversation))
batch, rate, compiled = %d, %g, %r
limits = {"max_tokens": 10**6, "save_every": 10**6, "batch_size": batch, "learning_rate": rate, "seed": 0}
if compiled:  # before the clock starts: the measured training finds everything compiled
    tune(base, rows[:4], Path(out) / "first", Recipe(train_steps=2, compiled=True, **limits))
tune(base, rows, Path(out) / "all", Recipe(train_steps=len(rows) // batch, compiled=compiled, **limits))
"""
TRL = """
from datasets import Dataset
from trl import SFTConfig, SFTTrainer
rows = Dataset.from_parquet(data + "/tokens.parquet", cache_dir=out + "/cache")
from peft import LoraConfig
lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
config = SFTConfig(output_dir=out, max_length=None, num_train_epochs=1, per_device_train_batch_size=%d,
    learning_rate=%g, gradient_checkpointing=False, bf16=True, use_cpu=True, report_to="none", save_strategy="no",
    logging_steps=10)
SFTTrainer(model=base, train_dataset=rows, args=config, peft_config=lora,
    processing_class=transformers.AutoTokenizer.from_pretrained(base)).train()
"""
LLAMA_FACTORY = """
import importlib.machinery, types  # it imports torchaudio, which pip takes for another CUDA than torch's; not used
sys.modules["torchaudio"] = types.ModuleType("torchaudio")
sys.modules["torchaudio"].__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
from llamafactory.train.tuner import run_exp
run_exp({"model_name_or_path": base, "stage": "sft", "do_train": True, "finetuning_type": "lora",
    "lora_rank": 16, "lora_alpha": 32, "lora_target": "all", "dataset": "ours",
    "dataset_dir": data, "cutoff_len": 100000, "output_dir": out, "num_train_epochs": 1.0, "report_to": "none",
    "per_device_train_batch_size": %d, "learning_rate": %g, "save_strategy": "no", "logging_steps": 10, "bf16": True,
    "use_cpu": True, "overwrite_cache": True})
"""


def make_inputs(folder: Path, base: str | None) -> tuple[str, dict[str, float]]:
    """Conversations of the embedded teacher in three formats, and the model to tune."""
    import asyncio

    from transformers import AutoTokenizer

    from agentrefine_lib.dataset import to_conversation
    from agentrefine_lib.schema import write_jsonl
    from agentrefine_lib.synthesis import Job, Limits, synthesize_one
    from agentrefine_lib.teachers import EmbeddedTeacher, embedded_persona
    from agentrefine_lib.tuning import SMOLLM2, base_folder
    from agentrefine_lib.tuning.export import for_trl
    from agentrefine_lib.tuning.mask import encode_all

    async def plays() -> list:
        made = [
            await synthesize_one(EmbeddedTeacher(), Job(f"b-{i}", embedded_persona(i), i), Limits()) for i in range(300)
        ]
        return [to_conversation(trajectory) for trajectory, *_ in made if trajectory is not None]

    conversations = asyncio.run(plays())
    base = base or base_folder(SMOLLM2)
    tokenizer, rows = AutoTokenizer.from_pretrained(base), conversations[:ROWS]
    write_jsonl(folder / "conversations.jsonl", rows)
    for_trl(rows, tokenizer, folder / "tokens.parquet")
    said = [{"conversations": [{"from": m.sender, "value": m.value} for m in c.conversations]} for c in rows]
    (folder / "ours.json").write_text(json.dumps(said))
    info = {"ours": {"file_name": "ours.json", "formatting": "sharegpt"}}
    (folder / "dataset_info.json").write_text(json.dumps(info))

    def rate(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
        begin = clock()
        work()
        return len(conversations) / (clock() - begin)

    def masks_of_all() -> None:
        for _ in encode_all(conversations, tokenizer):
            pass

    joined = ["".join(m.value for m in c.conversations) for c in conversations]
    masks = {
        "conversations": len(conversations),
        "tokens_each": statistics.mean(len(e.input_ids) for e in encode_all(conversations, tokenizer)),
        "ours_per_s": max(rate(masks_of_all) for _ in range(5)),
        "ours_per_processor_s": max(rate(masks_of_all, time.process_time) for _ in range(5)),
        "bare_tokenizer_per_s": max(rate(lambda: tokenizer.backend_tokenizer.encode_batch(joined)) for _ in range(5)),
    }
    return base, masks


def run(python: str, program: str, more: dict[str, str], base: str, data: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as out:
        took = Path(out) / "took.json"
        environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "TOOK": str(took)}
        environment |= more | {"PYTHONPATH": str(LIBRARY) if python == sys.executable else "", "HF_HUB_OFFLINE": "1"}
        command = [python, "-c", TIMED + program, base, str(data), f"{out}/model"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if not took.exists():
            raise RuntimeError(f"{python} failed:\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}")
        return json.loads(took.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama-factory", metavar="PYTHON", help="a Python that has llamafactory")
    parser.add_argument("--base", help="a model to tune; without it SmolLM2")
    parser.add_argument("--rounds", type=int, default=3, help="0: masks only")
    arguments = parser.parse_args()
    print(__doc__, "Writes nothing but a temporary folder.", sep="", file=sys.stderr)
    programs = {
        "ours": (sys.executable, OURS % (BATCH, RATE, False), KEPT_MEMORY),  # as chapter 3 starts it
        "compiled": (sys.executable, OURS % (BATCH, RATE, True), KEPT_MEMORY),
        "trl": (sys.executable, TRL % (BATCH, RATE), {}),
    }
    if arguments.llama_factory:
        programs["llama_factory"] = (arguments.llama_factory, LLAMA_FACTORY % (BATCH, RATE), {})
    with tempfile.TemporaryDirectory() as folder:
        base, masks = make_inputs(Path(folder), arguments.base)
        rounds = []
        for number in range(arguments.rounds):
            rounds.append({name: run(*program, base, Path(folder)) for name, program in programs.items()})
            print(f"round {number + 1}: {json.dumps(rounds[-1])}", file=sys.stderr, flush=True)
    result: dict[str, dict[str, float]] = {"masks": masks, "tuning": {}}
    for clock in ("wall", "processor") if rounds else ():
        for name in programs:
            rates = [one[name]["tokens"] / one[name][clock] for one in rounds]
            result["tuning"][f"{name}_tokens_per_{clock}_s"] = round(statistics.median(rates))
            if name == "ours":
                continue
            ratios = [one["ours"]["tokens"] / one["ours"][clock] / r for one, r in zip(rounds, rates, strict=True)]
            result["tuning"][f"ours_over_{name}_{clock}"] = round(statistics.median(ratios), 2)
    if rounds:
        best, size = product(), parameters(base)
        for name in ("ours", "compiled"):
            rate = result["tuning"][f"{name}_tokens_per_processor_s"]
            result["tuning"][f"{name}_of_a_product"] = round(rate * 4 * size / best, 3)
    print(json.dumps(result))


def parameters(base: str) -> int:
    from transformers import AutoConfig

    from agentrefine_lib.tuning.estimate import parameters

    return parameters(AutoConfig.from_pretrained(base), 0)[0]


def product() -> float:
    """Operations a second of a plain product of two matrices in bfloat16, on one thread."""
    import torch

    torch.set_num_threads(1)
    matrix = torch.randn(2048, 2048, dtype=torch.bfloat16)
    matrix @ matrix
    begin = time.process_time()
    for _ in range(20):
        matrix @ matrix
    return 20 * 2 * 2048**3 / (time.process_time() - begin)


if __name__ == "__main__":
    main()
