"""For others: conversations as ids and labels, which TRL or any Trainer reads; an adapter as a whole model."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from agentrefine_lib.dataset.exports import Exported, why_unfit
from agentrefine_lib.dataset.files import write_parquet
from agentrefine_lib.schema import Conversation
from agentrefine_lib.tuning.mask import encode


def for_trl(
    conversations: Iterable[Conversation], tokenizer: Any, path: Path | str, max_tokens: int | None = None
) -> Exported:
    """Write a Parquet file of ``input_ids`` and ``labels`` (-100 where nothing is learned), whole conversations only.

    TRL uses both columns as they are. Set its ``max_length`` to None or at least ``max_tokens``: it would cut a longer
    row in the middle of a turn. Leave ``packing`` off, or attention runs from one conversation into the next unless
    FlashAttention is there. Raises MaskError when a conversation and the chat template give no faithful mask.
    """
    import pyarrow as pa

    rows_in = 0
    dropped: Counter[str] = Counter()

    def rows() -> Iterator[dict[str, list[int]]]:
        nonlocal rows_in
        for conversation in conversations:
            rows_in += 1
            if reason := why_unfit(conversation):
                dropped[reason] += 1
                continue
            example = encode(conversation, tokenizer)
            if max_tokens is not None and len(example.input_ids) > max_tokens:
                dropped["over_max_tokens"] += 1
                continue
            yield {"input_ids": example.input_ids, "labels": example.labels}

    schema = pa.schema({"input_ids": pa.list_(pa.int32()), "labels": pa.list_(pa.int32())})
    rows_out = write_parquet(Path(path), rows(), schema)
    return Exported(rows_in, rows_out, dict(dropped))


def load_merged(model: Path | str, **options: Any) -> Any:
    """The model of a folder or hub name, an adapter merged into its base; ``options`` are those of from_pretrained."""
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM

    if not (Path(model) / "adapter_config.json").is_file():
        return AutoModelForCausalLM.from_pretrained(model, trust_remote_code=False, **options)
    return AutoPeftModelForCausalLM.from_pretrained(model, trust_remote_code=False, **options).merge_and_unload()


def merge(adapter: Path | str, folder: Path) -> Path:
    """Write one model without an adapter, as servers like it: the base of a LoRA model with what the adapter learned.

    The tokenizer goes with it. Returns the folder. Raises ValueError where ``adapter`` holds no adapter.
    """
    from transformers import AutoTokenizer

    if not (Path(adapter) / "adapter_config.json").is_file():
        raise ValueError(f"{adapter}: found no adapter_config.json, expected a model tuned with lora_rank above 0")
    load_merged(adapter, dtype="auto").save_pretrained(folder)
    AutoTokenizer.from_pretrained(adapter, trust_remote_code=False).save_pretrained(folder)
    return folder
