"""Many texts continued at once by one causal model, each with the keys and values of what was read of it before.

Rows of different length stand right-aligned in one batch; the holes on their left are masked out.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, StaticCache
from transformers.cache_utils import StaticLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask


@dataclass
class Reading:
    """What a model has read of one text: token ids, and keys and values per layer, each (heads, tokens, width)."""

    ids: list[int] = field(default_factory=list)
    layers: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def keep_prefix_of(self, ids: list[int]) -> list[int]:
        """Forget all after the first difference to ``ids``; return the ids still to be read, at least one."""
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self.ids, ids[:-1], strict=False)))
        self.ids = self.ids[:same]
        self.layers = [(keys[:, :same], values[:, :same]) for keys, values in self.layers]
        return ids[same:]


@dataclass(frozen=True)
class Sampling:
    """Temperature 0 is greedy. Draws depend on the seed, the row's label and the token's number, never on the batch."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def uniforms(self, labels: Sequence[str], tokens: int) -> Tensor:
        """Numbers in [0, 1), (rows, tokens)."""
        streams = [random.Random(f"{self.seed} {label}") for label in labels]
        return torch.tensor([[stream.random() for _ in range(tokens)] for stream in streams], dtype=torch.float64)

    def choose(self, logits: Tensor, uniform: Tensor) -> Tensor:
        """The next token of each row, by inverse CDF: logits (rows, vocabulary), uniform (rows,)."""
        if self.temperature == 0:
            return logits.argmax(-1)
        p = (logits.double() / self.temperature).softmax(-1)
        if self.top_p < 1:
            ordered, order = p.sort(descending=True)
            beyond = ordered.cumsum(-1) - ordered >= self.top_p
            p = p.masked_fill(torch.zeros_like(beyond).scatter(-1, order, beyond), 0.0)
        cdf = p.cumsum(-1)
        choice = torch.searchsorted(cdf, uniform[:, None] * cdf[:, -1:], right=True)[:, 0]
        return choice.clamp(max=p.shape[-1] - 1)


class Circles:
    """Finds rows that go round in circles: their last ``tokens`` tokens say at least three times the same.

    Greedy decoding seldom leaves such a circle. 0 finds none.
    """

    def __init__(self, rows: int, tokens: int, device: torch.device) -> None:
        periods = torch.arange(1, tokens // 3 + 1, device=device)
        self._enough = tokens - periods  # tokens in a row, each the one of a period before
        self._latest = torch.full((rows, len(periods)), -1, device=device)  # the newest first
        self._again = torch.zeros(rows, len(periods), dtype=torch.long, device=device)

    def closed_by(self, choice: Tensor) -> Tensor:
        """Which rows the next token of each, (rows,), leaves in a circle."""
        self._again = torch.where(self._latest == choice[:, None], self._again + 1, 0)
        self._latest = torch.cat([choice[:, None], self._latest], 1)[:, : len(self._enough)]
        return (self._again >= self._enough).any(1)

    def keep(self, rows: Tensor) -> None:
        """Forget all rows but these."""
        self._latest, self._again = self._latest[rows], self._again[rows]


def require_full_attention(config: Any, context: int) -> None:
    """Raise ValueError for a model that cannot read ``context`` tokens with full attention in every layer."""
    if (longest := getattr(config, "max_position_embeddings", context)) < context:
        raise ValueError(f"context: found {context}; expected at most the {longest} tokens that the model can read")
    window = getattr(config, "sliding_window", None)
    if window is not None and window >= context:
        config.sliding_window = None  # as good as none, and holes in a row do not count as tokens
    if any(type(layer) is not StaticLayer for layer in StaticCache(config=config, max_cache_len=1).layers):
        raise ValueError(
            f"{config.model_type}: expected full attention in every layer over context={context} tokens; lower context "
            "to the model's sliding window, or serve the model and play it with EndpointPolicy"
        )


def attend_to_cache(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **rest: Any
) -> tuple[Tensor, Tensor | None]:
    """Like sdpa; for one new token per row two plain products, which a processor does 1.5 times as fast.

    query: (rows, heads, new tokens, width); key and value: (rows, heads, all tokens, width); mask: (rows, 1, new, all).
    """
    if attention_mask is None or query.shape[2] > 1 or query.shape[1] != key.shape[1]:
        attended: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **rest)
        return attended
    scores = query @ key.transpose(-1, -2) * rest["scaling"]
    weights = scores.masked_fill(~attention_mask, torch.finfo(scores.dtype).min).softmax(-1)
    return (weights @ value).transpose(1, 2), None


AttentionInterface.register("to_cache", attend_to_cache)
AttentionMaskInterface.register("to_cache", sdpa_mask)


