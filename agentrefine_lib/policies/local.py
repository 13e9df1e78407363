"""A local Hugging Face model as a policy: every live episode is one row of one batch."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from agentrefine_lib.agent import Chat, truncate
from agentrefine_lib.policies.protocol import LiveEpisode


class LocalPolicy:
    """Decodes greedily with ``generate``, prompts padded on the left. ``context`` and ``reply_tokens`` in tokens."""

    def __init__(self, folder: Path | str, name: str, *, context: int, reply_tokens: int = 64, batch: int = 64) -> None:
        torch.set_num_threads(1)  # two threads stall on two noisy cores
        self.name = name
        self.tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
        self.model = AutoModelForCausalLM.from_pretrained(folder).eval()
        self.room = context - reply_tokens
        self.reply_tokens = reply_tokens
        self.batch = batch
        self.exchanges_dropped = 0

    def act(self, episodes: list[LiveEpisode]) -> list[str]:
        replies: list[str] = []
        for start in range(0, len(episodes), self.batch):
            replies += self._generate([self._prompt(e.chat()) for e in episodes[start : start + self.batch]])
        return replies

    def _prompt(self, chat: Chat) -> list[int]:
        """Token ids of the chat, its oldest exchanges left out where it is longer than the context."""
        chat, dropped = truncate(chat, lambda shorter: len(self._encode(shorter)) <= self.room)
        self.exchanges_dropped += dropped
        return self._encode(chat)[-self.room :]

    def _encode(self, chat: Chat) -> list[int]:
        ids: list[int] = self.tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)[
            "input_ids"
        ]
        return ids

    @torch.inference_mode()
    def _generate(self, prompts: list[list[int]]) -> list[str]:
        batch = self.tokenizer.pad({"input_ids": prompts}, return_tensors="pt").to(self.model.device)
        out = self.model.generate(
            **batch,
            do_sample=False,
            max_new_tokens=self.reply_tokens,
            pad_token_id=self.tokenizer.pad_token_id,
        )
        fresh = out[:, batch["input_ids"].shape[1] :]
        texts: list[str] = self.tokenizer.batch_decode(fresh, skip_special_tokens=True)
        return texts
