"""Sizes that are known from elsewhere: Llama-3-8B's, an adapter's, and a tiny model's own state on the disk."""

from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, LlamaConfig

from agentrefine_lib.tuning import Recipe, estimate
from agentrefine_lib.tuning.estimate import parameters, processes
from agentrefine_lib.tuning.mask import Example

CONFIGS = Path(__file__).parents[2] / "params" / "accelerate"
RECIPE = Recipe(
    train_steps=100,
    batch_size=16,
    learning_rate=1e-5,
    max_tokens=4096,
    save_every=50,
    seed=0,
    lora_rank=0,
    precision="float32",
)
LLAMA3_8B = LlamaConfig(
    vocab_size=128_256,
    hidden_size=4096,
    intermediate_size=14_336,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=8,
    tie_word_embeddings=False,
)
EXAMPLES = [Example([1] * 1000, [1] * 200 + [-100] * 800, [1] * 1000)] * 50


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama")
    LLAMA3_8B.save_pretrained(folder)
    return folder


def values(table):
    return dict(zip(table["what"], table["value"], strict=True))


def test_parameters_of_models_that_are_known(tiny):
    assert parameters(LLAMA3_8B, 0) == (8_030_261_248, 8_030_261_248)
    assert parameters(LLAMA3_8B, 16)[1] == 41_943_040
    model = AutoModelForCausalLM.from_pretrained(tiny)
    assert parameters(model.config, 0)[0] == sum(p.numel() for p in model.parameters())


def test_full_tuning_over_eight_devices(llama):
    recipe = RECIPE.model_copy(update={"precision": "bfloat16", "gradient_checkpointing": True})
    needs = values(estimate(llama, EXAMPLES, recipe, str(CONFIGS / "fsdp.yaml"), device_tflops=400))
    assert needs["devices"] == 8
    weights = 8_030_261_248 * 16 / 8 / 2**30  # 4 bytes each of weight and gradient, 8 of Adam, an eighth per device
    parts = ("weights", "gradients and optimiser")
    assert sum(needs[f"memory of a device: {part}"] for part in parts) == pytest.approx(weights)
    assert 15 < needs["memory of a device: all"] < 24
    assert needs["tokens, all steps"] == pytest.approx(1.6)
    assert needs["time"] == pytest.approx(1.6e6 * 8 * 8.03e9 / (8 * 400e12) / 3600, rel=0.05)


def test_an_adapter_needs_little_more_than_the_frozen_weights(llama):
    recipe = RECIPE.model_copy(update={"precision": "bfloat16", "lora_rank": 16, "gradient_checkpointing": True})
    needs = values(estimate(llama, EXAMPLES, recipe.model_copy(update={"accumulation": 16}), device_tflops=400))
    assert needs["memory of a device: weights"] == pytest.approx(8_030_261_248 * 2 / 2**30)
    assert 15 < needs["memory of a device: all"] < 20
    fewer = values(estimate(llama, EXAMPLES, recipe.model_copy(update={"optimizer": "paged_adamw_8bit"})))
    assert fewer["memory of a device: gradients and optimiser"] < needs["memory of a device: gradients and optimiser"]


def test_nothing_that_fits_is_told_with_the_limit(llama):
    with pytest.raises(ValueError, match="found nothing to train on that fits; max_tokens=4096: raise it"):
        estimate(llama, [], RECIPE)


def test_processes_are_read_from_the_configuration():
    assert processes(None) == (1, False)
    assert processes(str(CONFIGS / "ddp_cpu.yaml")) == (2, False)
    assert processes(str(CONFIGS / "fsdp.yaml")) == (8, True)
