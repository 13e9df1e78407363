"""The training data in numbers: what the rules turned back, how many errors come in a row, a second judge."""

from collections.abc import Sequence

import pandas as pd

from agentrefine_lib.metrics.intervals import share_interval
from agentrefine_lib.metrics.verdicts import Difference, claim_row
from agentrefine_lib.verify import Rejection
from agentrefine_lib.verify.judge import Agreement

OF_PLAYS = ("too_few_refinements", "given_up")  # reasons without a turn that are no script's


def outcomes(rejections: Sequence[Rejection], accepted: int) -> pd.DataFrame:
    """fig_funnel: a row per outcome, the accepted trajectories first, then each rule: outcome, count, kind."""
    reasons = pd.Series([r.reason for r in rejections], dtype=str).value_counts()
    counts = pd.DataFrame({"outcome": reasons.index, "count": reasons.to_numpy(), "kind": "rejected"})
    first = pd.DataFrame({"outcome": ["accepted"], "count": [accepted], "kind": ["accepted"]})
    return pd.concat([first, counts.sort_values(["count", "outcome"], ascending=[False, True])], ignore_index=True)


def stages(rejections: Sequence[Rejection], accepted: int) -> pd.DataFrame:
    """fig4_pipeline: room, what it made, and what was sent_back to the stage before it."""
    scripts = sum(r.turn is None and r.reason not in OF_PLAYS for r in rejections)
    given_up = sum(r.reason == "given_up" for r in rejections)
    thin = sum(r.reason == "too_few_refinements" for r in rejections)
    plays = len(rejections) - scripts - given_up - thin
    rows = [
        ("teachers", f"{accepted + given_up:,} personas" + f", {given_up:,} given up" * bool(given_up), ""),
        ("teachers", "scripts", ""),
        ("verify", "scripts checked", f"{scripts:,} scripts written again"),
        ("teachers", "plays", ""),
        (
            "verify",
            "plays checked",
            f"{plays:,} plays continued" + f", {thin:,} with too few errors dropped" * bool(thin),
        ),
        ("dataset", f"{accepted:,} conversations", ""),
    ]
    return pd.DataFrame(rows, columns=["room", "made", "sent_back"])


def error_run_shares(runs: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """fig13_error_runs: percent of turns in runs of errors of each length, over ``dataset.error_runs``."""
    count, total = runs.drop(columns="turns").to_numpy(float), runs["turns"].to_numpy(float)
    shares = pd.DataFrame({"metric": runs.columns.drop("turns"), "value": 100 * count.sum(0) / total.sum()})
    shares[["low", "high"]] = [share_interval(100 * part, total, seed) for part in count.T]
    return shares.assign(n=len(runs))


def lone_errors(runs: pd.DataFrame, seed: int = 0) -> dict[str, object]:
    """A row for ``claims``: is more than half of the error turns alone?"""
    count = runs.drop(columns="turns").to_numpy(float)
    low, high = share_interval(count[:, 0], count.sum(1), seed)
    share = count[:, 0].sum() / count.sum()
    found = Difference(share - 0.5, low - 0.5, high - 0.5, n=len(runs), seeds=1)
    return claim_row("fig13_error_runs", "share of error turns that stand alone - 1/2", found)


def agreement_above(agreement: Agreement, percent: float) -> dict[str, object]:
    """A row for ``claims``: does a second judge agree with more than ``percent`` of the labels? No p."""
    shares = agreement.agreement, agreement.agreement_low, agreement.agreement_high
    middle, low, high = (100 * share - percent for share in shares)
    found = Difference(middle, low, high, n=agreement.turns, seeds=1)
    return claim_row("fig_judge", f"agreement - {percent:.0f} points", found)
