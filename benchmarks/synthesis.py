"""How many verified trajectories the embedded teacher makes in a minute on one core: one line of JSON.

    python benchmarks/synthesis.py

Each job goes through the whole loop of Algorithm 1, in memory. ``per_minute`` is the best round by wall clock,
``per_cpu_minute`` the best by this process's processor time, which neighbours on the machine disturb less;
``first_attempt`` is the share of jobs whose first script and play were accepted.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from agentrefine_lib.schema import Trajectory
from agentrefine_lib.synthesis import Job, Limits, synthesize_one
from agentrefine_lib.teachers import EmbeddedTeacher, embedded_persona
from agentrefine_lib.verify import Rejection

JOBS, ROUNDS = 1_000, 5


async def synthesize_round(start: int) -> tuple[list[Trajectory], list[Rejection]]:
    teacher, accepted, rejected = EmbeddedTeacher(), [], []
    for seed in range(start, start + JOBS):
        trajectory, rejections = await synthesize_one(teacher, Job(f"b-{seed}", embedded_persona(seed), seed), Limits())
        rejected += rejections
        if trajectory is not None:
            accepted.append(trajectory)
    return accepted, rejected


def main() -> None:
    print(__doc__, "Writes nothing.", sep="", file=sys.stderr)
    asyncio.run(synthesize_round(-JOBS))  # reads the vocabulary and warms the caches
    wall, cpu, accepted, rejected = [], [], [], []
    for start in range(0, JOBS * ROUNDS, JOBS):
        begun = time.perf_counter(), time.process_time()
        made, refused = asyncio.run(synthesize_round(start))
        wall.append(time.perf_counter() - begun[0])
        cpu.append(time.process_time() - begun[1])
        accepted += made
        rejected += refused
    again = {rejection.id for rejection in rejected}
    result = {
        "benchmark": "synthesis",
        "jobs": JOBS * ROUNDS,
        "accepted": len(accepted),
        "first_attempt": round(1 - len(again) / (JOBS * ROUNDS), 4),
        "per_minute": round(60 * JOBS / min(wall)),
        "per_cpu_minute": round(60 * JOBS / min(cpu)),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
