"""One definition for each number, with an interval: what episodes say about a method, and about two on equal tasks."""

from agentrefine_lib.metrics.behaviour import loops, steps_table, survival, taxonomy
from agentrefine_lib.metrics.best_of import best_of, best_of_scores, best_of_table, over_samples
from agentrefine_lib.metrics.episodes import episode_table, first_divergence, label_policies, summarise, telling_task
from agentrefine_lib.metrics.intervals import share_interval
from agentrefine_lib.metrics.ladder import ladder
from agentrefine_lib.metrics.paired import claim, claims, compare, grid, over_engines
from agentrefine_lib.metrics.robustness import (
    UNPERTURBED,
    kept,
    old_wording,
    old_wording_table,
    robustness,
    spread_claim,
)
from agentrefine_lib.metrics.trends import halves, rank_correlation, slope
