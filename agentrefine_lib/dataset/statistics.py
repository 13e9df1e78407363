"""What is in a training set: the measurements behind tab_data and the data set card."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from agentrefine_lib.schema import ERROR_FLAGS, DMTurn, PlayerTurn, Trajectory
from agentrefine_lib.verify import count_refinements

if TYPE_CHECKING:
    import pandas as pd

BINS = 10  # of positions in a play


def statistics(trajectories: Iterable[Trajectory]) -> pd.DataFrame:
    """tab_data: one row per trajectory, to be described or plotted (turns, errors by flag, refinements, characters)."""
    import pandas as pd

    return pd.DataFrame([measure(trajectory) for trajectory in trajectories])


def measure(trajectory: Trajectory) -> dict[str, str | int]:
    """One row of tab_data. Errors are counted by flag: a turn with two flags counts twice."""
    answers = [turn for turn in trajectory.turns if isinstance(turn, DMTurn)]
    actions = [turn for turn in trajectory.turns if isinstance(turn, PlayerTurn)]
    return {
        "id": trajectory.id,
        "domain": trajectory.domain,
        "player_turns": len(actions),
        "parameter_errors": sum(turn.parameter_error for turn in answers),
        "place_errors": sum(turn.place_error for turn in answers),
        "logic_errors": sum(turn.logic_error for turn in answers),
        "refinements": count_refinements(trajectory.turns),
        "available_actions": len(trajectory.script.available_actions),
        "player_characters": sum(len(turn.thought) + len(turn.action) for turn in actions),
    }


def error_positions(trajectories: Iterable[Trajectory]) -> pd.DataFrame:
    """Share of Player turns with each flag, by position in the play: columns position (in [0, 1)), error, share, n."""
    import pandas as pd

    rows = []
    for trajectory in trajectories:
        answers = [turn for turn in trajectory.turns[1:] if isinstance(turn, DMTurn)]
        for number, answer in enumerate(answers):
            flags = {flag.removesuffix("_error"): getattr(answer, flag) for flag in ERROR_FLAGS}
            rows.append({"position": int(BINS * number / len(answers)) / BINS} | flags)
    grouped = pd.DataFrame(rows).groupby("position")
    shares = grouped.mean().melt(ignore_index=False, var_name="error", value_name="share").reset_index()
    return shares.assign(n=shares["position"].map(grouped.size()))
