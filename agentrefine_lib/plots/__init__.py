"""Tables and seaborn figures. Every figure is drawn from the CSV beside it, so that a reader can redraw or check it."""

from agentrefine_lib.plots.ablation import error_kinds, refinement, scaling, stuck
from agentrefine_lib.plots.cases import case_table, cases
from agentrefine_lib.plots.diversity import best_of_curves, environment_map, similarity, thought_maps
from agentrefine_lib.plots.evaluation import (
    general_ability,
    general_data,
    ladder,
    outcomes,
    overall,
    question_answering,
)
from agentrefine_lib.plots.files import save, style, write_table
from agentrefine_lib.plots.looks import method_labels, named
from agentrefine_lib.plots.paper import OURS, PAPER, paper_rows, table_1_means
from agentrefine_lib.plots.pipeline import (
    agreement,
    error_runs,
    errors_by_position,
    funnel,
    likelihood,
    pipeline,
    training_curves,
)
from agentrefine_lib.plots.robustness import mended, perturbed
from agentrefine_lib.plots.tables import (
    agreement_table,
    beside_paper,
    datasets_table,
    label_table,
    main_table,
    scaling_table,
    side_by_side,
    with_absent,
)
