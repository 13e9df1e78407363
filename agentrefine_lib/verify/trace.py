"""The verifier at work on one play, turn by turn: what a reader of Algorithm 1 wants to see."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from agentrefine_lib.schema import DMTurn, Match, PlayerTurn, Script, Turn, match_action
from agentrefine_lib.verify.rules import check_turns

if TYPE_CHECKING:
    import pandas as pd


def trace(script: Script, turns: Sequence[Turn]) -> pd.DataFrame:
    """One row per Player turn up to the first fault: turn, action, script (its check), dm (its flags), verdict."""
    import pandas as pd

    finding = check_turns(script, turns)
    rows = []
    for index, (asked, answer) in enumerate(pairwise(turns)):
        if not isinstance(asked, PlayerTurn) or not isinstance(answer, DMTurn):
            continue
        failed = finding is not None and finding.keep is not None and index >= finding.keep
        found = match_action(script, asked.action)
        check = f"fits {found.signature}" if isinstance(found, Match) else found.detail
        verdict = "read only" if answer.is_error else "learned from"
        if finding and failed:
            verdict = f"rejected: {finding.reason}"
        rows.append((asked.turn, asked.action, check, ", ".join(answer.flags) or "no error", verdict))
        if failed:
            break
    return pd.DataFrame(rows, columns=["turn", "action", "script", "dm", "verdict"])
