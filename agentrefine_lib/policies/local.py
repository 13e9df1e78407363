"""A local Hugging Face model as a policy: all live episodes of a batch are answered in one call."""

import asyncio
import copy
import threading
from functools import cache
from pathlib import Path
from weakref import WeakSet

from agentrefine_lib.agent import Chat, Prompting, drop_oldest
from agentrefine_lib.endpoint import seed_of
from agentrefine_lib.policies.generation import Sampling, load_generator
from agentrefine_lib.policies.protocol import LiveEpisode
from agentrefine_lib.schema import Ending
from agentrefine_lib.tuning import chat_ids, load_tokenizer


class LocalPolicy:
    """A folder or hub name of a causal model with its tokenizer; an adapter (PEFT) in a folder is merged into its base.

    ``context`` and ``reply_tokens`` count tokens. ``device``: "cpu", "cuda" (over several GPUs where there are
    several), "mps" (Apple's, not tried yet), "vllm" (a server that is started here), or "auto", see ``pick_device``;
    ``dtype``: "float32", "bfloat16" …, or "auto", as saved or as the processor is fastest. A batch of episodes that
    were not answered before begins with nothing read, so that it is played the same whatever was played before it; on
    GPUs rounding may still differ.
    Raises ValueError for a context that the model cannot read; ``act`` does for a task that does not fit into it.
    """

    def __init__(
        self,
        model: Path | str,
        name: str,
        *,
        context: int,
        reply_tokens: int = 64,
        sampling: Sampling = Sampling(),  # noqa: B008
        prompting: Prompting = Prompting(),  # noqa: B008
        device: str = "auto",
        dtype: str = "auto",
    ) -> None:
        self.name = name
        self.tokenizer = load_tokenizer(model)
        self._generator = load_generator(model, self.tokenizer, context=context, device=device, dtype=dtype)
        self.batch_size: int | None = self._generator.together
        if (longest := self._generator.longest) < context:
            raise ValueError(f"context: found {context}; expected at most the {longest} tokens that the model can read")
        self._room, self._reply_tokens = context - reply_tokens, reply_tokens
        self.limit = f"reply_tokens={reply_tokens}"  # where a run that had replies cut says so
        self._sampling, self._prompting = sampling, prompting
        self._playing: WeakSet[LiveEpisode] = WeakSet()
        self._writing = threading.Lock()  # of a thread, not of an event loop: a policy may outlive loops

    def again(
        self, name: str | None = None, *, prompting: Prompting | None = None, sampling: Sampling | None = None
    ) -> "LocalPolicy":
        """The same model, which stays loaded, under another name, with other prompts or other draws."""
        other = copy.copy(self)
        other.name, other._playing = name or self.name, WeakSet()
        other._prompting, other._sampling = prompting or self._prompting, sampling or self._sampling
        return other

    async def act(self, episodes: list[LiveEpisode]) -> list[str]:
        """Off the event loop; one call at a time."""
        return await asyncio.to_thread(self._act, episodes)

    def _act(self, episodes: list[LiveEpisode]) -> list[str]:
        with self._writing:
            if self._playing.isdisjoint(episodes):
                self._generator.restart()
            self._playing = WeakSet(episodes)
            asked = [(episode.task.id, self._read(episode), len(episode.steps)) for episode in episodes]
            written = self._write(asked)
        for episode, (_, ending) in zip(episodes, written, strict=True):
            episode.ending = ending
        return [self._prompting.reply(text) for text, _ in written]

    async def answer(self, chats: list[Chat]) -> list[tuple[str, Ending]]:
        return await asyncio.to_thread(self._answer, chats)

    def _answer(self, chats: list[Chat]) -> list[tuple[str, Ending]]:
        with self._writing:
            self._generator.restart()
            self._playing = WeakSet()
            return self._write([(chat[0]["content"], chat_ids(self.tokenizer, chat), len(chat)) for chat in chats])

    def _write(self, asked: list[tuple[str, list[int], int]]) -> list[tuple[str, Ending]]:
        """What comes after each prompt: what it is about, its ids, and which reply it asks for."""
        seeds = [seed_of(self._sampling.seed, about, number) for about, _, number in asked]
        replies = self._generator.generate([ids for _, ids, _ in asked], self._reply_tokens, self._sampling, seeds)
        written = []
        for (about, prompt, _), reply in zip(asked, replies, strict=True):
            if not reply.ids and not reply.ended:
                told = f"{self.name}, {about[:80]}: nothing came back for a prompt of {len(prompt)} tokens"
                raise RuntimeError(f"{told}; lower context, or play through another server")
            reason = "stop" if reply.ended else "length"
            ending = Ending(reason=reason, tokens=len(reply.ids), cut=not reply.ended)
            written.append((self.tokenizer.decode(reply.ids, skip_special_tokens=True), ending))
        return written

    def _read(self, episode: LiveEpisode) -> list[int]:

        @cache
        def encode(dropped: int) -> list[int]:
            chat = self._prompting.chat(episode.task, episode.opening, episode.steps[dropped:])
            return chat_ids(self.tokenizer, chat)

        steps = len(episode.steps)
        try:
            episode.dropped = drop_oldest(steps, episode.dropped, lambda dropped: len(encode(dropped)), self._room)
        except ValueError as error:
            raise ValueError(f"{self.name}, {episode.task.id}: {error}") from None
        return encode(episode.dropped)
