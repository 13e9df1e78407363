"""What is in a training set: the measurements behind tab_data and the data set card."""

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from agentrefine_lib.schema import ERROR_FLAGS, PlayerTurn, Trajectory, answers
from agentrefine_lib.verify import count_refinements

if TYPE_CHECKING:
    import pandas as pd

BINS = 10  # of positions in a play
LONGEST = 3  # run of errors with a bar of its own, as in the paper's figure 13


def statistics(trajectories: Iterable[Trajectory]) -> "pd.DataFrame":
    """tab_data: one row per trajectory, to be described or plotted (turns, errors by flag, refinements, characters)."""
    import pandas as pd

    return pd.DataFrame([measure(trajectory) for trajectory in trajectories])


def measure(trajectory: Trajectory) -> dict[str, str | int]:
    """One row of tab_data. Errors are counted by flag: a turn with two flags counts twice."""
    judged = answers(trajectory.turns)
    actions = [turn for turn in trajectory.turns if isinstance(turn, PlayerTurn)]
    return {
        "id": trajectory.id,
        "domain": trajectory.domain,
        "player_turns": len(actions),
        **{f"{flag}s": sum(getattr(turn, flag) for turn in judged) for flag in ERROR_FLAGS},
        "refinements": count_refinements(trajectory.turns),
        "available_actions": len(trajectory.script.available_actions),
        "player_characters": sum(len(turn.thought) + len(turn.action) for turn in actions),
    }


def error_runs(trajectories: Iterable[Trajectory]) -> "pd.DataFrame":
    """fig13_error_runs: one row per trajectory: its answered ``turns``, and how many lie in runs of errors of a length.

    A run is of consecutive Player turns with any flag. Columns "run of 1", "run of 2", "run of 3" and "run of more than
    3".
    """
    import pandas as pd

    rows = []
    for trajectory in trajectories:
        flags = [answer.is_error for answer in answers(trajectory.turns)]
        lengths = [sum(1 for _ in run) for is_error, run in groupby(flags) if is_error]
        longer = sum(length for length in lengths if length > LONGEST)
        rows.append(
            {"turns": len(flags)}
            | {f"run of {n}": n * lengths.count(n) for n in range(1, LONGEST + 1)}
            | {f"run of more than {LONGEST}": longer}
        )
    return pd.DataFrame(rows)


def error_positions(trajectories: Iterable[Trajectory]) -> "pd.DataFrame":
    """Share of Player turns with each flag, by position in the play: columns position (in [0, 1)), error, share, n."""
    import pandas as pd

    rows = []
    for trajectory in trajectories:
        judged = answers(trajectory.turns)
        for number, answer in enumerate(judged):
            flags = {flag.removesuffix("_error"): getattr(answer, flag) for flag in ERROR_FLAGS}
            rows.append({"position": int(BINS * number / len(judged)) / BINS} | flags)
    grouped = pd.DataFrame(rows).groupby("position")
    shares = grouped.mean().melt(ignore_index=False, var_name="error", value_name="share").reset_index()
    return shares.assign(n=shares["position"].map(grouped.size()))
