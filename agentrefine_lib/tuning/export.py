"""For others: conversations as ids and labels, which TRL or any Trainer reads; an adapter as a whole model."""

# mypy: disable-error-code="import-untyped"

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agentrefine_lib.dataset.exports import ExportReport
from agentrefine_lib.dataset.files import write_parquet
from agentrefine_lib.schema import Conversation
from agentrefine_lib.tuning.mask import prepare
from agentrefine_lib.tuning.recipe import require_no_model


class UnfitError(ValueError):
    """A model that ``gguf`` cannot write; here, since that module needs the package gguf."""


def for_trl(
    conversations: Iterable[Conversation], tokenizer: Any, path: Path | str, max_tokens: int | None = None
) -> ExportReport:
    """Write a Parquet file of ``input_ids`` and ``labels`` (-100 where nothing is learned), whole conversations only.

    TRL uses both columns as they are. Set its ``max_length`` to None or at least ``max_tokens``: it would cut a longer
    row in the middle of a turn. Leave ``packing`` off, or attention runs from one conversation into the next unless
    FlashAttention is there. Raises MaskError when a conversation and the chat template give no faithful mask.
    """
    import pyarrow as pa

    examples, left_out = prepare(conversations, tokenizer, max_tokens)
    schema = pa.schema({"input_ids": pa.list_(pa.int32()), "labels": pa.list_(pa.int32())})
    rows = ({"input_ids": example.input_ids, "labels": example.labels} for example in examples)
    rows_out = write_parquet(Path(path), rows, schema)
    dropped = {reason: len(ids) for reason, ids in left_out.items()}
    return ExportReport(rows_out + sum(dropped.values()), rows_out, dropped)


def merge(adapter: Path | str, folder: Path) -> Path:
    """Write one model without an adapter, as servers like it: the base of a LoRA model with what the adapter learned.

    The tokenizer goes with it. Returns the folder. Raises ValueError where ``adapter`` holds no adapter,
    FileExistsError where ``folder`` holds a model: the adapter itself, its base or another.
    """
    from transformers import AutoTokenizer

    if not (Path(adapter) / "adapter_config.json").is_file():
        raise ValueError(f"{adapter}: found no adapter_config.json, expected a model tuned with lora_rank above 0")
    require_no_model(folder)
    load_merged(adapter, dtype="auto").save_pretrained(folder)
    AutoTokenizer.from_pretrained(adapter, trust_remote_code=False).save_pretrained(folder)
    return folder


def load_merged(model: Path | str, **loading: Any) -> Any:
    """The model of a folder or hub name, an adapter merged into its base; ``loading`` is for ``from_pretrained``.

    A base may use one matrix for its first and its last layer. Where an adapter changed one of the two, or each its own
    way, they become two matrices.
    """
    from peft import AutoPeftModelForCausalLM
    from torch.nn import Parameter
    from transformers import AutoModelForCausalLM

    if not (Path(model) / "adapter_config.json").is_file():
        return AutoModelForCausalLM.from_pretrained(model, trust_remote_code=False, **loading)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # see ``add_adapter``
        adapted = AutoPeftModelForCausalLM.from_pretrained(model, trust_remote_code=False, **loading)
    base = adapted.get_base_model()
    ends = base.get_input_embeddings(), base.get_output_embeddings()
    if base.config.tie_word_embeddings and any(type(layer).__module__.startswith("peft.") for layer in ends):
        seen: set[int] = set()
        for layer in base.modules():
            weight = layer._parameters.get("weight")
            if weight is not None and id(weight) in seen:
                layer.weight = Parameter(weight.detach().clone())
            seen.add(id(weight))
        base.config.tie_word_embeddings = False
    return adapted.merge_and_unload()
