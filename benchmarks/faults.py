"""What each fault of an endpoint costs, and what kill -9 costs: synthesis against the local dungeon master.

    python benchmarks/faults.py [folder]

Prints one line of JSON per fault (served, retried, rejected, accepted, seconds), then one for 20 random kills: the
files must equal those of a run that nobody disturbed, and no finished request may be paid twice. Faults in answers are
drawn for 30 % of the requests, faults on the way for 10 %.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from agentrefine_lib.endpoint import Endpoint, EndpointSettings
from agentrefine_lib.schema import Trajectory, read_jsonl
from agentrefine_lib.synthesis import Job, synthesize
from agentrefine_lib.teachers import EmbeddedTeacher, embedded_persona
from agentrefine_lib.teachers.endpoint_teacher import EndpointTeacher
from agentrefine_lib.teachers.faults import IN_THE_ANSWER, ON_THE_WAY, Faults
from agentrefine_lib.teachers.server import make_app, serve
from agentrefine_lib.verify import Rejection

JOBS, KILLS = 60, 20


def jobs(count: int) -> list[Job]:
    return [Job(f"t-{seed:06d}", embedded_persona(seed), seed) for seed in range(count)]


async def run(url: str, folder: Path, count: int) -> dict[str, int]:
    """Synthesise through the endpoint; returns the client's retries by kind."""
    settings = EndpointSettings(base_url=url, model="embedded", concurrency=16, timeout_s=3, backoff_s=0.05)
    async with Endpoint(settings, folder / "completions.jsonl") as endpoint:
        await synthesize(EndpointTeacher(endpoint), jobs(count), folder, concurrency=16)
        return endpoint.statistics().retries


def fault_row(name: str, folder: Path) -> dict[str, object]:
    rate = 0.3 if name in IN_THE_ANSWER else 0.1
    app = make_app(EmbeddedTeacher(), Faults(**{name: rate}, retry_after_s=0.2, hang_s=5.0))
    started = time.perf_counter()
    with serve(app) as url:
        retries = asyncio.run(run(url, folder, JOBS))
    rejected = Counter(r.reason for r in read_jsonl(folder / "rejections.jsonl", Rejection))
    return {
        "fault": name,
        "rate": rate,
        "requests": sum(app.state.requests.values()),
        "served": app.state.faults[name],
        "retried": retries,
        "rejected": dict(rejected),
        "accepted": sum(1 for _ in read_jsonl(folder / "trajectories.jsonl", Trajectory)),
        "jobs": JOBS,
        "seconds": round(time.perf_counter() - started, 1),
    }


def kill_row(folder: Path, count: int = 1500) -> dict[str, object]:
    """Kill the run 20 times at random moments, let it finish, compare with a run that was left alone."""
    rng, app = random.Random(0), make_app(EmbeddedTeacher(slip_rate=0.2), Faults(latency_s=0.1))
    with serve(app) as url:
        asyncio.run(run(url, folder / "whole", count))
        alone = sum(app.state.requests.values())
        kills = 0
        while True:
            command = [sys.executable, __file__, "--continue", url, str(folder / "killed"), str(count)]
            child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            try:
                code = child.wait(timeout=rng.uniform(1.5, 4.0) if kills < KILLS else 300)
                break
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
                child.wait()
                kills += 1
        again = sum(app.state.requests.values()) - alone
    names = ("trajectories.jsonl", "rejections.jsonl")
    same = all((folder / "whole" / n).read_bytes() == (folder / "killed" / n).read_bytes() for n in names)
    lines = (folder / "killed" / "completions.jsonl").read_bytes().splitlines()
    keys = [json.loads(line)["key"] for line in lines]
    lost = again - len(keys)  # in flight when the process died: 16 at most for each kill
    return {
        "kills": kills,
        "exit": code,
        "same_files": same,
        "requests_alone": alone,
        "requests_killed": again,
        "recorded_twice": len(keys) - len(set(keys)),
        "in_flight_lost": lost,
        "at_most": 16 * kills,
    }


def main() -> None:
    if sys.argv[1:2] == ["--continue"]:
        asyncio.run(run(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])))
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else made)
        print(__doc__, f"Writes to {folder}.", sep="", file=sys.stderr)
        for name in (*ON_THE_WAY, *IN_THE_ANSWER):
            print(json.dumps(fault_row(name, folder / name)), flush=True)
        print(json.dumps(kill_row(folder / "kills")), flush=True)


if __name__ == "__main__":
    main()
