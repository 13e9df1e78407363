"""How a local model writes, token ids in and out: openvino-genai on processors, vLLM or transformers on GPUs."""

import logging
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import torch
from pydantic import Field
from transformers import GenerationConfig

from agentrefine_lib.schema import Section
from agentrefine_lib.tuning.export import UnfitError, load_merged
from agentrefine_lib.tuning.mask import end_of_turn

log = logging.getLogger(__name__)

TokenIds = Sequence[list[int]]
DEVICES = ("auto", "cpu", "cuda", "mps", "vllm")
SHARED = 128  # tokens at which prompts begin alike: the rules of an engine alone are more
TOGETHER = 48  # episodes of a batch that is padded, or whose cache lies in the memory of a laptop


@dataclass(frozen=True)
class Sampling:
    """Temperature 0 is greedy."""

    temperature: float = 0.0
    seed: int = 0


class Decoding(Section):
    """How much a model reads and writes: the section ``decoding``."""

    context: int = Field(default=2048, gt=0)  # tokens read at most; older turns go, goal and first observation stay
    reply_tokens: int = Field(default=64, gt=0)  # of one reply at most


class Samples(Section):
    """Which models play tasks several times: the section ``sampling`` of chapter 6."""

    policies: list[str] = Field(default=["expert_only-0", "agentrefine-0"])  # models of chapter 3
    temperature: float = Field(default=1.0, gt=0)  # of the samples
    tries: int = Field(default=2, ge=1)  # of each task with Reflexion, by the same models


class Written(NamedTuple):
    """What a model wrote after one prompt. ``ended``: it said so itself, and was not cut at the most tokens allowed."""

    ids: list[int]
    ended: bool


class Generator(Protocol):
    """A loaded model. ``longest``: the tokens that it can read. ``together``: episodes that are best played together;
    None: as many as are in flight."""

    longest: int
    together: int | None

    def restart(self) -> None:
        """Forget all that was read, so that what is written next does not depend on what came before."""

    def generate(self, prompts: TokenIds, tokens: int, sampling: Sampling, seeds: list[int]) -> list[Written]:
        """At most ``tokens`` after each prompt, the end-of-turn token left out; a seed for each."""


def pick_device(device: str) -> str:
    """ "auto": vLLM where it is installed beside an NVIDIA GPU, else the GPU that torch reports, else the processor.

    Raises ValueError for a device that is none.
    """
    from agentrefine_lib.policies.vllm import vllm_command

    if device == "auto":
        gpu = torch.cuda.is_available() and ("vllm" if vllm_command() else "cuda")
        return gpu or ("mps" if torch.backends.mps.is_available() else "cpu")
    if device not in DEVICES:
        raise ValueError(f"device: found {device!r}, expected one of {', '.join(DEVICES)}")
    return device


def load_generator(
    model: Path | str, tokenizer: Any, *, context: int, device: str = "auto", dtype: str = "auto"
) -> Generator:
    """On a processor openvino-genai for a Llama, for others transformers' ``generate``, which is slower and says so.

    On an NVIDIA GPU vLLM or transformers' continuous batching; on Apple's ``generate``. ``model``: a folder or hub
    name; an adapter (PEFT) in a folder is merged into its base, but for vLLM. ``context``: tokens of prompt and reply.
    """
    device = pick_device(device)
    if device == "vllm":
        from agentrefine_lib.policies.vllm import Vllm

        return Vllm(model, tokenizer, context, dtype)
    if device == "cuda":
        from agentrefine_lib.policies.batching import Batching, release

        release()
    if device == "cpu":
        torch.set_num_threads(1)  # two threads stall on two noisy cores: an adapter is merged in 3 s instead of 13
    spread = device == "cuda" and torch.cuda.device_count() > 1
    loaded = load_merged(model, dtype=dtype, device_map="auto" if spread else device).eval()
    if device == "cuda":
        torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for every length
        if not spread and hasattr(loaded, "continuous_batching_context_manager"):
            return Batching(loaded, tokenizer, context)
    if device == "cpu":
        try:
            return OpenVino(loaded, tokenizer, exact=dtype == "float32")
        except (ImportError, UnfitError) as error:
            log.warning("%s plays through transformers, several times slower than through OpenVINO: %s", model, error)
    return Transformers(loaded, tokenizer)


