"""How diverse a run's thoughts and environments are: the tables of chapter 6, and the claims that they decide."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from agentrefine_lib.diversity.scores import distinct, half_samples, nearest, self_bleu, similarity, skeletons, vendi
from agentrefine_lib.diversity.texts import episode_thoughts, training_thoughts
from agentrefine_lib.metrics.intervals import resamples
from agentrefine_lib.metrics.ladder import SYNTHESISED, WORLDS
from agentrefine_lib.metrics.verdicts import Difference, claim_row

COLUMNS = ["of", "method", "measure", "value", "low", "high", "n"]
TAUGHT, PLAYED = "training data", "models at play"
FEWEST = 5  # thoughts of a set that is compared


def thoughts(
    taught: Mapping[str, Path], played: Mapping[str, Sequence[Path]], number: int, seed: int = 0
) -> pd.DataFrame:
    """At most ``number`` thoughts of each training set and of each method's models, in columns of, method, group, text
    and told. Every set is cut to the size of the smallest beside it; one with fewer than FEWEST, or less than a quarter
    of the largest's, is left out, so that a model with little to say does not cut the others."""
    sets = {(TAUGHT, name): training_thoughts(path, number, seed) for name, path in taught.items()}
    sets |= {(PLAYED, name): episode_thoughts(paths, number, seed) for name, paths in played.items()}
    most = {of: max(len(found) for (other, _), found in sets.items() if other == of) for of, _ in sets}
    sets = {key: found for key, found in sets.items() if len(found) >= max(FEWEST, most[key[0]] / 4)}
    least = {of: min(len(found) for (other, _), found in sets.items() if other == of) for of, _ in sets}
    cut = [found.head(least[of]).assign(of=of, method=method) for (of, method), found in sets.items()]
    return pd.concat(cut, ignore_index=True)


def measured(said: pd.DataFrame, vectors: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """The part of tab_diversity about ``thoughts``: every measure of each set; the Vendi score again on
    random halves, with an interval."""
    rows = []
    bare = pd.Series(skeletons(said["text"].tolist(), said["told"].tolist()), said.index)
    for (of, method), part in said.groupby(["of", "method"], sort=False):
        texts, there = part["text"].tolist(), vectors[part.index]
        values = {
            "skeletons": 1000 * bare[part.index].nunique() / len(part),
            "distinct-1": distinct(texts, 1),
            "distinct-2": distinct(texts, 2),
            "self-BLEU": self_bleu(texts, seed),
            "similarity": similarity(there),
            "Vendi score": vendi(there),
        }
        halves = vendi_of_halves(part, vectors, seed)
        rows += [(of, method, name, value, np.nan, np.nan, len(part)) for name, value in values.items()]
        rows.append((of, method, "Vendi score of half", halves.mean(), *np.quantile(halves, [0.025, 0.975]), len(part)))
    return pd.DataFrame(rows, columns=COLUMNS)


def vendi_of_halves(part: pd.DataFrame, vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """Vendi scores of a set of ``thoughts`` on random halves of its conversations or episodes."""
    return half_samples(lambda rows: vendi(vectors[part.index[rows]]), part["group"].tolist(), seed)


def more_diverse(
    said: pd.DataFrame, vectors: np.ndarray, method: str, baseline: str, seed: int = 0
) -> dict[str, object]:
    """A row for ``metrics.claims``: one training set's Vendi score minus another's, on random halves; no p."""
    parts = [said[(said["of"] == TAUGHT) & (said["method"] == name)] for name in (method, baseline)]
    told = f"{method} - {baseline}, Vendi score of half a training set's thoughts"
    if any(part.empty for part in parts):  # one was not made, or holds too few
        return claim_row("fig_thoughts", told)
    ours, theirs = (vendi_of_halves(part, vectors, seed) for part in parts)
    low, high = np.quantile(ours - theirs, [0.025, 0.975])
    found = Difference((ours - theirs).mean(), low, high, n=len(parts[0]), seeds=1)
    return claim_row("fig_thoughts", told, found)


def with_nearest(worlds: pd.DataFrame, vectors: np.ndarray) -> pd.DataFrame:
    """``worlds``, of which the column engine says which are synthesised, with the similarity to the ``nearest`` one."""
    ours = (worlds["engine"] == SYNTHESISED).to_numpy()
    found = np.empty(len(worlds))
    found[ours] = nearest(vectors[ours], vectors[ours], itself=True)
    found[~ours] = nearest(vectors[~ours], vectors[ours])
    return worlds.assign(nearest=found)


def further_away(worlds: pd.DataFrame, seed: int = 0) -> dict[str, object]:
    """A row for ``metrics.claims``: the nearest similarity among synthesised environments minus that from the tests.

    The tests are the engines that the teacher's own worlds are not; one engine is one test, whose tasks begin alike,
    and the interval draws engines. No p.
    """
    among = worlds.loc[worlds["engine"] == SYNTHESISED, "nearest"].to_numpy()
    others = worlds[~worlds["engine"].isin([SYNTHESISED, WORLDS])]
    across = others.groupby("engine")["nearest"].mean().to_numpy()
    told = "nearest similarity, among synthesised - from test engines"
    if not len(across):
        return claim_row("fig_environments", told)
    rng = np.random.default_rng(seed)
    drawn = [resamples(len(part), rng) @ part for part in (among, across)]
    low, high = np.quantile(drawn[0] - drawn[1], [0.025, 0.975])
    found = Difference(among.mean() - across.mean(), low, high, n=len(across), seeds=1)
    return claim_row("fig_environments", told, found)


def similarities(worlds: pd.DataFrame, vectors: np.ndarray) -> pd.DataFrame:
    """fig7_similarity: the mean cosine of two instructions, for each pair of engines."""
    told = {name: vectors[rows] for name, rows in worlds.groupby("engine", sort=False).indices.items()}
    rows = [
        (a, b, similarity(told[a], None if a == b else told[b]), len(told[a]), len(told[b])) for a in told for b in told
    ]
    return pd.DataFrame(rows, columns=["engine", "other", "similarity", "n", "n_other"])


def of_instructions(alike: pd.DataFrame) -> pd.DataFrame:
    """The part of tab_diversity about instructions, from ``similarities``: within each engine, to the synthesised."""
    rows = []
    for engine, part in alike.groupby("engine", sort=False):
        found = part.set_index("other")["similarity"]
        kept = {"similarity": found[engine]}
        if engine != SYNTHESISED:
            kept["similarity to synthesised"] = found[SYNTHESISED]
        n = part["n"].iloc[0]
        rows += [("instructions", engine, measure, value, np.nan, np.nan, n) for measure, value in kept.items()]
    return pd.DataFrame(rows, columns=COLUMNS)
