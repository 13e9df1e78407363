"""How diverse a set of texts is, by its words and by its vectors. All scores depend on how many texts there are."""

import re
from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np
from sacrebleu.metrics import BLEU
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

_WORD = re.compile(r"([^\W\d_]+)")
_NUMBER, _QUOTED = re.compile(r"\d+"), re.compile(r'"[^"]*"')
_NAMES = re.compile(r"\{\}(?:[\s_./#-]*\{\})+")
HALVES = 200  # random halves behind an interval
REFERENCES = 100  # texts that self-BLEU compares each text with


def distinct(texts: Sequence[str], n: int) -> float:
    """Distinct-n (Li et al. 2016): the share of different n-grams of words among all n-grams; NaN without any."""
    words = [text.lower().split() for text in texts]
    grams = list(chain.from_iterable(zip(*(line[i:] for i in range(n)), strict=False) for line in words))
    return len(set(grams)) / len(grams) if grams else float("nan")


def self_bleu(texts: Sequence[str], seed: int = 0) -> float:
    """Mean BLEU-4 in [0, 1] of a text against other texts of the set (Zhu et al. 2018); high means alike.

    At most REFERENCES texts are drawn, and each is compared with all others drawn.
    """
    rng = np.random.default_rng(seed)
    drawn = [texts[i] for i in sorted(rng.permutation(len(texts))[:REFERENCES])]
    if len(drawn) < 2:
        return float("nan")
    bleu = BLEU(effective_order=True, lowercase=True)
    scores = [bleu.sentence_score(text, drawn[:i] + drawn[i + 1 :]).score for i, text in enumerate(drawn)]
    return float(np.mean(scores)) / 100


def vendi(vectors: np.ndarray) -> float:
    """The Vendi score (Friedman and Dieng 2023): the effective number of different texts, from 1 to their number.

    exp of the entropy of the eigenvalues of K / n, with K = XX' the cosines of unit vectors; other than zeros, they
    are those of X'X / n. NaN without any.
    """
    if not len(vectors):
        return float("nan")
    few = vectors if len(vectors) < vectors.shape[1] else vectors.T  # the smaller matrix
    values = np.linalg.eigvalsh(few @ few.T / len(vectors))
    shares = values[values > 1e-12]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def similarity(vectors: np.ndarray, others: np.ndarray | None = None) -> float:
    """Mean cosine of unit vectors: over all pairs within one set, or between two; NaN without a pair."""
    if others is not None:
        return float(vectors.mean(axis=0) @ others.mean(axis=0)) if len(vectors) and len(others) else float("nan")
    count = len(vectors)
    if count < 2:
        return float("nan")
    total = vectors.sum(axis=0)
    return float((total @ total - (vectors**2).sum()) / (count * (count - 1)))


def skeletons(texts: Sequence[str], told: Sequence[str]) -> list[str]:
    """Thoughts with "{}" for all that their worlds said: what two thoughts of one sentence pattern share.

    ``told``: what each thought's Player reads in its play. Words in it that are no stop words are names here, numbers
    and quotations, too; several in a row count as one. A pattern's own word that a world happens to use is taken
    out as well, so that the number of skeletons is rather too low.
    """
    worlds = {text: frozenset(_WORD.findall(text.lower())) - ENGLISH_STOP_WORDS for text in set(told)}
    bare = []
    for text, world in zip(texts, map(worlds.__getitem__, told), strict=True):
        pieces = _WORD.split(_NUMBER.sub("{}", _QUOTED.sub("{}", text.lower())))
        pieces[1::2] = ["{}" if word in world else word for word in pieces[1::2]]
        bare.append(_NAMES.sub("{}", "".join(pieces)))
    return bare


def half_samples(measure: Callable[[np.ndarray], float], groups: Sequence[str], seed: int = 0) -> np.ndarray:
    """Values of a measure on random halves of the groups: it gets the indices of their texts.

    ``groups`` names each text's conversation, whose texts depend on each other. A bootstrap would draw texts twice and
    make any set look less diverse than it is; half the groups, drawn without replacement, vary about as much as all
    of them would when drawn anew (Politis, Romano and Wolf 1999). The score of a half is not that of the whole.
    """
    names = list(dict.fromkeys(groups))
    members = {name: [i for i, group in enumerate(groups) if group == name] for name in names}
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(HALVES):
        chosen = rng.permutation(len(names))[: max(1, len(names) // 2)]
        values.append(measure(np.array(sorted(chain.from_iterable(members[names[i]] for i in chosen)))))
    return np.array(values)


def nearest(vectors: np.ndarray, among: np.ndarray, itself: bool = False) -> np.ndarray:
    """Cosine similarity of each unit vector to its nearest of ``among``; ``itself``: both are one set."""
    cosines = vectors @ among.T
    if itself:
        np.fill_diagonal(cosines, -np.inf)
    return np.asarray(cosines.max(axis=1))
