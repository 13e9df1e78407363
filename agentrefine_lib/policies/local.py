"""A local Hugging Face model as a policy: live episodes share one batch, and each keeps its key/value cache.

Between two turns an episode's prompt mostly grows by one reply and one observation, so only those tokens are read anew.
"""

from __future__ import annotations

import asyncio
import threading
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch
from peft import AutoPeftModelForCausalLM
from transformers import AutoModelForCausalLM, AutoTokenizer

from agentrefine_lib.agent import Prompting, drop_oldest
from agentrefine_lib.policies.decoding import Reading, Sampling, decode, require_full_attention
from agentrefine_lib.policies.protocol import LiveEpisode
from agentrefine_lib.schema import Ending


class LocalPolicy:
    """A folder or hub name of a causal model with its tokenizer; an adapter (PEFT) in a folder is merged into its base.

    ``context`` and ``reply_tokens`` count tokens, ``crew`` episodes decoded together. A reply ends, too, where its last
    ``circle_tokens`` say three times the same (0: never). It depends on its episode only, never on the batch, up to the
    rounding of sums: that decides where two tokens are equally likely. ``device``: "cpu", "cuda", or "auto" to spread a
    model over several GPUs. ``dtype``: "auto" (as saved), "float32", "bfloat16" …
    Raises ValueError for a model without full attention over ``context``; ``act`` does for a task that does not fit.
    """

    def __init__(
        self,
        model: Path | str,
        name: str,
        *,
        context: int,
        reply_tokens: int = 64,
        circle_tokens: int = 0,
        crew: int = 64,
        sampling: Sampling = Sampling(),  # noqa: B008
        prompting: Prompting = Prompting(),  # noqa: B008
        device: str = "cpu",
        dtype: str = "auto",
    ) -> None:
        torch.set_num_threads(1)  # two threads stall on two noisy cores
        self.name = name
        self.crew: int | None = crew
        self.tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
        self.model = _load(model, device, dtype)
        require_full_attention(self.model.config, context)
        self._stop = _stop_ids(self.model, self.tokenizer)
        self._room, self._reply_tokens, self._circle = context - reply_tokens, reply_tokens, circle_tokens
        self.limit = f"reply_tokens={reply_tokens}"  # where a run that had replies cut says so
        self._sampling, self._prompting = sampling, prompting
        self._readings: WeakKeyDictionary[LiveEpisode, Reading] = WeakKeyDictionary()
        self._decoding = threading.Lock()  # of a thread, not of an event loop: a policy may outlive loops

    async def act(self, episodes: list[LiveEpisode]) -> list[str]:
        """Off the event loop, so that engines go on meanwhile; one call at a time."""
        return await asyncio.to_thread(self._act, episodes)

    def _act(self, episodes: list[LiveEpisode]) -> list[str]:
        with self._decoding:
            readings = [self._readings.setdefault(episode, Reading()) for episode in episodes]
            chats = [self._read(episode) for episode in episodes]
            written = decode(
                self.model,
                readings,
                [reading.keep_prefix_of(ids) for reading, ids in zip(readings, chats, strict=True)],
                [f"{episode.task.id} {len(episode.steps)}" for episode in episodes],
                stop=self._stop,
                tokens=self._reply_tokens,
                sampling=self._sampling,
                circle=self._circle,
            )
        for episode, ids in zip(episodes, written, strict=True):
            cut = len(ids) == self._reply_tokens and ids[-1] not in self._stop
            reason = "length" if cut else "stop" if ids[-1] in self._stop else "circle"
            episode.ending = Ending(reason=reason, tokens=len(ids), cut=cut)
        texts = self.tokenizer.batch_decode(written, skip_special_tokens=True)
        return [self._prompting.reply(text) for text in texts]

    def _read(self, episode: LiveEpisode) -> list[int]:
        """The episode's prompt, cut to what the context takes."""

        @cache
        def encode(dropped: int) -> list[int]:
            chat = self._prompting.chat(episode.task, episode.opening, episode.steps[dropped:])
            encoding = self.tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)
            ids: list[int] = encoding["input_ids"]
            return ids

        try:
            episode.dropped = drop_oldest(
                len(episode.steps), episode.dropped, lambda dropped: len(encode(dropped)), self._room
            )
        except ValueError as error:
            raise ValueError(f"{self.name}, {episode.task.id}: {error}") from None
        return encode(episode.dropped)


def _load(model: Path | str, device: str, dtype: str) -> Any:
    is_adapter = (Path(model) / "adapter_config.json").exists()
    loader = AutoPeftModelForCausalLM if is_adapter else AutoModelForCausalLM
    loaded = loader.from_pretrained(model, dtype=dtype, device_map=device, trust_remote_code=False)
    whole = (loaded.merge_and_unload() if is_adapter else loaded).eval()
    if whole.device.type == "cpu" and whole.config._attn_implementation == "sdpa":
        whole.set_attn_implementation("to_cache")
    return whole


def _stop_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """Chat models may end a turn with another token than a text."""
    named = model.generation_config.eos_token_id
    return frozenset([*(named if isinstance(named, list) else [named]), tokenizer.eos_token_id]) - {None}
