"""95 % intervals: Wilson's for a share, a bootstrap over tasks and seeds for everything that is averaged over both.

Every model of a method plays the same tasks, so tasks and training seeds are crossed, not nested. The bootstrap draws
both anew, each on its own, and averages the cells that meet (the pigeonhole bootstrap: Owen 2007, *Annals of Applied
Statistics* 1(2); McCullagh 2000). It answers for other tasks and other seeds; with two seeds it shows only part of
their spread, and with one it is the plain bootstrap over tasks. Of n tasks or seeds it draws n - 1, so that the
variance is not too small by (n - 1) / n where an engine has few (McCarthy and Snowden 1985; Rao and Wu 1988). What
there is one of cannot vary: the interval is for that one alone.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import norm

CONFIDENCE = 0.95
RESAMPLES = 9_999


def success_interval(wins: float, n: int) -> tuple[float, float]:
    """Wilson's interval for a share: unlike a bootstrap it is not empty when nothing or everything is won.

    ``wins`` of several models are their mean.
    """
    z = norm.isf((1 - CONFIDENCE) / 2)
    middle, half = wins + z**2 / 2, z * np.sqrt(wins * (n - wins) / n + z**2 / 4)
    return float(max(0, middle - half) / (n + z**2)), float(min(n + z**2, middle + half) / (n + z**2))


def mean_interval(values: np.ndarray, seed: int) -> tuple[float, float]:
    """Percentile bootstrap of the mean. ``values``: (tasks,), or (seeds, tasks) with NaN where a value is missing."""
    cells = np.atleast_2d(values)
    cells = cells[:, np.isfinite(cells).any(0)]
    found = cells[np.isfinite(cells)]
    if not len(found):
        return float("nan"), float("nan")
    if np.ptp(found) == 0:
        return float(found[0]), float(found[0])  # nothing to resample
    rng = np.random.default_rng(seed)
    return percentiles(resampled_means(cells, task_weights(cells.shape[1], rng), rng))


def share_interval(parts: np.ndarray, wholes: np.ndarray, seed: int) -> tuple[float, float]:
    """Percentile bootstrap of the sum of ``parts`` over the sum of ``wholes``, (groups,) each, over the groups."""
    drawn = task_weights(len(wholes), np.random.default_rng(seed))
    below = drawn @ wholes
    return percentiles(np.divide(drawn @ parts, below, out=np.full(len(below), np.nan), where=below > 0))


def percentiles(draws: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of resampled values."""
    low, high = np.nanquantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def resampled_means(cells: np.ndarray, tasks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Weighted means of ``cells`` (seeds, tasks) for task weights (resamples, tasks), the seeds drawn anew each.

    A value that a seed lacks is the mean of the seeds that have it, as in the mean itself; each task needs one.
    """
    filled = np.where(np.isfinite(cells), cells, np.nanmean(cells, axis=0))
    means: np.ndarray = ((resamples(len(cells), rng, len(tasks)) @ filled) * tasks).sum(1)
    return means


def task_weights(
    count: int, rng: np.random.Generator, strata: Sequence[str] = (), sizes: Mapping[str, float] | None = None
) -> np.ndarray:
    """Weights of ``count`` tasks in each resample, (resamples, tasks), each row summing to one.

    With ``strata``, a label per task (its engine), tasks are drawn within each; strata weigh as in ``fixed_weights``.
    """
    labels = np.asarray(strata if len(strata) else [""] * count)
    weights = np.zeros((RESAMPLES, count))
    for label in dict.fromkeys(labels):
        (members,) = (labels == label).nonzero()
        weights[:, members] = resamples(len(members), rng)
    return weights * _shares(list(labels), sizes)


def resamples(count: int, rng: np.random.Generator, times: int = RESAMPLES) -> np.ndarray:
    """Weights of ``count`` things in each resample, (times, count): each row draws one fewer than there are."""
    size = max(1, count - 1)
    return rng.multinomial(size, np.full(count, 1 / count), size=times) / size


def fixed_weights(strata: Sequence[str], sizes: Mapping[str, float] | None = None) -> np.ndarray:
    """Weights of tasks, (tasks,), that sum to one: every stratum weighs the same, or in proportion to its ``sizes``.

    However many tasks a stratum has here. ``sizes`` may hold strata that are not here. Raises KeyError for one that is
    here and has no size.
    """
    counts = Counter(strata)
    return _shares(strata, sizes) / np.array([counts[stratum] for stratum in strata])


def _shares(strata: Sequence[str], sizes: Mapping[str, float] | None) -> np.ndarray:
    """For each task, what its stratum weighs."""
    found = {stratum: 1.0 if sizes is None else float(sizes[stratum]) for stratum in dict.fromkeys(strata)}
    return np.array([found[stratum] for stratum in strata]) / sum(found.values())
