"""The training sets of the paper's ablations: the same jobs as the main set, one thing changed in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentrefine_lib.synthesis.local import synthesize
from agentrefine_lib.synthesis.loop import DEFAULT_LIMITS, Job, Limits
from agentrefine_lib.teachers import EmbeddedTeacher

SETS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # what is changed of the teacher, and of the limits
    "no_refinement": ({"errors": (0, 0), "slip_rate": 0.0}, {"min_refinements": 0}),  # the same worlds, no mistake
    "no_verification": ({}, {"verified": False}),  # the same plays, before anything is turned back
    "one_mechanic": ({"mechanics": ("places",)}, {}),  # diversity taken away
    "errors_slips": ({"loops": 0.0}, {}),  # no mistake is repeated
    "errors_loops": ({"loops": 1.0}, {}),  # every mistake is
}
LEARNER = "errors_learner"  # the errors are an earlier model's: rollout.roll_out_corrected makes it


async def synthesize_sets(
    names: Sequence[str],
    settings: Mapping[str, Any],
    jobs: Sequence[Job],
    folder: Path,
    limits: Limits = DEFAULT_LIMITS,
) -> None:
    """Make sets of SETS into ``folder/<name>``; ``settings`` are those of the EmbeddedTeacher of the main set.

    Resumable like ``synthesize``. Raises ValueError for a name that is none of them.
    """
    if unknown := set(names) - {*SETS, LEARNER}:
        raise ValueError(f"sets: no such {', '.join(sorted(unknown))}; expected some of {', '.join([*SETS, LEARNER])}")
    for name in [name for name in SETS if name in names]:
        teachers, others = SETS[name]
        teacher = EmbeddedTeacher(**(dict(settings) | teachers))
        await synthesize(teacher, jobs, folder / name, limits._replace(**others))
