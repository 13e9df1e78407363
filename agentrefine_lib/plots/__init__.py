"""Tables and seaborn figures. Every figure is drawn from the CSV beside it, so that a reader can redraw or check it."""

from agentrefine_lib.plots.evaluation import (
    ENGINE_NAMES,
    OURS,
    PAPER,
    case_table,
    cases,
    main_table,
    outcomes,
    overall,
)
from agentrefine_lib.plots.files import save, style, write_table
from agentrefine_lib.plots.nano import copying, pretraining
from agentrefine_lib.plots.pipeline import agreement, errors_by_position, funnel, pipeline, training_curves

__all__ = [
    "ENGINE_NAMES",
    "OURS",
    "PAPER",
    "agreement",
    "case_table",
    "cases",
    "copying",
    "errors_by_position",
    "funnel",
    "main_table",
    "outcomes",
    "overall",
    "pipeline",
    "pretraining",
    "save",
    "style",
    "training_curves",
    "write_table",
]
