"""Texts as vectors from an OpenAI-compatible ``/embeddings`` URL; what was paid for is kept and never asked again."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import openai

from agentrefine_lib.endpoint.failures import EndpointError, scrubber
from agentrefine_lib.endpoint.request import EndpointSettings
from agentrefine_lib.schema import Journal, read_jsonl
from agentrefine_lib.schema.models import Record

BATCH = 64  # texts of one request


class Embedded(Record):
    """One line of the recording: ``key`` is of model and text."""

    key: str
    vector: list[float]


async def embed_by_endpoint(settings: EndpointSettings, texts: Sequence[str], recording: Path) -> np.ndarray:
    """One vector per text, (texts, dimensions), of unit length. Raises EndpointError, without the key, on a failure.

    The client retries (429, 5xx, broken connections) as often as ``settings.retries`` says.
    """
    keys = [sha256(f"{settings.model}\0{text}".encode()).hexdigest() for text in texts]
    key = settings.key()
    if key is None:
        raise EndpointError(
            f"{settings.base_url}: no key; put it into the environment variable {settings.key_variable}"
        )
    with Journal(recording, Embedded, key=lambda line: line.key) as journal:
        missing = list(dict.fromkeys(pair for pair in zip(keys, texts, strict=True) if pair[0] not in journal.done))
        async with openai.AsyncOpenAI(
            api_key=key, base_url=settings.base_url, max_retries=settings.retries, timeout=settings.timeout_s
        ) as client:
            for start in range(0, len(missing), BATCH):
                asked = missing[start : start + BATCH]
                try:
                    answer = await client.embeddings.create(model=settings.model, input=[text for _, text in asked])
                    vectors = [[float(number) for number in item.embedding] for item in answer.data]
                    if len(vectors) != len(asked):
                        raise ValueError(f"found {len(vectors)} vectors, expected {len(asked)}")
                except (openai.OpenAIError, ValueError, TypeError, AttributeError) as error:  # the latter: garbage
                    vectors, failure = [], scrubber(key)(f"{type(error).__name__}: {error}")[:300]
                if not vectors:  # out of the handler: what the server said would hang on to the error, key and all
                    where = f"{settings.base_url}, model {settings.model!r}"
                    advice = f"see that the server serves this model and takes the key in {settings.key_variable}"
                    raise EndpointError(f"{where}: no embeddings: {failure}. What to do: {advice}; then run again")
                for (name, _), vector in zip(asked, vectors, strict=True):
                    journal.append(Embedded(key=name, vector=vector))
    found = {line.key: line.vector for line in read_jsonl(recording, Embedded)}
    known = np.array([found[name] for name in keys])
    return known / np.linalg.norm(known, axis=1, keepdims=True)
