"""A model as one GGUF file, which openvino-genai, llama.cpp, Ollama and LM Studio read; adapters are merged first.

    python -m agentrefine_lib.tuning.gguf runs/laptop/models/agentrefine-0 agentrefine.gguf

Llama's architecture only (SmolLM2, Llama 3): the others come with converters of their own.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any, Literal, get_args

import gguf
import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, TokenType

from agentrefine_lib.schema import atomic_write
from agentrefine_lib.tuning.base import base_folder, load_tokenizer, require_folder
from agentrefine_lib.tuning.export import UnfitError, load_merged

Precision = Literal["F16", "Q8_0"]
MARKERS = re.compile(r"\{%-?\s*(end)?generation\s*-?%\}")  # of replies, which only training reads
LLAMA_3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"  # how its pattern of words begins


def write_gguf(model: Path | str, path: Path, precision: Precision = "F16") -> Path:
    """``to_gguf`` of a folder or hub name."""
    return to_gguf(load_merged(model, dtype="auto"), load_tokenizer(model), path, precision, Path(model).name)


def to_gguf(model: Any, tokenizer: Any, path: Path, precision: Precision = "F16", name: str = "model") -> Path:
    """Write a loaded model, with tokenizer and chat template, to ``path`` and return it.

    Q8_0 is half as large and rounds the weights to 8 bits. Raises UnfitError for another architecture than Llama's and
    for a tokenizer that GGUF has no name for.
    """
    if model.config.model_type != "llama":
        raise UnfitError(f"found a model of type {model.config.model_type!r}, expected 'llama'")
    with atomic_write(path) as part:
        writer = GGUFWriter(part, "llama")
        writer.add_name(name)
        _add_shape(writer, model.config)
        _add_tokenizer(writer, tokenizer, model.config.vocab_size)
        writer.add_file_type(LlamaFileType.MOSTLY_Q8_0 if precision == "Q8_0" else LlamaFileType.MOSTLY_F16)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        _add_weights(writer, model, GGMLQuantizationType[precision])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return path


def _add_shape(writer: GGUFWriter, config: Any) -> None:
    if config.rope_parameters["rope_type"] != "default":
        raise UnfitError(f"rope_type: found {config.rope_parameters['rope_type']!r}, expected 'default'")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def _add_tokenizer(writer: GGUFWriter, tokenizer: Any, size: int) -> None:
    """Byte-level BPE: tokens, merges, and the name of how words are split before."""
    described = json.loads(tokenizer.backend_tokenizer.to_str())
    tokens = {number: token for token, number in tokenizer.get_vocab().items()}
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    kinds = {number: TokenType.CONTROL if number in special else TokenType.NORMAL for number in tokens}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_name_of_split(described["pre_tokenizer"]))
    writer.add_token_list([tokens.get(number, f"[PAD{number}]") for number in range(size)])
    writer.add_token_types([kinds.get(number, TokenType.UNUSED) for number in range(size)])
    writer.add_token_merges([" ".join(merge) for merge in described["model"]["merges"]])
    for name, add in (
        ("bos_token_id", writer.add_bos_token_id),
        ("eos_token_id", writer.add_eos_token_id),
        ("unk_token_id", writer.add_unk_token_id),
        ("pad_token_id", writer.add_pad_token_id),
    ):
        if (token := getattr(tokenizer, name)) is not None:
            add(token)
    writer.add_add_bos_token(False)  # the chat template writes what there is
    writer.add_add_space_prefix(False)
    writer.add_chat_template(MARKERS.sub("", tokenizer.chat_template))


def _name_of_split(described: dict[str, Any] | None) -> str:
    """GGUF's name of how a tokenizer splits a text into words before it merges bytes; none does not."""
    if described is None:
        raise UnfitError("tokenizer: found no split into words, expected one as SmolLM2, Llama 3 or GPT-2 have")
    parts = described.get("pretokenizers", [described])
    kinds = [part["type"] for part in parts]
    if kinds == ["ByteLevel"]:
        return "gpt-2"
    if kinds == ["Digits", "ByteLevel"] and parts[0]["individual_digits"]:
        return "smollm"
    if kinds == ["Split", "ByteLevel"] and parts[0]["pattern"].get("Regex", "").startswith(LLAMA_3):
        return "llama-bpe"
    raise UnfitError(f"tokenizer: found words split by {', '.join(kinds)}, expected as SmolLM2, Llama 3 or GPT-2 do")


def _add_weights(writer: GGUFWriter, model: Any, precision: GGMLQuantizationType) -> None:
    """Matrices in the precision, vectors in float32. Queries and keys are permuted, since GGUF turns pairs of
    neighbouring dimensions where transformers turns the two halves of a head."""
    config = model.config
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        values = weight.float().numpy()
        if count := heads.get(name.split(".")[-2]):
            values = values.reshape(count, 2, -1, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
        kind = precision if values.ndim > 1 else GGMLQuantizationType.F32
        stored = gguf.quants.quantize(np.ascontiguousarray(values), kind)
        known = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if known is None:
            raise UnfitError(f"weights: found {name}, which a Llama does not have")
        writer.add_tensor(known, stored, raw_dtype=kind)


def main() -> None:
    """The command: see the module."""
    parser = argparse.ArgumentParser(prog="python -m agentrefine_lib.tuning.gguf", description=__doc__.split("\n")[0])
    parser.add_argument("model", help="a folder that chapter 3 wrote, smollm2, or a hub name")
    parser.add_argument("file", type=Path, help="the GGUF file to write")
    parser.add_argument("--precision", choices=get_args(Precision), default="F16", help="Q8_0 is half as large")
    given = parser.parse_args()
    try:
        require_folder(given.model)
        size = write_gguf(base_folder(given.model), given.file, given.precision).stat().st_size
    except (OSError, ValueError) as error:  # no model there, or one that GGUF is not written for
        sys.exit(f"{given.model}: {error}")
    print(f"{given.file}: {size / 1e6:.0f} MB; for Ollama, a Modelfile with one line: FROM ./{given.file.name}")


if __name__ == "__main__":
    main()
