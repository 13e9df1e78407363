"""Whose folder it is: no model is taken for another, none is written over, and none that is broken passes as whole."""

import json
import shutil

import pandas as pd
import pytest
import torch
from peft import AutoPeftModelForCausalLM, LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.schema import Conversation, Message
from agentrefine_lib.tuning import Recipe, launch, merge, tune
from agentrefine_lib.tuning.export import load_merged
from agentrefine_lib.tuning.recipe import describe

RECIPE = Recipe(
    train_steps=1,
    batch_size=2,
    learning_rate=1e-3,
    max_tokens=1500,
    save_every=1,
    seed=0,
    lora_rank=0,
    precision="float32",
)
LORA = RECIPE.model_copy(update={"lora_rank": 2})


@pytest.fixture(scope="module")
def data(trajectories):
    return [to_conversation(t) for t in trajectories[:4]]


@pytest.fixture(scope="module")
def finished(tiny, data, tmp_path_factory):
    """A finished model, and a finished adapter."""
    folder = tmp_path_factory.mktemp("finished")
    for name, recipe in (("whole", RECIPE), ("adapter", LORA)):
        tune(tiny, data, folder / name, recipe)
    return folder


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("left", ["checkpoint-1", "model.safetensors", "adapter_config.json", "loss.csv"])
def test_what_another_training_left_without_a_job_is_not_taken_over(tiny, data, finished, tmp_path, left):
    source = next(finished.glob(f"*/{left}"))
    folder = tmp_path / "m"
    folder.mkdir()
    (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / left)
    before = contents(folder)
    with pytest.raises(FileExistsError, match=rf"m holds {left} but no job.json"):
        tune(tiny, data, folder, RECIPE)
    assert contents(folder) == before


def test_a_lost_job_is_noticed(tiny, data, finished, tmp_path):
    folder = shutil.copytree(finished / "whole", tmp_path / "m")
    job = (folder / "job.json").read_bytes()
    (folder / "job.json").unlink()
    with pytest.raises(FileExistsError, match="put that file back if it was lost"):
        tune(tiny, data, folder, RECIPE)
    (folder / "job.json").write_text('{"base": ')
    with pytest.raises(FileExistsError, match=r"job\.json: no job"):
        tune(tiny, data, folder, RECIPE)
    (folder / "job.json").write_bytes(job)
    assert tune(tiny, data, folder, RECIPE).equals(pd.read_csv(finished / "whole" / "loss.csv"))


@pytest.mark.parametrize(
    ("kind", "name", "cut"),
    [
        ("whole", "model.safetensors", None),
        ("whole", "model.safetensors", 1000),
        ("whole", "tokenizer.json", None),
        ("whole", "config.json", 10),
        ("adapter", "adapter_model.safetensors", None),
        ("adapter", "adapter_config.json", None),
    ],
)
def test_a_finished_model_that_lost_a_file_or_half_of_one_is_noticed(tiny, data, finished, tmp_path, kind, name, cut):
    folder, recipe = shutil.copytree(finished / kind, tmp_path / "m"), RECIPE if kind == "whole" else LORA
    whole = (folder / name).read_bytes()
    (folder / name).unlink()
    if cut:
        (folder / name).write_bytes(whole[:cut])
    with pytest.raises(FileNotFoundError, match="this model is finished, but a file is missing or broken"):
        tune(tiny, data, folder, recipe)
    (folder / "loss.csv").unlink()  # as the message says
    tune(tiny, data, folder, recipe)
    assert (folder / name).read_bytes() == whole


def test_a_missing_part_of_a_large_model_is_noticed(tiny, data, finished, tmp_path):
    folder = shutil.copytree(finished / "whole", tmp_path / "m")
    AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder, max_shard_size="20KB")
    parts = sorted(folder.glob("model-*.safetensors"))
    assert len(parts) > 1 and len(tune(tiny, data, folder, RECIPE)) == 1
    parts[-1].unlink()
    with pytest.raises(FileNotFoundError, match=parts[-1].name):
        tune(tiny, data, folder, RECIPE)


