"""Models as GGUF: transformers' reader, which undoes every step by other code, finds the same weights and tokens."""

import sys

import pytest
import torch
from gguf import GGUFReader
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, MistralConfig, MistralForCausalLM

from agentrefine_lib.tuning.gguf import UnfitError, main, to_gguf, write_gguf

TEXT = "Thought: shelf 12 is empty.\nAction: go to cabinet-3, it's near"


@pytest.fixture(scope="module")
def halved(tiny, tmp_path_factory):
    """Weights that 16 bits hold exactly."""
    folder = tmp_path_factory.mktemp("halved")
    AutoModelForCausalLM.from_pretrained(tiny).half().save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny).save_pretrained(folder)
    return folder


def read(path):
    return AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).state_dict()


def test_another_reader_finds_the_same_weights_tokens_and_template(halved, tmp_path):
    path = write_gguf(halved, tmp_path / "model.gguf")
    ours = AutoModelForCausalLM.from_pretrained(halved, dtype=torch.float32).state_dict()
    theirs = read(path)
    assert set(theirs) >= set(ours) - {"lm_head.weight"}
    assert all(torch.equal(weight, theirs[name]) for name, weight in ours.items() if name in theirs)
    tokenizer = AutoTokenizer.from_pretrained(halved)
    again = AutoTokenizer.from_pretrained(tmp_path, gguf_file="model.gguf")
    assert again(TEXT)["input_ids"] == tokenizer(TEXT)["input_ids"]
    chat = [
        {"role": "user", "content": "Go."},
        {"role": "assistant", "content": TEXT},
        {"role": "user", "content": "?"},
    ]
    for ask in (False, True):
        texts = [t.apply_chat_template(chat, tokenize=False, add_generation_prompt=ask) for t in (tokenizer, again)]
        assert texts[0] == texts[1]
    fields = GGUFReader(path).fields
    assert fields["tokenizer.ggml.pre"].contents() == "smollm"
    assert "generation" not in fields["tokenizer.chat_template"].contents().replace("add_generation_prompt", "")


def test_eight_bits_are_half_as_large_and_near(halved, tmp_path):
    whole, small = (write_gguf(halved, tmp_path / f"{kind}.gguf", kind) for kind in ("F16", "Q8_0"))
    assert small.stat().st_size < 0.75 * whole.stat().st_size  # the vocabulary's texts are the same in both
    exact, rounded = read(whole), read(small)
    name = "model.layers.0.self_attn.q_proj.weight"
    apart = (exact[name] - rounded[name]).abs().max()
    assert 0 < apart < exact[name].abs().max() / 127


def test_an_adapter_is_merged(halved, tmp_path):
    torch.manual_seed(1)
    base = AutoModelForCausalLM.from_pretrained(halved, dtype=torch.float32)
    adapted = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", r=4, init_lora_weights=False))
    adapted.save_pretrained(tmp_path / "adapter")
    AutoTokenizer.from_pretrained(halved).save_pretrained(tmp_path / "adapter")
    theirs = read(write_gguf(tmp_path / "adapter", tmp_path / "model.gguf"))
    merged = adapted.merge_and_unload().state_dict()
    name = "model.layers.1.self_attn.q_proj.weight"
    torch.testing.assert_close(theirs[name], merged[name], atol=2e-3, rtol=2e-3)
    assert not torch.allclose(theirs[name], read(write_gguf(halved, tmp_path / "base.gguf"))[name], atol=2e-3)


def test_what_gguf_has_no_name_for_is_refused(tiny, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    mistral = MistralForCausalLM(
        MistralConfig(vocab_size=10, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    )
    with pytest.raises(UnfitError, match="found a model of type 'mistral', expected 'llama'"):
        to_gguf(mistral, tokenizer, tmp_path / "m.gguf")
    from tokenizers import pre_tokenizers

    for split, found in ((pre_tokenizers.Whitespace(), "words split by Whitespace"), (None, "no split into words")):
        tokenizer.backend_tokenizer.pre_tokenizer = split
        with pytest.raises(UnfitError, match=f"tokenizer: found {found}"):
            to_gguf(AutoModelForCausalLM.from_pretrained(tiny), tokenizer, tmp_path / "m.gguf")
    assert not list(tmp_path.glob("*.gguf*"))


def test_the_command_tells_in_a_line_what_is_no_model(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gguf", str(tmp_path / "typo"), str(tmp_path / "m.gguf")])
    with pytest.raises(SystemExit, match=f"^{tmp_path}/typo: found no folder "):
        main()


def test_the_command_writes_a_file_and_says_what_to_do_with_it(halved, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gguf", str(halved), str(tmp_path / "a.gguf"), "--precision", "Q8_0"])
    main()
    assert "a.gguf: " in capsys.readouterr().out and (tmp_path / "a.gguf").is_file()
