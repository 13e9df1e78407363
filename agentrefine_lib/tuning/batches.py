"""Padding-free batches: conversations end to end in one row, none of which sees another.

Every token that is computed is a token of the data. Attention has to keep the conversations apart; these do:
``by_sample`` (below, any device) calls PyTorch's fused attention once per conversation; ``flash_attention_2`` does so
in one kernel, on GPUs that have it; ``sdpa`` and ``eager`` get a block mask from transformers, exact but quadratic in
the length of the whole row. Positions begin at 0 in every conversation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler
from transformers import AttentionInterface, DataCollatorWithFlattening
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from agentrefine_lib.tuning.mask import IGNORED, Example

ISOLATING = ("by_sample", "flash_attention_2", "sdpa", "eager")
Row = dict[str, Any]


class Examples(Dataset[Row]):
    """Encoded conversations as the trainer reads them: ``input_ids``, ``labels``, ``refined``; one entry per token."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self.rows = [
            {
                "input_ids": np.array(example.input_ids, dtype=np.int32),
                "labels": np.array(example.labels, dtype=np.int32),
                "refined": refined_tokens(example),
            }
            for example in examples
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Row:
        return self.rows[index]


def refined_tokens(example: Example) -> np.ndarray:
    """True for each token of a refinement: a trained reply right after one that is not trained, an error."""
    owner, trained = np.array(example.message), np.array(example.labels) != IGNORED
    errors = set(owner[owner >= 0]) - set(owner[trained])
    return trained & np.isin(owner - 2, list(errors))  # a message of the world lies between two replies


class Order(Sampler[int]):
    """Indices of all steps of a training, each pass over the data shuffled anew from the seed.

    It does not depend on how many processes or accumulated parts share a step, nor on where a killed run stopped.
    """

    def __init__(self, rows: int, total: int, seed: int) -> None:
        self.rows, self.total, self.seed = rows, total, seed

    def __len__(self) -> int:
        return self.total

    def __iter__(self) -> Iterator[int]:
        for number in range(self.total):
            if number % self.rows == 0:
                shuffled = np.random.default_rng([self.seed, number // self.rows]).permutation(self.rows)
            yield int(shuffled[number % self.rows])


class Flatten(DataCollatorWithFlattening):
    """Rows end to end, shape (1, tokens), with the borders that attention needs; the first label of each is IGNORED."""

    def __init__(self) -> None:
        super().__init__(return_flash_attn_kwargs=True)

    def __call__(self, features: list[Row], return_tensors: Any = None, separator_id: Any = None) -> Row:
        plain = [{key: row[key].tolist() for key in ("input_ids", "labels")} for row in features]
        batch: Row = super().__call__(plain, return_tensors, separator_id)
        batch["refined"] = torch.from_numpy(np.concatenate([row["refined"] for row in features]))[None]
        return batch


def attend_by_sample(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    cu_seq_lens_q: torch.Tensor | None = None,
    sliding_window: int | None = None,
    **rest: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention within each conversation of a row; query, key, value: (1, heads, tokens, width of a head)."""
    if cu_seq_lens_q is None:
        raise ValueError("attention by_sample: found no borders of conversations, expected batches of `Flatten`")
    borders = cu_seq_lens_q.tolist()
    if sliding_window and sliding_window < max(b - a for a, b in pairwise(borders)):
        raise ValueError(
            f"attention by_sample: a conversation is longer than the model's window of {sliding_window} tokens; "
            "set attention to flash_attention_2 or sdpa, or max_tokens to that number"
        )
    rest = {name: rest[name] for name in ("dropout", "scaling") if name in rest}
    parts = [
        sdpa_attention_forward(module, *(x[:, :, a:b] for x in (query, key, value)), None, is_causal=True, **rest)[0]
        for a, b in pairwise(borders)
    ]
    return torch.cat(parts, dim=1), None


AttentionInterface.register("by_sample", attend_by_sample)
