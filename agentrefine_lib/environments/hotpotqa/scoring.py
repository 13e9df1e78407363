"""Exact match and F1 of a short answer, by the rules of HotpotQA's evaluation script (hotpot_evaluate_v1.py)."""

import re
import string
from collections import Counter

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WHOLE = {"yes", "no", "noanswer"}  # right or wrong as a whole: no partial credit


def normalise(text: str) -> str:
    """Lower case, without punctuation, the articles a, an, the, and extra blanks."""
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(prediction: str, answer: str) -> bool:
    """Whether the two are the same text once normalised."""
    return normalise(prediction) == normalise(answer)


def f1(prediction: str, answer: str) -> float:
    """Harmonic mean of precision and recall over the normalised words, in [0, 1]."""
    predicted, wanted = normalise(prediction), normalise(answer)
    if predicted != wanted and _WHOLE & {predicted, wanted}:
        return 0.0
    common = (Counter(predicted.split()) & Counter(wanted.split())).total()
    if common == 0:
        return 0.0
    precision, recall = common / len(predicted.split()), common / len(wanted.split())
    return 2 * precision * recall / (precision + recall)
