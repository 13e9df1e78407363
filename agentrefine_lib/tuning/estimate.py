"""What a training will need, before it starts: memory and time, from the model's shape and the recipe."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import yaml
from transformers import AutoConfig, AutoModelForCausalLM

from agentrefine_lib.tuning.mask import Example
from agentrefine_lib.tuning.recipe import Recipe, add_adapter

if TYPE_CHECKING:
    import pandas as pd

GIB = 2**30
ACTIVATION_BYTES = 34  # per token, layer and unit of width, in 16 bits with fused attention (Korthikanti et al. 2022)


def estimate(
    base: Path | str,
    examples: Sequence[Example],
    recipe: Recipe,
    accelerate_config: str | None = None,
    device_tflops: float = 0.02,
) -> "pd.DataFrame":
    """Columns ``what``, ``value``, ``unit``: sizes, GiB per device, tokens, hours.

    ``device_tflops`` is what one device sustains, in 10^12 operations a second (about 0.4 of the data sheet's number
    on a GPU). Nothing is loaded but the model's configuration. Expect memory within a fifth of the truth, more with
    long conversations: allocators keep what they do not need. Raises ValueError where there are no examples.
    """
    import pandas as pd

    if not examples:
        raise ValueError(f"found nothing to train on that fits; max_tokens={recipe.max_tokens}: raise it")
    devices, sharded = processes(accelerate_config)
    config, recipe = AutoConfig.from_pretrained(base, trust_remote_code=False), recipe.over(len(examples))
    weights, tuned = parameters(config, recipe.lora_rank)
    half = recipe.precision == "bfloat16"
    spread = devices if sharded else 1
    lengths = sorted((len(e.input_ids) for e in examples), reverse=True)
    share = recipe.batch_size // (devices * recipe.accumulation)  # conversations of a device's row
    row = sum(lengths[: max(1, share)])  # tokens of the longest one
    mean = sum(lengths) / len(lengths)
    trained = sum(sum(e.trained) for e in examples) / sum(lengths)
    states = 2 if "8bit" in recipe.optimizer else 8  # bytes of Adam's two moments
    memory = {
        "weights": weights * (2 if half and recipe.lora_rank else 4) / spread,
        "gradients and optimiser": tuned * (4 + states) / spread,
        "activations": row * _activations(config, recipe),
        "logits": trained * row * config.vocab_size * 12,  # in the model's precision, in float32, and their gradient
    }
    again = 2 if recipe.gradient_checkpointing else 0  # the forward pass, a second time
    operations = (4 if recipe.lora_rank else 6) + again
    attention = 12 * config.num_hidden_layers * config.hidden_size * mean / 2
    tokens = recipe.train_steps * recipe.batch_size * mean
    seconds = tokens * (operations * weights + attention) / (devices * device_tflops * 1e12)
    rows = [
        ("parameters", weights / 1e6, "million"),
        ("parameters that are tuned", tuned / 1e6, "million"),
        ("devices", devices, ""),
        *((f"memory of a device: {what}", size / GIB, "GiB") for what, size in memory.items()),
        ("memory of a device: all", sum(memory.values()) / GIB, "GiB"),
        ("passes over the data", recipe.train_steps * recipe.batch_size / len(examples), ""),
        ("tokens, all steps", tokens / 1e6, "million"),
        ("time", seconds / 3600, "hours"),
    ]
    return pd.DataFrame(rows, columns=["what", "value", "unit"])


def _activations(config: AutoConfig, recipe: Recipe) -> int:
    """Bytes that a token's forward pass leaves behind for the backward pass."""
    layers = config.num_hidden_layers
    kept = 2 * layers + ACTIVATION_BYTES if recipe.gradient_checkpointing else ACTIVATION_BYTES * layers
    return int(config.hidden_size * kept * (1 if recipe.precision == "bfloat16" else 2))


def processes(accelerate_config: str | None) -> tuple[int, bool]:
    """How many processes a configuration starts, and whether they share one copy of the model."""
    if not accelerate_config:
        return 1, False
    given = yaml.safe_load(Path(accelerate_config).read_text(encoding="utf-8"))
    return given["num_processes"], given["distributed_type"] == "FSDP"


def parameters(config: AutoConfig, lora_rank: int) -> tuple[int, int]:
    """The model's parameters and how many of all are tuned; tied ones count once. No weight is made."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
        weights = sum(p.numel() for p in model.parameters())
        if not lora_rank:
            return weights, weights
        adapted = add_adapter(model, lora_rank)
    return weights, sum(p.numel() for p in adapted.parameters() if p.requires_grad)
