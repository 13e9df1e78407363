"""Tables and seaborn figures. Every figure is drawn from the CSV beside it, so that a reader can redraw or check it."""

from agentrefine_lib.plots.evaluation import (
    ENGINE_NAMES,
    OURS,
    PAPER,
    TABLE_1_ENGINES,
    case_table,
    cases,
    main_table,
    method_labels,
    outcomes,
    overall,
)
from agentrefine_lib.plots.files import save, style, write_table
from agentrefine_lib.plots.pipeline import agreement, errors_by_position, funnel, pipeline, training_curves

__all__ = [
    "ENGINE_NAMES",
    "OURS",
    "PAPER",
    "TABLE_1_ENGINES",
    "agreement",
    "case_table",
    "cases",
    "errors_by_position",
    "funnel",
    "main_table",
    "method_labels",
    "outcomes",
    "overall",
    "pipeline",
    "save",
    "style",
    "training_curves",
    "write_table",
]