def test_another_base_in_the_same_place_is_noticed(tiny, data, tmp_path):
    base = shutil.copytree(tiny, tmp_path / "base")
    log = tune(base, data, tmp_path / "m", RECIPE)
    (base / "README.md").write_text("A note changes no model.")
    assert tune(base, data, tmp_path / "m", RECIPE).equals(log)
    weights = load_file(base / "model.safetensors")
    weights["model.norm.weight"][3] += 1e-3
    save_file(weights, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(FileExistsError, match=r"base_version was '\w{64}', is '\w{64}'"):
        tune(base, data, tmp_path / "m", RECIPE)
    shutil.copy(tiny / "model.safetensors", base)
    assert tune(base, data, tmp_path / "m", RECIPE).equals(log)
    (base / "chat_template.jinja").write_text((tiny / "chat_template.jinja").read_text() + " ")
    with pytest.raises(FileExistsError, match="base_version was"):
        tune(base, data, tmp_path / "m", RECIPE)


def test_a_model_of_the_hub_is_known_by_its_commit(tmp_path, monkeypatch):
    commit = "0123456789" * 4
    for part, name in (("refs", "main"), (f"snapshots/{commit}", "config.json")):
        (tmp_path / "models--org--name" / part).mkdir(parents=True)
        (tmp_path / "models--org--name" / part / name).write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("transformers.utils.hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert describe("org/name", [], RECIPE).base_version == commit


@pytest.mark.parametrize("way", [tune, lambda *given: launch(*given, "params/accelerate/ddp_cpu.yaml")])
@pytest.mark.parametrize("where", ["base", "link", "above"])
def test_the_base_is_not_written_over(tiny, data, tmp_path, where, way):
    base = shutil.copytree(tiny, tmp_path / "models" / "base")
    (tmp_path / "link").symlink_to(base)
    before = contents(tmp_path)
    folder = {"base": base, "link": tmp_path / "link", "above": tmp_path / "models"}[where]
    with pytest.raises(FileExistsError, match="which must stay as it is; take another folder"):
        way(base, data, folder, RECIPE)
    assert contents(tmp_path) == before


def test_a_merge_writes_over_no_model(data, finished, tiny, tmp_path):
    base = shutil.copytree(tiny, tmp_path / "base")
    tune(base, data, tmp_path / "adapter", LORA)
    before = contents(tmp_path)
    for folder in (tmp_path / "adapter", base, tmp_path / "adapter" / ".." / "base"):
        with pytest.raises(FileExistsError, match=r"holds .*config\.json"):
            merge(tmp_path / "adapter", folder)
    assert contents(tmp_path) == before
    merge(tmp_path / "adapter", tmp_path / "merged")
    with pytest.raises(FileExistsError, match="take another folder or delete this one"):
        merge(tmp_path / "adapter", tmp_path / "merged")


ADAPTED = {
    "last layer": {"target_modules": ["lm_head"]},
    "first layer": {"target_modules": ["embed_tokens"]},
    "both": {"target_modules": ["lm_head", "embed_tokens", "q_proj"]},
    "last layer, in another way": {"target_modules": ["lm_head", "q_proj"], "use_dora": True},
    "last layer, trained whole": {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
    "first layer, trained whole": {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]},
    "a few tokens": {"target_modules": ["q_proj"], "trainable_token_indices": [1, 2, 3]},
    "none of the two": {"target_modules": "all-linear"},
}


@pytest.mark.parametrize("name", ADAPTED)
def test_adapters_on_tied_layers_are_merged_right(tiny, tmp_path, name):
    """One matrix is the first and the last layer of the base; an adapter from elsewhere changes one use of it."""
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=2048, tie_word_embeddings=True, **shape)
    base = LlamaForCausalLM(config)
    base.save_pretrained(tmp_path / "base")
    adapter = get_peft_model(
        AutoModelForCausalLM.from_pretrained(tmp_path / "base"), LoraConfig(r=4, task_type="CAUSAL_LM", **ADAPTED[name])
    )
    for parameter in adapter.parameters():
        if parameter.requires_grad:
            parameter.data = 0.3 * torch.randn_like(parameter)
    adapter.save_pretrained(tmp_path / "adapter")
    tokenizer.save_pretrained(tmp_path / "adapter")
    merged = AutoModelForCausalLM.from_pretrained(merge(tmp_path / "adapter", tmp_path / "merged"))
    played = load_merged(tmp_path / "adapter")  # what a policy plays
    adapted = AutoPeftModelForCausalLM.from_pretrained(tmp_path / "adapter").eval()
    ids = torch.randint(0, len(tokenizer), (1, 9))
    with torch.no_grad():
        expected, before = adapted(ids).logits, base(ids).logits
        assert not torch.allclose(expected, before, atol=0.1)
        for model in (merged, played):
            torch.testing.assert_close(model(ids).logits, expected, atol=1e-5, rtol=1e-5)


def said(name, reply, *, loss=True):
    texts = [("human", "a", None), ("gpt", reply, loss), ("human", "c", None), ("gpt", "go north", True)]
    return Conversation(id=name, conversations=[Message(sender=s, value=v, loss=flag) for s, v, flag in texts])


def test_an_empty_reply_stops_no_tuning_and_is_told(tiny, data, tmp_path, capsys):
    rows = [*data, said("masked", "", loss=False), said("empty", " "), said("none", "x").model_copy(deep=True)]
    for message in rows[-1].conversations[1::2]:
        message.loss = False
    log = tune(tiny, rows, tmp_path / "m", RECIPE.model_copy(update={"max_tokens": 1300}))
    left = log.iloc[-1]
    long = int(left["over_max_tokens"])
    assert (left["examples"], left["dropped"]) == (len(rows) - 2 - long, 2 + long)
    assert (left["empty_reply"], left["no_trained_reply"], left["roles_not_alternating"]) == (1, 1, 0)
    shown = capsys.readouterr().out
    assert "empty_reply 1 (empty)" in shown and "no_trained_reply 1 (none)" in shown and "masked" not in shown
    card = (tmp_path / "m" / "README.md").read_text()
    assert f"{long} as longer than 1300 tokens, 1 without a trained\nreply, 1 with an empty one, 0 whose" in card


def test_why_nothing_is_left_to_learn_from(tiny, tmp_path):
    masked = said("row", "x")
    for message in masked.conversations[1::2]:
        message.loss = False
    with pytest.raises(ValueError, match=r"in 2 conversations: left out: no_trained_reply 2 \(row, row\)$"):
        tune(tiny, [masked, masked], tmp_path / "masked", RECIPE)
    with pytest.raises(ValueError, match=r"in 0 conversations: left out: none$"):
        tune(tiny, [], tmp_path / "none", RECIPE)
    tune(tiny, [said("row", "x")], tmp_path / "none", RECIPE)  # a job that came to nothing claims no folder
    assert json.loads((tmp_path / "none" / "job.json").read_text())["conversations"] == 1
