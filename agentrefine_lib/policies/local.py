"""A local Hugging Face model as a policy: live episodes share one batch, and each keeps its key/value cache.

Between two turns an episode's prompt only grows by one reply and one observation, so only those tokens are read anew.
Caches of different length stand right-aligned in one batch; the holes on their left are masked out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

from agentrefine_lib.agent import Chat, truncate
from agentrefine_lib.policies.protocol import LiveEpisode

KEEP = 0.6  # share of the context that a truncated history may fill, so that not every later turn truncates again


@dataclass
class Session:
    """What the model has read of one episode: token ids, and keys and values per layer, each (heads, tokens, width)."""

    ids: list[int] = field(default_factory=list)
    dropped: int = 0  # oldest exchanges left out because the chat outgrew the context
    layers: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def forget_after(self, length: int) -> None:
        """Keep the first ``length`` tokens."""
        self.ids = self.ids[:length]
        self.layers = [(keys[:, :length], values[:, :length]) for keys, values in self.layers]


class LocalPolicy:
    """Greedy decoding. ``context`` and ``reply_tokens`` count tokens, ``batch`` episodes decoded together."""

    def __init__(self, folder: Path | str, name: str, *, context: int, reply_tokens: int = 64, batch: int = 64) -> None:
        torch.set_num_threads(1)  # two threads stall on two noisy cores
        self.name = name
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder).eval()
        self.room = context - reply_tokens
        self.reply_tokens = reply_tokens
        self.batch = batch
        self.exchanges_dropped = 0
        self._sessions: dict[str, Session] = {}

    def act(self, episodes: list[LiveEpisode]) -> list[str]:
        self._sessions = {e.task.id: self._sessions.get(e.task.id, Session()) for e in episodes}
        replies: list[str] = []
        for start in range(0, len(episodes), self.batch):
            part = episodes[start : start + self.batch]
            sessions = [self._sessions[e.task.id] for e in part]
            prompts = [self._prompt(e.chat(), s) for e, s in zip(part, sessions, strict=True)]
            replies += self._decode(sessions, prompts)
        return replies

    def _prompt(self, chat: Chat, session: Session) -> list[int]:
        """The tokens that the model has not read yet; the session keeps what it has, up to where the two differ."""
        chat = [chat[0], *chat[1 + 2 * session.dropped :]]
        ids = self._encode(chat)
        if len(ids) > self.room:
            chat, dropped = truncate(chat, lambda shorter: len(self._encode(shorter)) <= KEEP * self.room)
            session.dropped += dropped
            self.exchanges_dropped += dropped
            ids = self._encode(chat)
            if len(ids) > self.room:
                raise ValueError(
                    f"the first message and the last turn need {len(ids)} of {self.room} tokens; raise context"
                )
        same = next((i for i, (a, b) in enumerate(zip(session.ids, ids, strict=False)) if a != b), len(session.ids))
        session.forget_after(min(same, len(ids) - 1))
        return ids[len(session.ids) :]

    def _encode(self, chat: Chat) -> list[int]:
        ids: list[int] = self.tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)[
            "input_ids"
        ]
        return ids

    @torch.inference_mode()
    def _decode(self, sessions: list[Session], prompts: list[list[int]]) -> list[str]:
        """Read each prompt after its session, then write one reply per row until all have ended."""
        read = [len(s.ids) for s in sessions]
        cache, mask = self._join(sessions)
        tokens, fresh = _align_right(prompts, self.tokenizer.pad_token_id)
        mask = torch.cat([mask, fresh], dim=1)
        places = (fresh.cumsum(1) - 1).clamp(min=0) + torch.tensor(read)[:, None]
        ended = torch.zeros(len(prompts), dtype=torch.bool)
        written: list[list[int]] = [[] for _ in prompts]
        for _ in range(self.reply_tokens):
            out = self.model(
                input_ids=tokens, attention_mask=mask, position_ids=places, past_key_values=cache, logits_to_keep=1
            )
            choice = out.logits[:, -1].argmax(-1)
            for row in (~ended).nonzero()[:, 0].tolist():
                written[row].append(int(choice[row]))
            ended |= choice == self.tokenizer.eos_token_id
            if ended.all():
                break
            tokens, places = choice[:, None], places[:, -1:] + 1
            mask = torch.cat([mask, (~ended).long()[:, None]], dim=1)
        self._split(cache, mask, sessions, prompts, written)
        return [self.tokenizer.decode(ids, skip_special_tokens=True) for ids in written]

    def _join(self, sessions: list[Session]) -> tuple[DynamicCache, Tensor]:
        """One cache for all rows, right-aligned, and its attention mask (rows, tokens)."""
        longest = max(len(s.ids) for s in sessions)
        mask = torch.zeros(len(sessions), longest, dtype=torch.long)
        cache = DynamicCache(config=self.model.config)
        for row, session in enumerate(sessions):
            mask[row, longest - len(session.ids) :] = 1
        shape = next((s.layers for s in sessions if s.layers), [])
        for layer, (like, _) in enumerate(shape):
            keys = like.new_zeros(len(sessions), like.shape[0], longest, like.shape[2])
            values = torch.zeros_like(keys)
            for row, session in enumerate(sessions):
                if session.ids:
                    keys[row, :, longest - len(session.ids) :], values[row, :, longest - len(session.ids) :] = (
                        session.layers[layer]
                    )
            cache.update(keys, values, layer)
        return cache, mask

    def _split(
        self,
        cache: DynamicCache,
        mask: Tensor,
        sessions: list[Session],
        prompts: list[list[int]],
        written: list[list[int]],
    ) -> None:
        """Give each session its own rows back; the last token written was never read, so it is not among them."""
        width = cache.get_seq_length()
        for row, session in enumerate(sessions):
            real = mask[row, :width].bool()
            session.layers = [(layer.keys[row][:, real], layer.values[row][:, real]) for layer in cache.layers]
            session.ids = [*session.ids, *prompts[row], *written[row]][: int(real.sum())]


def _align_right(rows: list[list[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Rows of different length as one (rows, tokens) tensor, padded on the left, and its mask."""
    width = max(len(row) for row in rows)
    tokens = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return tokens, mask
