"""Texts as vectors from an OpenAI-compatible ``/embeddings`` URL; what was paid for is kept and never asked again."""

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import openai

from agentrefine_lib.endpoint.failures import EndpointError, scrubber
from agentrefine_lib.endpoint.request import EndpointSettings
from agentrefine_lib.schema import Journal, Record, read_jsonl

BATCH = 64  # texts of one request


class Embedded(Record):
    """One line of the recording: ``key`` is of model and text."""

    key: str
    vector: list[float]


async def embed_by_endpoint(settings: EndpointSettings, texts: Sequence[str], recording: Path) -> np.ndarray:
    """One vector per text, (texts, dimensions), of unit length. Raises EndpointError, without the key, on a failure.

    The client retries (429, 5xx, broken connections) as often as ``settings.retries`` says. An answer whose vectors are
    empty, not finite, zero, or of unequal length is a failure, too, and is not recorded.
    """
    keys = [sha256(f"{settings.model}\0{text}".encode()).hexdigest() for text in texts]
    where, key, failure = f"{settings.base_url}, model {settings.model!r}", settings.key(), ""
    if key is None:
        raise EndpointError(f"{where}: no key; put it into the environment variable {settings.key_variable}")
    with Journal(recording, Embedded, key=lambda line: line.key) as journal:
        known = {line.key: line.vector for line in read_jsonl(recording, Embedded)}
        width = next((len(known[name]) for name in keys if name in known), None)
        missing = list(dict.fromkeys(pair for pair in zip(keys, texts, strict=True) if pair[0] not in known))
        async with openai.AsyncOpenAI(
            api_key=key, base_url=settings.base_url, max_retries=settings.retries, timeout=settings.timeout_s
        ) as client:
            for start in range(0, len(missing), BATCH):
                asked = missing[start : start + BATCH]
                try:
                    async with asyncio.timeout(settings.timeout_s * (1 + settings.retries)):  # openai's is of one read
                        answer = await client.embeddings.create(model=settings.model, input=[text for _, text in asked])
                    vectors = _in_order(answer.data, len(asked), width)
                except (openai.OpenAIError, TimeoutError, ValueError, TypeError, AttributeError) as error:  # or garbage
                    failure = scrubber(key)(f"{type(error).__name__}: {error}")[:300]
                if failure:  # out of the handler: what the server said would hang on to the error, key and all
                    advice = f"see that the server serves this model and takes the key in {settings.key_variable}"
                    raise EndpointError(f"{where}: no embeddings: {failure}. What to do: {advice}; then run again")
                for (name, _), vector in zip(asked, vectors, strict=True):
                    journal.append(Embedded(key=name, vector=vector))
                    known[name], width = vector, len(vector)
    found = np.array([known[name] for name in keys])
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def _in_order(data: Sequence[Any], number: int, width: int | None) -> list[list[float]]:
    """The vectors of an answer in the order of its texts, which ``index`` says. Raises ValueError for a bad answer."""
    given = [getattr(item, "index", None) for item in data]  # some servers give none
    places = [there if place is None else place for there, place in enumerate(given)]
    if sorted(places) != list(range(number)):
        raise ValueError(f"found index {places[:5]}…, expected each of 0 to {number - 1} once")
    vectors = [[float(part) for part in data[places.index(place)].embedding] for place in range(number)]
    lengths = np.array([np.linalg.norm(vector) for vector in vectors])
    one_width = {len(vector) for vector in vectors} == {width or len(vectors[0])}
    if not one_width or not np.isfinite(lengths).all() or not lengths.all():
        told = f"of another length than {width or 'the others'}"
        raise ValueError(f"found a vector that is empty, zero or not finite, or {told}")
    return vectors
