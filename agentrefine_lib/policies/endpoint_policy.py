"""A model behind an OpenAI-compatible URL as a policy, over the client that synthesis uses."""

import asyncio
import math
import re
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from agentrefine_lib.agent import KEEP, Chat, Prompting
from agentrefine_lib.endpoint import EmptyAnswerError, EndpointError, EndpointSettings, NotRecordedError, seed_of
from agentrefine_lib.policies.protocol import LiveEpisode
from agentrefine_lib.schema import Ending

if TYPE_CHECKING:
    from agentrefine_lib.endpoint import Endpoint

_TOO_LONG = re.compile(  # how OpenAI, vLLM, SGLang, llama.cpp, LM Studio and TGI refuse a prompt
    r"refused with 4\d\d: .*(context[ _](length|window|size)|maximum model length|max_(new_)?tokens)",
    re.IGNORECASE | re.DOTALL,
)


class Served(EndpointSettings):
    """Models behind one URL that play: the section ``endpoint``. What it leaves out is as for local models."""

    base_url: str = ""  # empty: none
    model: str = ""  # one more model to evaluate, as the policy "endpoint"; empty: none
    policies: dict[str, str] = Field(
        default={}
    )  # models of chapter 3 that are served, e.g. {"agentrefine-0": "its name there"}

    @model_validator(mode="after")
    def is_somewhere(self) -> "Served":
        if (self.model or self.policies) and not self.base_url:
            raise ValueError("base_url: found none, expected the URL where these models are served")
        return self

    @property
    def names(self) -> dict[str, str]:
        """Policy → the model's name there."""
        return self.policies | ({"endpoint": self.model} if self.model else {})


class EndpointPolicy:
    """Asks an endpoint, which the caller has opened; temperature, reply length and budget are the endpoint's.

    Every request carries a seed made of the policy's seed, the task and the step, so a recording replays the same
    episodes. When the server says that a prompt is longer than its context, the oldest exchanges are dropped; where the
    model has nothing to say, the reply is empty, and its ending says why. Any other EndpointError that is final goes
    through to the caller.
    """

    batch_size: int | None = 1  # the endpoint itself bounds how many requests are in flight

    def __init__(
        self,
        endpoint: "Endpoint",
        name: str | None = None,
        *,
        seed: int = 0,
        prompting: Prompting = Prompting(),  # noqa: B008
    ) -> None:
        self.name = name or endpoint.settings.model
        self._endpoint, self._seed, self._prompting = endpoint, seed, prompting

    async def act(self, episodes: list[LiveEpisode]) -> list[str]:
        return await asyncio.gather(*map(self._answer, episodes))

    async def answer(self, chats: list[Chat]) -> list[tuple[str, Ending]]:
        seeds = (seed_of(self._seed, chat[0]["content"], len(chat)) for chat in chats)
        return await asyncio.gather(*map(self._complete, chats, seeds))

    async def _complete(self, chat: Chat, seed: int) -> tuple[str, Ending]:
        try:
            completion = await self._endpoint.complete(chat, seed=seed)
        except EmptyAnswerError as error:
            return "", error.ending
        return completion.text, completion.ending

    async def _answer(self, episode: LiveEpisode) -> str:
        seed = seed_of(self._seed, episode.task.id, len(episode.steps))
        while True:
            chat = self._prompting.chat(episode.task, episode.opening, episode.steps[episode.dropped :])
            try:
                text, episode.ending = await self._complete(chat, seed)
            except EndpointError as error:
                left = len(episode.steps) - episode.dropped
                if not left or not _is_about_length(error):
                    raise
                episode.dropped += math.ceil(left * (1 - KEEP))
            else:
                return self._prompting.reply(text) if text else ""


def _is_about_length(error: EndpointError) -> bool:
    """True also for a request that is not in the recording: refusals are not recorded, what was sent after them is."""
    return isinstance(error, NotRecordedError) or _TOO_LONG.search(str(error)) is not None
