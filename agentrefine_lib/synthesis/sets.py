"""The training sets of the paper's ablations: the same jobs as the main set, one thing changed in each."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from agentrefine_lib.schema import Section
from agentrefine_lib.synthesis.local import synthesize
from agentrefine_lib.synthesis.loop import Job, Limits
from agentrefine_lib.teachers import EmbeddedTeacher, embedded_persona, load_personas

Share = Annotated[float, Field(ge=0, le=1)]


class Synthesis(Section):
    """What the teacher is asked for: the section ``synthesis`` of chapters 1 and 4."""

    seed: int = 0  # trajectory i is made from seed + i
    personas: str = ""  # a Persona Hub file (JSONL), its first line for the first trajectory; empty: composed personas
    attempts: int = Field(default=5, ge=1)  # scripts tried before a trajectory is given up
    calls: int = Field(default=0, ge=0)  # scripts and plays in all, the paper's 4 (see Limits); 0: no such limit
    learner: str = ""  # for the set errors_learner: an earlier model, e.g. runs/laptop/models/agentrefine-0
    mechanics: list[str] = Field(default=[])  # embedded teacher: kinds of worlds; empty: all but those held out
    held_out: list[str] = Field(default=["sorting", "routes", "ship", "theatre", "farm", "arrow"])  # kept for chapter 4
    errors: tuple[int, int] = (2, 6)  # embedded teacher: mistakes that a play is meant to hold, least and most
    loops: Share = 0.1  # embedded teacher: share of mistakes that are repeated, as small models do
    plain: Share = 0.0  # embedded teacher: share of games told and thought of in few words
    kinds: Share = 0.0  # embedded teacher: share of games whose goals name kinds, and whose things are numbered
    slip_rate: Share = 0.1  # embedded teacher: how often it breaks a rule itself, as a language model would

    def teacher(self, **changes: Any) -> EmbeddedTeacher:
        """The embedded teacher, with some of these fields changed."""
        own = self.model_dump(exclude={"seed", "personas", "attempts", "calls", "learner"})
        return EmbeddedTeacher(**(own | changes))

    def limits(self, **changes: Any) -> Limits:
        """When to stop trying, with some of it changed."""
        return Limits(self.attempts, calls=self.calls)._replace(**changes)

    def jobs(self, count: int, root: Path = Path()) -> list[Job]:
        """The first trajectories to be made; ``root``: where a relative path of personas begins. Raises ValueError
        for none, and where the file has too few personas."""
        if count < 1:
            raise ValueError(f"n_trajectories: found {count}, expected at least 1")
        seeds = range(self.seed, self.seed + count)
        if not self.personas:
            costumes = self.teacher().costumes
            return [Job(f"t-{seed:06d}", embedded_persona(seed, costumes), seed) for seed in seeds]
        told = list(islice(load_personas(root / self.personas), count))
        if len(told) < count:
            raise ValueError(f"{self.personas}: found {len(told)} personas, expected {count}; lower n_trajectories")
        return [Job(f"t-{seed:06d}", persona, seed) for seed, persona in zip(seeds, told, strict=True)]


SETS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # what is changed of the teacher, and of the limits
    "no_refinement": ({"errors": (0, 0), "slip_rate": 0.0}, {"min_refinements": 0}),  # the same worlds, no mistake
    "no_verification": ({}, {"verified": False}),  # the same plays, before anything is turned back
    "one_mechanic": ({"mechanics": ("places",)}, {}),  # diversity taken away
    "errors_slips": ({"loops": 0.0}, {}),  # no mistake is repeated
    "errors_loops": ({"loops": 1.0}, {}),  # every mistake is
}
LEARNER = "errors_learner"  # the errors are an earlier model's: rollout.roll_out_corrected makes it


def require_sets(names: Sequence[str]) -> None:
    """Raise ValueError for a name that is no further training set's."""
    if unknown := set(names) - {*SETS, LEARNER}:
        raise ValueError(f"sets: no such {', '.join(sorted(unknown))}; expected some of {', '.join([*SETS, LEARNER])}")


async def synthesize_sets(names: Sequence[str], asked: Synthesis, jobs: Sequence[Job], folder: Path) -> None:
    """Make sets of SETS into ``folder/<name>``; ``asked`` and ``jobs`` are those of the main set.

    Resumable like ``synthesize``. Raises ValueError for a name that is none of them.
    """
    require_sets(names)
    for name in [name for name in SETS if name in names]:
        teachers, others = SETS[name]
        await synthesize(asked.teacher(**teachers), jobs, folder / name, asked.limits(**others))
