"""Continuous batching by transformers, in this process: how a GPU plays where vLLM is not installed."""

import gc
from typing import Any
from weakref import WeakSet

from agentrefine_lib.policies.generation import Sampling, TokenIds, Written, decoding, stop_ids, written

_ALIVE: WeakSet[Any] = WeakSet()  # models in this process
PATIENCE = 1.0  # seconds between two looks at whether the generating thread is still alive


class Batching:
    """Requests join and leave a running batch; the cache takes a share of the memory that is free when it begins.

    Requests that do not fit wait. CUDA graphs are captured once per batch of episodes. What is asked together decides
    how 16 bits round, so a run repeated may differ in a reply.
    """

    together: int | None = None

    def __init__(self, model: Any, tokenizer: Any, context: int, **more: Any) -> None:
        """``more``: values of transformers' ContinuousBatchingConfig, such as a smaller cache."""
        self._model, self._stop = model, stop_ids(model.generation_config, tokenizer)
        self._context, self._more, self._sampling = context, more, Sampling()
        self.longest: int = getattr(model.config, "max_position_embeddings", 2**62)
        _ALIVE.add(self)

    def restart(self) -> None:
        release()

    def forget(self) -> None:
        """Give back the cache and the graphs; the weights stay."""
        self._model.destroy_cached_continuous_batching_manager()

    def generate(self, prompts: TokenIds, tokens: int, sampling: Sampling, seeds: list[int]) -> list[Written]:
        if sampling != self._sampling:
            self.restart()
        self._sampling = sampling
        with self._model.continuous_batching_context_manager(
            **self._settings(len(prompts), tokens, sampling, seeds), persistent_manager=True
        ) as manager:
            asked = manager.add_requests([list(ids) for ids in prompts], max_new_tokens=tokens)
            answers = dict[str, list[int]]()
            while len(answers) < len(asked):
                one = manager.get_result(timeout=PATIENCE)
                if one is None and not manager.is_running():
                    raise RuntimeError(f"generation stopped with {len(asked) - len(answers)} of {len(asked)} to answer")
                if one is not None and one.error:
                    raise RuntimeError(f"a prompt of {len(one.prompt_ids)} tokens was not answered: {one.error}")
                if one is not None and one.is_finished():
                    answers[one.request_id] = list(one.generated_tokens)
        return [written(answers[request], self._stop) for request in asked]

    def _settings(self, count: int, tokens: int, sampling: Sampling, seeds: list[int]) -> dict[str, Any]:
        """What a new manager is made with; one that is kept keeps its own."""
        from transformers import ContinuousBatchingConfig
        from transformers.generation.continuous_batching.utils import WorkloadHints

        hints = WorkloadHints(max_prompt_length=self._context, max_generated_length=tokens, num_requests=count)
        return {
            "generation_config": decoding(sampling, tokens, self._stop),
            "continuous_batching_config": ContinuousBatchingConfig(seed=hash(tuple(seeds)) % 2**31, **self._more),
            "workload_hints": hints,
        }


def release() -> None:
    """Give back what the caches of all models of this process hold: the one that plays next takes what is free."""
    for one in list(_ALIVE):
        one.forget()
    gc.collect()  # models that nobody plays any more, too: they and their caches hold on to each other
