"""Padding-free batches: conversations end to end in one row, none of which sees another.

Every token that is computed is a token of the data. Attention has to keep the conversations apart; these do:
``by_sample`` (below, any device) calls PyTorch's fused attention once per conversation, and on an NVIDIA GPU in 16 bits
once for the whole row; ``flash_attention_2`` does so with the package of that name; ``sdpa`` and ``eager`` get a block
mask from transformers, exact but quadratic in the length of the whole row. Positions begin at 0 in every conversation.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from inspect import signature
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler
from torch.utils.weak import WeakTensorKeyDictionary
from transformers import AttentionInterface, DataCollatorWithFlattening
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward

from agentrefine_lib.tuning.mask import Example

try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:  # before torch 2.10
    varlen_attn = None

ISOLATING = ("by_sample", "flash_attention_2", "sdpa", "eager")
Row = dict[str, Any]


class Examples(Dataset[Row]):
    """Encoded conversations as the trainer reads them: ``input_ids``, ``labels``, ``refined``; one entry per token."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self.rows = [
            {
                "input_ids": np.array(example.input_ids, dtype=np.int32),
                "labels": np.array(example.labels, dtype=np.int32),
                "refined": refinement_tokens(example),
            }
            for example in examples
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Row:
        return self.rows[index]


def refinement_tokens(example: Example) -> np.ndarray:
    """True for each token of a trained reply right after a masked one: a refinement, where only errors are masked."""
    owner, trained = np.array(example.message), np.array(example.trained)
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
    max_length_q: int = 0,
    sliding_window: int | None = None,
    **rest: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention within each conversation of a row; query, key, value: (1, heads, tokens, width of a head).

    Returns (1, tokens, heads, width). ``cu_seq_lens_q``: where conversations begin, and the end; ``max_length_q``: the
    longest one.
    """
    if cu_seq_lens_q is None:
        raise ValueError("attention by_sample: found no borders of conversations, expected batches of `Flatten`")
    if sliding_window and sliding_window < max_length_q:
        raise ValueError(
            f"attention by_sample: a conversation is longer than the model's window of {sliding_window} tokens; "
            "set attention to flash_attention_2 or sdpa, or max_tokens to that number"
        )
    rest = {name: rest[name] for name in ("dropout", "scaling") if name in rest}
    if (half := in_one_call(query)) and not rest.get("dropout"):
        query, key, value = (x[0].transpose(0, 1).to(half) for x in (query, key, value))
        return attend_row(query, key, value, cu_seq_lens_q, max_length_q, rest.get("scaling"))[None], None
    parts = [
        sdpa_attention_forward(module, *(x[:, :, a:b] for x in (query, key, value)), None, is_causal=True, **rest)[0]
        for a, b in pairwise(read_once(cu_seq_lens_q))
    ]
    return torch.cat(parts, dim=1), None


def attend_row(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    borders: torch.Tensor,
    longest: int,
    scale: float | None,
) -> torch.Tensor:
    """The same in one call of PyTorch's ``varlen_attn``; all are (tokens, heads, width of a head), in 16 bits."""
    grouped: dict[str, Any] = {"enable_gqa": True}
    if "enable_gqa" not in signature(varlen_attn).parameters:  # before torch 2.12: keys and values for every query head
        times, grouped = query.shape[1] // key.shape[1], {}
        key, value = (repeat_kv(x.transpose(0, 1)[None], times)[0].transpose(0, 1) for x in (key, value))
    ends = {"cu_seq_q": borders, "cu_seq_k": borders, "max_q": longest, "max_k": longest}
    out: torch.Tensor = varlen_attn(query, key, value, **ends, scale=scale, window_size=(-1, 0), **grouped)
    return out


def in_one_call(query: torch.Tensor) -> torch.dtype | None:
    """The 16-bit type in which the query's device attends within a whole row at once; None where it cannot."""
    if query.device.type != "cuda" or not _has_varlen(query.device) or query.shape[-1] % 8 or query.shape[-1] > 256:
        return None
    kind = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else query.dtype
    return kind if kind in (torch.bfloat16, torch.float16) else None  # under autocast queries arrive in float32


@cache
def _has_varlen(device: torch.device) -> bool:
    known = varlen_attn is not None and "window_size" in signature(varlen_attn).parameters
    return known and torch.version.hip is None and torch.cuda.get_device_capability(device) >= (8, 0)


_READ: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def read_once(borders: torch.Tensor) -> list[int]:
    """The numbers of a tensor that all layers of a model get: reading them waits for the device."""
    known: list[int] | None = _READ.get(borders)
    if known is None:
        known = _READ[borders] = borders.tolist()
    return known


AttentionInterface.register("by_sample", attend_by_sample)
