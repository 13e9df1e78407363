"""The nano model: wired to copy, pre-trained on texts of our own, shipped as it was measured."""

import re

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.teachers import load_domains
from agentrefine_lib.tuning.mask import encode
from agentrefine_lib.tuning.nano import NANO, build_model, build_tokenizer
from agentrefine_lib.tuning.pretraining import Plan, pretrain, repetition, write_chat
from agentrefine_lib.tuning.pretraining.probe import answers, command_chat, copy_chat

BENCHMARKS = (  # words that only the benchmarks' texts have
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
    return AutoModelForCausalLM.from_pretrained(NANO).eval(), AutoTokenizer.from_pretrained(NANO)


def test_the_shipped_model_is_small(shipped):
    assert sum(file.stat().st_size for file in NANO.iterdir()) < 20e6
    assert (NANO / "model.safetensors").exists() and (NANO / "README.md").exists()
    assert shipped[0].config.model_type == "llama"


def test_the_shipped_model_copies_names_it_has_never_seen(shipped):  # 0.98 of 100
    assert sum(answers(*shipped, [copy_chat(10_000 + index, 1) for index in range(40)])) >= 36


def test_the_shipped_model_fills_commands_it_has_never_seen(shipped):
    assert sum(answers(*shipped, [command_chat(10_000 + index) for index in range(40)])) >= 28


def test_its_template_marks_the_replies(shipped, trajectories):
    example = encode(to_conversation(trajectories[0]), shipped[1])
    assert {owner for owner in example.message if owner >= 0}
    assert shipped[1].eos_token_id in [label for label in example.labels if label >= 0]


def test_the_wiring_repeats_random_tokens_before_any_training():
    tokenizer = build_tokenizer(["a b c d"], 400)
    wired, plain = (build_model(tokenizer, 128, 3, 512, seed=0, wired=wired).eval() for wired in (True, False))
    assert repetition(wired, 60, length=60) > 0.95
    assert repetition(plain, 60, length=60) < 0.1


def test_texts_are_the_same_again_and_hold_no_benchmark_and_no_trajectory():
    chats, again = ([write_chat(1, index, decisions=0.5, steps=0.3) for index in range(600)] for _ in range(2))
    assert chats == again
    text = "\n".join(message["content"] for chat in chats for message in chat).lower()
    assert not [name for name in BENCHMARKS if name in text]
    assert not re.search(r"thought:|action:|observation:|the task is completed", text)
    roles = [role for domain in load_domains().values() for role in domain["roles"]]
    assert not [role for role in roles if " " in role and role in text]


def tiny_plan(**rest):
    shape = {"vocabulary": 400, "width": 96, "layers": 2, "context": 64}
    phases = [{"steps": steps, "rows": 2, "tokens": 64, "drills": 0.5, "repeats": 1} for steps in (2, 3)]
    rates = {"wired_rate": 1e-3, "embedding_rate": 1e-3, "learning_rate": 1e-3}
    return Plan(**shape, **rates, phases=phases, save_every=3, probe_every=9, **rest)


def test_two_processes_make_the_model_that_one_makes(tmp_path):
    for processes in (1, 2):
        pretrain(tmp_path / str(processes), tiny_plan(processes=processes, n_probes=1))
    one, two = (AutoModelForCausalLM.from_pretrained(tmp_path / str(count)).state_dict() for count in (1, 2))
    for name, weights in one.items():  # sums in another order, in bfloat16, and Adam's first steps hang on signs
        assert (weights - two[name]).abs().mean() < 1e-4, name
    with pytest.raises(ValueError, match="processes: found 3, expected at most 2"):
        tiny_plan(processes=3)


def test_a_killed_run_ends_in_the_same_weights(tmp_path, monkeypatch):
    plan = tiny_plan()
    monkeypatch.setattr("agentrefine_lib.tuning.pretraining.train.measure", lambda *_: {})
    pretrain(tmp_path / "whole", plan)
    calls = iter(range(3))
    real = torch.nn.utils.clip_grad_norm_
    with monkeypatch.context() as patch, pytest.raises(StopIteration):  # the fourth step is never taken
        patch.setattr("torch.nn.utils.clip_grad_norm_", lambda *args: (next(calls), real(*args)))
        pretrain(tmp_path / "killed", plan)
    log = pretrain(tmp_path / "killed", plan)
    assert log["step"].tolist() == [5]
    whole, again = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "killed"))
    assert whole == again
