"""The verifier at work on one play, turn by turn: what a reader of Algorithm 1 wants to see."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from agentrefine_lib.schema import DMTurn, Match, PlayerTurn, Script, Trajectory, Turn, match_action
from agentrefine_lib.verify.rules import check_turns

if TYPE_CHECKING:
    import pandas as pd


def with_a_flag_removed(trajectories: Iterable[Trajectory]) -> tuple[Script, list[Turn]]:
    """The play whose first parameter error comes latest, without that flag: the command is let pass."""
    played = max(trajectories, key=lambda t: _first_flag(t.turns))
    turns, index = list(played.turns), _first_flag(played.turns)
    turns[index] = turns[index].model_copy(update={"parameter_error": False})
    return played.script, turns


def _first_flag(turns: Sequence[Turn]) -> int:
    return next((i for i, turn in enumerate(turns) if getattr(turn, "parameter_error", False)), 0)


def trace(script: Script, turns: Sequence[Turn]) -> "pd.DataFrame":
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
