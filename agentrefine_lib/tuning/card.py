"""The card of a tuned model: what it was made from, how, and what came of it."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from agentrefine_lib.dataset.card import templates
from agentrefine_lib.tuning.recipe import Job


def write_model_card(folder: Path, job: Job, log: Sequence[Mapping[str, Any]]) -> Path:
    """Write ``README.md`` for a model tuned by ``job`` with the rows of its ``loss.csv``; returns its path."""
    shown = sorted({0, len(log) // 4, len(log) // 2, 3 * len(log) // 4, len(log) - 1})
    path = folder / "README.md"
    path.write_text(
        templates("agentrefine_lib.tuning")
        .get_template("card.md.jinja")
        .render(
            name=folder.name,
            folder=str(folder),
            job=job,
            recipe=job.recipe.model_dump(),
            log=log[-1],
            rows=[log[place] for place in shown],
            versions={name: version(name) for name in ("torch", "transformers", "peft", "accelerate")},
        ),
        encoding="utf-8",
    )
    return path
