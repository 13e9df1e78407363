"""One definition for each number, with an interval: what episodes say about a method, and about two on equal tasks."""

from agentrefine_lib.metrics.behaviour import accepted, loops, steps_table, survival, taxonomy
from agentrefine_lib.metrics.best_of import best_of, best_of_gains, best_of_scores, best_of_table, over_samples
from agentrefine_lib.metrics.data import agreement_above, error_run_shares, lone_errors, outcomes, stages
from agentrefine_lib.metrics.episodes import (
    episode_table,
    first_divergence,
    label_policies,
    run_episodes,
    summarise,
    telling_task,
)
from agentrefine_lib.metrics.general import followed, graded
from agentrefine_lib.metrics.held_in import OUT, old_wording, old_wording_table, retrained, without_held_in
from agentrefine_lib.metrics.intervals import share_interval
from agentrefine_lib.metrics.ladder import ladder
from agentrefine_lib.metrics.paired import claim, claims, compare, grid, over_engines
from agentrefine_lib.metrics.robustness import (
    RETRAINED,
    TABLE_3,
    UNPERTURBED,
    kept,
    reliance,
    robustness,
    spread_claim,
    table_11,
)
from agentrefine_lib.metrics.trends import (
    by_size,
    growth,
    halves,
    rank_correlation,
    same_size,
    self_refinement,
    sizes_of,
    slope,
)
from agentrefine_lib.metrics.verdicts import claim_row
