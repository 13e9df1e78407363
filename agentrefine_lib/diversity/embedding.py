"""Texts as unit vectors by a base model's hidden states, and vectors as a map.

A text's vector is the mean of the model's last hidden states over its tokens, each dimension standardised over the
texts at hand: the states of small models point almost all the same way, along a few dimensions. So vectors of
different calls are not comparable. Chosen among layers, raw, centred and standardised, on thoughts in other words
(tests/diversity/meanings.yaml; numbers in LOG.md): it finds what means the same, but hardly sees a "not".
``endpoint.embeddings`` takes a sentence model instead.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from sklearn.manifold import TSNE
from sklearn.preprocessing import normalize, scale
from transformers import AutoModel, AutoTokenizer

from agentrefine_lib.schema import Section
from agentrefine_lib.tuning import SMOLLM2, base_folder

TOKENS = 256  # of a text that are read
BATCH = 32  # texts at once, of about one length


class Texts(Section):
    """Which texts are compared, and by what vectors: the section ``texts`` of chapter 6."""

    thoughts: int = Field(default=200, ge=5)  # of each set, at most
    environments: int = Field(default=200, ge=2)  # synthesised ones, at most
    embedding_url: str = ""  # OpenAI-compatible URL of a sentence model; empty: hidden states of a base model, here
    embedding_model: str = SMOLLM2  # its name there; here a base model as in chapter 3

    async def embed(self, texts: Sequence[str], recording: Path) -> np.ndarray:
        """Unit vectors of texts, (texts, dimensions); what a URL answers is kept in ``recording``."""
        if not self.embedding_url:
            return embed(texts, base_folder(self.embedding_model))
        from agentrefine_lib.endpoint import EndpointSettings, embed_by_endpoint

        settings = EndpointSettings(base_url=self.embedding_url, model=self.embedding_model)
        return await embed_by_endpoint(settings, texts, recording)


def embed(texts: Sequence[str], model: Path | str) -> np.ndarray:
    """Unit vectors of texts, (texts, hidden size), on one processor core; equal texts get equal vectors.

    ``model`` is what transformers loads: a folder, or a name on the Hub. Raises ValueError for a text without a token.
    """
    distinct = sorted(set(texts), key=lambda text: (len(text), text))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        states = _mean_states(distinct, model)
    finally:
        torch.set_num_threads(threads)
    found = {text: number for number, text in enumerate(distinct)}
    return np.asarray(normalize(scale(states[[found[text] for text in texts]])))


@torch.inference_mode()
def _mean_states(texts: Sequence[str], model: Path | str) -> np.ndarray:
    """The mean of the last hidden states of each text, (texts, hidden size)."""
    tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    tokenizer.padding_side, tokenizer.pad_token = "right", tokenizer.pad_token or tokenizer.eos_token
    network = AutoModel.from_pretrained(model, dtype=torch.bfloat16, trust_remote_code=False).eval()
    means = []
    for start in range(0, len(texts), BATCH):
        read = tokenizer(
            list(texts[start : start + BATCH]), padding=True, truncation=True, max_length=TOKENS, return_tensors="pt"
        )
        mask = read["attention_mask"][:, :, None]
        if not mask.sum(1).all():
            raise ValueError("found a text without a token; leave empty texts out")
        states = network(input_ids=read["input_ids"], attention_mask=read["attention_mask"]).last_hidden_state.float()
        means.append((states * mask).sum(1) / mask.sum(1))
    return torch.cat(means).numpy().astype(float)


def project(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """A t-SNE map of vectors, (texts, 2). Distances between far groups on it mean nothing."""
    if len(vectors) < 4:
        return np.pad(vectors, ((0, 0), (0, 2)))[:, :2]
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, metric="cosine", init="random", random_state=seed, n_jobs=1)
    return np.asarray(tsne.fit_transform(vectors), float)
