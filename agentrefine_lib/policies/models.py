"""The models of a run as policies, as the sections of a chapter say: local ones, and those behind a URL."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentrefine_lib.agent import Prompting
from agentrefine_lib.policies.endpoint_policy import EndpointPolicy, Served
from agentrefine_lib.policies.generation import Decoding, Sampling
from agentrefine_lib.policies.local import LocalPolicy
from agentrefine_lib.policies.protocol import Policy
from agentrefine_lib.tuning import base_folder
from agentrefine_lib.tuning.base import UNTUNED

if TYPE_CHECKING:
    import pandas as pd

Opener = Callable[[], AbstractAsyncContextManager[Policy]]


@dataclass(frozen=True)
class Models:
    """The models of ``table`` (``models.csv``), which lie in ``run/models``. Those that the endpoint serves play over
    its URL, and so does its own; answers are kept in ``run/recorded/<record>.jsonl`` and not paid for twice."""

    run: Path
    table: "pd.DataFrame"
    prompting: Prompting
    decoding: Decoding
    endpoint: Served
    device: str = "auto"
    seed: int = 0  # of requests
    record: str = "evaluation"

    def policies(
        self,
        names: Iterable[str] = (),
        prompting: Prompting | None = None,
        wrap: Callable[[Policy], Policy] | None = None,
    ) -> dict[str, Opener]:
        """What ``rollout.roll_out_all`` takes; a model is loaded when its turn comes. Without ``names`` all of them.

        ``wrap`` makes another policy of each, such as ``AfterMistake``.
        """
        chosen = list(names) or list(dict.fromkeys([*self.table["policy"], *self.endpoint.names]))
        return {name: partial(self._opened, name, prompting or self.prompting, wrap) for name in chosen}

    @asynccontextmanager
    async def _opened(self, name: str, prompting: Prompting, wrap: Any) -> AsyncIterator[Policy]:
        async with self.load(name) as policy:
            played = policy(prompting=prompting)
            yield wrap(played) if wrap else played

    @asynccontextmanager
    async def load(self, name: str, temperature: float = 0.0) -> AsyncIterator[Callable[..., Policy]]:
        """One model, loaded once, for several policies: what makes one of ``name``, ``prompting`` and ``seed``."""
        if name not in self.endpoint.names:
            folder = base_folder(self.table["base"].iloc[0]) if name == UNTUNED else self.run / "models" / name
            how = {**self.decoding.model_dump(), "prompting": self.prompting, "device": self.device}
            model = LocalPolicy(folder, name, **how)
            yield lambda name=None, prompting=None, seed=0: model.again(
                name, prompting=prompting, sampling=Sampling(temperature, seed=seed)
            )
            return
        from agentrefine_lib.endpoint import Endpoint  # here: it needs openai, local models do not

        own = {"temperature": temperature, "max_tokens": self.decoding.reply_tokens}
        own |= {key: value for key, value in self.endpoint if key in self.endpoint.model_fields_set}
        settings = self.endpoint.model_copy(update=own | {"model": self.endpoint.names[name]})
        async with Endpoint(settings, self.run / "recorded" / f"{self.record}.jsonl") as endpoint:
            yield lambda other=name, prompting=self.prompting, seed=self.seed: EndpointPolicy(
                endpoint, other, seed=seed, prompting=prompting
            )
