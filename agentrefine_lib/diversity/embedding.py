"""Texts as unit vectors without a model or a download, and vectors as a map.

The offline embedding is latent semantic analysis (Deerwester et al. 1990): TF-IDF of words and word pairs, reduced by a
truncated SVD that is fitted on the texts at hand. It sees which words are used together and nothing of their meaning:
two texts that say the same in other words are far apart. ``endpoint.embeddings`` takes a sentence model instead.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.manifold import TSNE
from sklearn.preprocessing import normalize

DIMENSIONS = 100


def embed(texts: Sequence[str], seed: int = 0) -> np.ndarray:
    """Unit vectors of texts, (texts, at most DIMENSIONS); the same texts and seed give the same vectors.

    A text without any word becomes a vector of zeros. Raises ValueError where no text has a word.
    """
    counts = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b").fit_transform(texts)
    dimensions = min(DIMENSIONS, min(counts.shape) - 1)
    if dimensions < 1:
        return np.asarray(normalize(counts.toarray()))
    reduced = TruncatedSVD(dimensions, random_state=seed).fit_transform(counts)
    return np.asarray(normalize(reduced))


def project(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """A t-SNE map of vectors, (texts, 2). Distances between far groups on it mean nothing."""
    if len(vectors) < 4:
        return np.pad(vectors, ((0, 0), (0, 2)))[:, :2]
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, metric="cosine", init="random", random_state=seed, n_jobs=1)
    return np.asarray(tsne.fit_transform(vectors), float)