@torch.inference_mode()
def decode(
    model: Any,
    readings: list[Reading],
    prompts: list[list[int]],
    labels: Sequence[str],
    *,
    stop: frozenset[int],
    tokens: int,
    sampling: Sampling,
    circle: int = 0,
) -> list[list[int]]:
    """Read each prompt (at least one id) after its reading, then write until a stop id, ``tokens`` ids, or a circle.

    ``circle``: the tokens that ``Circles`` looks at. Returns the ids written, the stop id included; the readings then
    hold all that was read.
    """
    _read_ahead(model, readings, [prompt[:-1] for prompt in prompts])
    cache, mask, unread, places = _lay_out(model, readings, [prompt[-1:] for prompt in prompts], tokens)
    device = model.device
    uniforms = sampling.uniforms(labels, tokens).to(device)
    stops = torch.tensor(sorted(stop), device=device)
    rows = torch.arange(len(prompts), device=device)  # those in the batch
    going = torch.ones(len(prompts), dtype=torch.bool, device=device)  # those of them that are still written
    written: list[list[int]] = [[] for _ in prompts]
    circles = Circles(len(prompts), circle, device)

    def hand_back(over: Tensor) -> None:
        for at, row in zip(over.nonzero()[:, 0].tolist(), rows[over].tolist(), strict=True):
            read = [prompts[row][-1], *written[row][:-1]]  # the last token written was not read
            _take_back(readings[row], read, cache, mask, at)

    for number in range(tokens):
        out = model(input_ids=unread, attention_mask=mask, position_ids=places, past_key_values=cache, logits_to_keep=1)
        choice = sampling.choose(out.logits[:, -1], uniforms[rows, number])
        for row, token in zip(rows[going].tolist(), choice[going].tolist(), strict=True):
            written[row].append(token)
        going &= ~(torch.isin(choice, stops) | circles.closed_by(choice))
        left = int(going.sum())
        if not left:
            break
        unread, places = choice[:, None], places[:, -1:] + 1
        if 2 * left <= len(rows):  # those that are over cost as much as the others: away with them
            hand_back(~going)
            for layer in cache.layers:  # transformers can select rows of growing caches only
                there = going.to(layer.device)
                layer.keys, layer.values = layer.keys[there], layer.values[there]
            circles.keep(going)
            mask, unread, places, rows = mask[going], unread[going], places[going], rows[going]
            going = going[going]
    hand_back(torch.ones_like(going))
    return written


def _read_ahead(model: Any, readings: list[Reading], prompts: list[list[int]]) -> None:
    """Read the prompts. Those of like length share a batch, which is as wide as its longest."""
    waiting = sorted((row for row, prompt in enumerate(prompts) if prompt), key=lambda row: -len(prompts[row]))
    while waiting:
        rows = [row for row in waiting if 2 * len(prompts[row]) > len(prompts[waiting[0]])]
        waiting = waiting[len(rows) :]
        cache, mask, unread, places = _lay_out(model, [readings[r] for r in rows], [prompts[r] for r in rows])
        model(input_ids=unread, attention_mask=mask, position_ids=places, past_key_values=cache, logits_to_keep=1)
        for at, row in enumerate(rows):
            _take_back(readings[row], prompts[row], cache, mask, at)


def _lay_out(
    model: Any, readings: list[Reading], prompts: list[list[int]], room: int = 0
) -> tuple[StaticCache, Tensor, Tensor, Tensor]:
    """Readings, prompts and ``room`` for more as a batch: a cache, the mask, and ids and positions of the prompts.

    The mask is 1 in the room, too: nothing looks ahead.
    """
    start, width = max(len(reading.ids) for reading in readings), max(map(len, prompts))
    mask = torch.zeros(len(prompts), start + width + room, dtype=torch.long)
    unread = torch.zeros(len(prompts), width, dtype=torch.long)
    for row, (reading, prompt) in enumerate(zip(readings, prompts, strict=True)):
        mask[row, start - len(reading.ids) : start] = 1
        mask[row, start + width - len(prompt) :] = 1
        unread[row, width - len(prompt) :] = torch.tensor(prompt)
    places = (mask.cumsum(1) - 1).clamp(min=0)[:, start : start + width]
    cache = _join(model.config, readings, start, mask.shape[1])
    return cache, *(ids.to(model.device) for ids in (mask, unread, places))


def _join(config: Any, readings: list[Reading], longest: int, capacity: int) -> StaticCache:
    """One cache for all rows, right-aligned, with room for ``capacity`` tokens: growing it would copy it each time."""
    cache = StaticCache(config=config, max_cache_len=capacity)
    filled = next((reading.layers for reading in readings if reading.layers), [])
    for number, (layer, like) in enumerate(zip(cache.layers, filled, strict=False)):
        layer.lazy_initialization(*(states.expand(len(readings), *states.shape) for states in like))
        layer.cumulative_length.fill_(longest)  # as an update does, which would copy all of it once more
        for row, reading in enumerate(readings):
            if reading.ids:
                layer.keys[row, :, longest - len(reading.ids) : longest] = reading.layers[number][0]
                layer.values[row, :, longest - len(reading.ids) : longest] = reading.layers[number][1]
    return cache


def _take_back(reading: Reading, ids: list[int], cache: StaticCache, mask: Tensor, at: int) -> None:
    """Add the ids read in row ``at`` to its reading, and keep the keys and values of the row without its holes."""
    reading.ids += ids
    read = mask[at].nonzero()[: len(reading.ids), 0]
    reading.layers = []
    for layer in cache.layers:
        there = read.to(layer.device)  # the layers of a large model lie on several GPUs
        reading.layers.append((layer.keys[at].index_select(1, there), layer.values[at].index_select(1, there)))
