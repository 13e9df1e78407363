"""The nano model: wired to copy, pre-trained on texts of our own, shipped as it was measured."""

import re
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from agentrefine_lib import tuning
from agentrefine_lib.teachers import load_domains
from agentrefine_lib.tuning.mask import encode
from agentrefine_lib.tuning.nano import build_model, build_tokenizer
from agentrefine_lib.tuning.pretraining import Phase, Plan, pretrain
from agentrefine_lib.tuning.pretraining.chats import write_chat
from agentrefine_lib.tuning.pretraining.probe import answers, command_chat, copy_chat

SHIPPED = Path(tuning.__file__).parent / "nano_model"
BENCHMARKS = (  # names that only the benchmarks' texts have
    *("sinkbasin", "countertop", "garbagecan", "sidetable", "coffeetable", "toiletpaperhanger", "desklamp", "cd 1"),
    *(
        "red ball 1",
        "closed door 1",
        "greenhouse",
        "thermometer",
        "axolotl",
        "agent called",
        "inventory",
        "zork",
        "pddl",
    ),
)


@pytest.fixture(scope="module")
def shipped():
    return AutoModelForCausalLM.from_pretrained(SHIPPED).eval(), AutoTokenizer.from_pretrained(SHIPPED)


def test_the_shipped_model_is_small(shipped):
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 20e6
    assert (SHIPPED / "model.safetensors").exists() and (SHIPPED / "README.md").exists()
    assert shipped[0].config.model_type == "llama"


def test_the_shipped_model_copies_names_it_has_never_seen(shipped):
    chats = [copy_chat(10_000 + index) for index in range(40)]
    assert sum(answers(*shipped, chats)) >= 38


def test_the_shipped_model_fills_commands_it_has_never_seen(shipped):
    chats = [command_chat(10_000 + index) for index in range(40)]
    assert sum(answers(*shipped, chats)) >= 32


def test_its_template_marks_the_replies(shipped, conversation):
    example = encode(conversation, shipped[1])
    assert {owner for owner in example.message if owner >= 0}
    assert shipped[1].eos_token_id in [label for label in example.labels if label >= 0]


def test_the_wiring_repeats_random_tokens_before_any_training():
    tokenizer = build_tokenizer(["a b c d"], 400)
    model = build_model(tokenizer, width=128, layers=3, context=512, seed=0).eval()
    once = torch.randint(4, 60, (8, 60), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        said = model(torch.cat([once, once], 1)).logits[:, 61:-1].argmax(-1)
    assert (said == once[:, 2:]).float().mean() > 0.95


def test_texts_are_the_same_again_and_hold_no_benchmark_and_no_trajectory():
    chats = [write_chat(1, index) for index in range(400)]
    assert chats == [write_chat(1, index) for index in range(400)]
    text = "\n".join(message["content"] for chat in chats for message in chat).lower()
    assert not [name for name in BENCHMARKS if name in text]
    assert not re.search(r"thought:|action:|observation:|the task is completed", text)
    roles = [role for domain in load_domains().values() for role in domain["roles"]]
    assert not [role for role in roles if " " in role and role in text]


def test_a_killed_run_ends_in_the_same_weights(tmp_path, monkeypatch):
    plan = Plan(
        vocabulary=400, width=96, layers=2, phases=(Phase(4, 64, 2),), tokens_per_step=128, save_every=2, probe_every=9
    )
    monkeypatch.setattr("agentrefine_lib.tuning.pretraining.train.measure", lambda *_: {})
    whole = pretrain(tmp_path / "whole", plan)
    calls = iter(range(3))
    real = torch.nn.utils.clip_grad_norm_
    with monkeypatch.context() as patch, pytest.raises(StopIteration):  # the fourth step is never taken
        patch.setattr("torch.nn.utils.clip_grad_norm_", lambda *args: (next(calls), real(*args)))
        pretrain(tmp_path / "killed", plan)
    again = pretrain(tmp_path / "killed", plan)
    for (name, one), two in zip(whole.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(one, two), name
