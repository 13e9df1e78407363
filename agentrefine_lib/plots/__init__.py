"""Tables and seaborn figures. Every figure is drawn from the CSV beside it, so that a reader can redraw or check it."""

from agentrefine_lib.plots.ablation import error_kinds, refinement, scaling, stuck
from agentrefine_lib.plots.diversity import best_of_curves, environment_map, thought_maps
from agentrefine_lib.plots.evaluation import (
    ENGINE_NAMES,
    OURS,
    PAPER,
    TABLE_1_ENGINES,
    beside_paper,
    case_table,
    cases,
    main_table,
    method_labels,
    outcomes,
    overall,
)
from agentrefine_lib.plots.files import save, style, write_table
from agentrefine_lib.plots.ladder import ladder
from agentrefine_lib.plots.pipeline import agreement, errors_by_position, funnel, pipeline, training_curves
from agentrefine_lib.plots.reasoning import question_answering
from agentrefine_lib.plots.robustness import mended, perturbed

__all__ = [
    "ENGINE_NAMES",
    "OURS",
    "PAPER",
    "TABLE_1_ENGINES",
    "agreement",
    "beside_paper",
    "best_of_curves",
    "case_table",
    "cases",
    "environment_map",
    "error_kinds",
    "errors_by_position",
    "funnel",
    "ladder",
    "main_table",
    "mended",
    "method_labels",
    "outcomes",
    "overall",
    "perturbed",
    "pipeline",
    "question_answering",
    "refinement",
    "save",
    "scaling",
    "stuck",
    "style",
    "thought_maps",
    "training_curves",
    "write_table",
]
