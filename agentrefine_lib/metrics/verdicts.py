"""What a test decides of a claim, and, where it decides nothing, how many tasks would."""

from bisect import bisect_left
from typing import NamedTuple

import numpy as np
from scipy.stats import binom, norm

ALPHA, POWER = 0.05, 0.8
ZERO = 1e-9  # what rounding leaves of a difference of nothing
MOST = 1_000_000  # tasks that are thought of
FEWEST = 6  # tasks that differ: the two-sided p of sign flips of five is 2 / 2⁵ = 0.06 at best
YES, NO, NONE, ALL, OPEN = "yes", "no", "no method scored", "all scored", "not decided"
VERDICTS = (YES, NO, NONE, ALL, OPEN)


class Difference(NamedTuple):
    """Ours minus theirs: a mean over tasks and seeds, its 95 % interval, a two-sided p over tasks, and the sizes."""

    difference: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    p: float = float("nan")
    n: int = 0  # tasks that both played
    seeds: int = 0  # models of the method that has more
    differ: int = 0  # tasks whose means over seeds differ, where that was looked at
    level: float = float("nan")  # mean score of both: 0 where no method scored, 1 where all did


NOT_COMPARED = Difference()  # where one of the two did not play


def claim_row(name: str, compared: str, found: Difference = NOT_COMPARED) -> dict[str, object]:
    """A row for ``claims``: the claim's id in params/artefacts.yaml, what is ``compared``, in words, and ``judged``."""
    return {"claim": name, "compared": compared, **judged(found)}


def verdict(found: Difference) -> str:
    """One of VERDICTS on the claim that a difference is above zero.

    "yes": the interval lies above zero, p, where there is a test, is at most ALPHA, and FEWEST tasks or more differ;
    "no": the interval lies below, and the same. "no method scored", "all scored": both have zero, or one, on every
    task, which no number of such tasks decides. ALPHA is not corrected for the number of claims.
    """
    if found.level in (0, 1):
        return ALL if found.level else NONE
    if not np.isfinite([found.low, found.high]).all() or found.p > ALPHA or (found.differ or found.n) < FEWEST:
        return OPEN
    return YES if found.low > ZERO else NO if found.high < -ZERO else OPEN


def tasks_needed(found: Difference, more_than: int = 0) -> float:
    """The smallest number of tasks, above ``more_than``, whose ``power`` is POWER; NaN where there is none.

    There is none where no difference was seen, nor with several seeds, whose own spread no number of tasks makes less.
    """
    sizes = range(more_than + 1, MOST)
    if np.isnan(power(found, MOST)):
        return float("nan")
    enough = bisect_left(sizes, POWER, key=lambda tasks: power(found, tasks))
    return float(sizes[enough]) if enough < len(sizes) else float("nan")


def power(found: Difference, tasks: int) -> float:
    """The chance that a claim is decided on so many tasks, if they are like those of ``found``: the smaller one of two.

    That a two-sided paired t test of ALPHA finds the difference, by the normal approximation of Guenther (1981, *The
    American Statistician* 35(4)): n = ((z₁₋α⸝₂ + z₁₋β) s / d)² + z²₁₋α⸝₂ / 2, with s / √n read off the 95 % interval,
    so that engines weigh as they do there. And that FEWEST tasks or more differ, if as many do as now (binomial). NaN
    where the two did not differ, or were not both there, or for several seeds.
    """
    effect, z = abs(found.difference), norm.isf(ALPHA / 2)
    spread = (found.high - found.low) / (2 * z) * np.sqrt(found.n)  # standard deviation of one task's difference
    if not effect > ZERO or not np.isfinite(spread) or found.seeds > 1:
        return float("nan")
    effect = effect / spread if spread else np.inf
    seen = norm.sf(z - effect * np.sqrt(max(tasks - z**2 / 2, 0)))
    share = found.differ / found.n if found.differ else 1.0
    return float(min(seen, binom.sf(FEWEST - 1, tasks, share)))


def judged(found: Difference) -> dict[str, object]:
    """The fields of a difference, its ``verdict``, and for one that is not decided the tasks ``needed``."""
    word = verdict(found)
    return {
        **found._asdict(),
        "verdict": word,
        "needed": tasks_needed(found, found.n) if word == OPEN else float("nan"),
    }
