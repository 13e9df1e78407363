"""One definition for each number, with an interval: what episodes say about a method, and about two on equal tasks."""

from agentrefine_lib.metrics.behaviour import loops, steps_table, survival, taxonomy
from agentrefine_lib.metrics.best_of import best_of, best_of_scores, best_of_table, over_samples
from agentrefine_lib.metrics.episodes import (
    MEANS,
    episode_table,
    first_divergence,
    label_policies,
    summarise,
    telling_task,
)
from agentrefine_lib.metrics.intervals import mean_interval, share_interval, success_interval
from agentrefine_lib.metrics.ladder import ladder
from agentrefine_lib.metrics.paired import (
    claim,
    claims,
    compare,
    difference,
    grid,
    over_engines,
    paired_permutation,
    sign_test,
)
from agentrefine_lib.metrics.robustness import (
    UNPERTURBED,
    kept,
    old_wording,
    old_wording_table,
    robustness,
    spread,
    spread_claim,
)
from agentrefine_lib.metrics.trends import halves, rank_correlation, slope

__all__ = [
    "MEANS",
    "UNPERTURBED",
    "best_of",
    "best_of_scores",
    "best_of_table",
    "claim",
    "claims",
    "compare",
    "difference",
    "episode_table",
    "first_divergence",
    "grid",
    "halves",
    "kept",
    "label_policies",
    "ladder",
    "loops",
    "mean_interval",
    "old_wording",
    "old_wording_table",
    "over_engines",
    "over_samples",
    "paired_permutation",
    "rank_correlation",
    "robustness",
    "share_interval",
    "sign_test",
    "slope",
    "spread",
    "spread_claim",
    "steps_table",
    "success_interval",
    "summarise",
    "survival",
    "taxonomy",
    "telling_task",
]
