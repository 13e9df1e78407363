"""One definition for each number, with an interval: what episodes say about a method, and about two on equal tasks."""

from agentrefine_lib.metrics.episodes import MEANS, episode_table, first_divergence, summarise, telling_task
from agentrefine_lib.metrics.intervals import mean_interval, success_interval
from agentrefine_lib.metrics.paired import (
    Difference,
    claim,
    claims,
    compare,
    difference,
    grid,
    paired_permutation,
    sign_test,
    verdict,
)

__all__ = [
    "MEANS",
    "Difference",
    "claim",
    "claims",
    "compare",
    "difference",
    "episode_table",
    "first_divergence",
    "grid",
    "mean_interval",
    "paired_permutation",
    "sign_test",
    "success_interval",
    "summarise",
    "telling_task",
    "verdict",
]