class OpenVino:
    """Continuous batching and prefix caching by openvino-genai, in bfloat16 where the processor multiplies in it.

    The same calls after a restart write the same; in bfloat16 other batches may round otherwise (LOG.md). ``exact``: in
    float32, at half the speed.
    """

    together: int | None = TOGETHER
    _tokenizers: ClassVar[dict[str, Any]] = {}

    def __init__(self, model: Any, tokenizer: Any, *, exact: bool = False) -> None:
        import openvino_genai

        from agentrefine_lib.tuning.gguf import to_gguf

        self._library = openvino_genai
        self._scratch = tempfile.TemporaryDirectory(prefix="gguf-")
        self._file = to_gguf(model, tokenizer, Path(self._scratch.name) / "model.gguf")
        key = tokenizer.backend_tokenizer.to_str()  # reading one from GGUF takes as long as the weights: once for all
        if key not in self._tokenizers:
            self._tokenizers[key] = openvino_genai.Tokenizer(str(self._file))
        self._tokenizer = self._tokenizers[key]
        self._stop = stop_ids(model.generation_config, tokenizer)
        self._pipeline: Any = None
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        # in bfloat16 on one core openvino 2026.4 divides by zero, which ends the process
        self._properties = {"INFERENCE_PRECISION_HINT": "f32"} if exact or cores == 1 else {}
        self.longest: int = model.config.max_position_embeddings

    def restart(self) -> None:
        self._pipeline = None  # first: two would not always fit into memory
        scheduler = self._library.SchedulerConfig()
        scheduler.enable_prefix_caching = True
        scheduler.max_num_batched_tokens = 4096
        make = self._library.ContinuousBatchingPipeline
        self._pipeline = make(str(self._file), self._tokenizer, scheduler, "CPU", **self._properties)
        self._empty = True

    def generate(self, prompts: TokenIds, tokens: int, sampling: Sampling, seeds: list[int]) -> list[Written]:
        if self._pipeline is None:
            self.restart()
        if self._empty and (first := one_of_each(prompts)):  # the cache serves no prompt that is asked beside its twin
            self._ask(first, [self._settings(1, Sampling(), 0)] * len(first))
        self._empty = False
        written = self._ask(prompts, [self._settings(tokens, sampling, seed) for seed in seeds])
        ended = self._library.GenerationFinishReason.STOP
        return [
            Written(without_end(one.m_generation_ids[0], self._stop), one.finish_reasons[0] == ended) for one in written
        ]

    def _ask(self, prompts: TokenIds, settings: list[Any]) -> Any:
        import numpy as np
        from openvino import Tensor

        return self._pipeline.generate([Tensor(np.array([ids], dtype=np.int64)) for ids in prompts], settings)

    def _settings(self, tokens: int, sampling: Sampling, seed: int) -> Any:
        settings = self._library.GenerationConfig()
        settings.max_new_tokens, settings.stop_token_ids = tokens, self._stop
        settings.do_sample = sampling.temperature > 0
        if settings.do_sample:
            settings.temperature, settings.rng_seed = sampling.temperature, seed
        return settings


class Transformers:
    """transformers' ``generate`` on one batch, padded on the left."""

    together: int | None = TOGETHER

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model, self._stop = model, stop_ids(model.generation_config, tokenizer)
        self.longest: int = getattr(model.config, "max_position_embeddings", 2**62)

    def restart(self) -> None:
        """It keeps nothing between two calls."""

    @torch.inference_mode()
    def generate(self, prompts: TokenIds, tokens: int, sampling: Sampling, seeds: list[int]) -> list[Written]:
        width = max(map(len, prompts))
        padding = min(self._stop)
        ids = torch.tensor([[padding] * (width - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        settings = decoding(sampling, tokens, self._stop)
        device = self._model.device
        asked = {"input_ids": ids.to(device), "attention_mask": mask.to(device), "generation_config": settings}
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(hash(tuple(seeds)))
            rows = self._model.generate(**asked)[:, width:].tolist()
        return [written(row, self._stop) for row in rows]


def one_of_each(prompts: TokenIds) -> list[list[int]]:
    """Of prompts whose first SHARED tokens are the same, the first; none of those that begin as no other does."""
    alike: dict[tuple[int, ...], list[list[int]]] = {}
    for ids in prompts:
        alike.setdefault(tuple(ids[:SHARED]), []).append(ids)
    return [several[0] for several in alike.values() if len(several) > 1]


def stop_ids(settings: GenerationConfig, tokenizer: Any) -> set[int]:
    """Chat models may end a turn with another token than a text."""
    named = settings.eos_token_id
    ends = {*(named if isinstance(named, list) else [named]), tokenizer.eos_token_id} - {None}
    return ends | end_of_turn(tokenizer)


def decoding(sampling: Sampling, tokens: int, stop: set[int]) -> GenerationConfig:
    """Transformers' settings for replies of at most so many tokens."""
    chosen: dict[str, Any] = {"do_sample": False}
    if sampling.temperature > 0:
        chosen = {"do_sample": True, "temperature": sampling.temperature, "top_p": 1.0, "top_k": 0}
    return GenerationConfig(max_new_tokens=tokens, eos_token_id=sorted(stop), pad_token_id=min(stop), **chosen)


def without_end(ids: Sequence[int], stop: set[int]) -> list[int]:
    """The ids before the first that ends a turn."""
    return list(ids[: next((place for place, token in enumerate(ids) if token in stop), len(ids))])


def written(ids: Sequence[int], stop: set[int]) -> Written:
    """What was written up to the first token that ends a turn."""
    return Written(without_end(ids, stop), not stop.isdisjoint(ids))
