"""How fast trajectories are verified, and in how much memory: one line of JSON. Takes about two minutes.

    python benchmarks/verification.py

``rows_per_s``: records through every rule, from the JSON line to the verdict, with 1 and 2 processes (start included).
``re2_over_re``: the same rows and rules with Python's ``re`` in place of RE2, as a ratio of speeds in one run.
``peak_mib``: the largest resident size of any process, by number of rows in the file.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from functools import lru_cache
from itertools import islice
from pathlib import Path

from agentrefine_lib.schema import actions
from agentrefine_lib.synthesis import Job, Limits, synthesize_one
from agentrefine_lib.teachers import EmbeddedTeacher, embedded_persona
from agentrefine_lib.verify import check_trajectories, rules

SOURCES = 2_000  # different trajectories; files hold them again and again under new ids
SIZES = (1_000, 4_000, 16_000, 64_000)  # rows
RATED = 8_000  # rows of the file that speeds are measured on


async def make_sources() -> list[str]:
    teacher, lines = EmbeddedTeacher(), []
    for seed in range(SOURCES):
        trajectory = (await synthesize_one(teacher, Job("ID", embedded_persona(seed), seed), Limits()))[0]
        if trajectory is not None:
            lines.append(trajectory.to_json())
    return lines


def write_file(path: Path, sources: list[str], rows: int) -> None:
    with open(path, "w", encoding="utf-8") as out:
        for number in range(rows):
            out.write(sources[number % len(sources)].replace('"ID"', f'"row-{number:06d}"', 1) + "\n")


def measure(path: str, processes: int) -> None:
    """Runs in a process of its own: verify the file and print what it took."""
    start = time.perf_counter()
    rows = fit = 0
    for verdict in check_trajectories(path, processes):
        rows += 1
        fit += verdict.finding is None
    seconds = time.perf_counter() - start
    assert rows == fit, f"{rows - fit} of {rows} rows were rejected"
    status = Path("/proc/self/status").read_text()
    own = int(re.search(r"VmHWM:\s+(\d+)", status)[1])  # unlike ru_maxrss, not the size of the process that forked it
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(json.dumps({"rows_per_s": rows / seconds, "peak_mib": max(own, workers) / 1024}))


def run(path: Path, processes: int) -> dict[str, float]:
    command = [sys.executable, __file__, "measure", str(path), str(processes)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def seconds_of(lines: list[str]) -> float:
    raws = [json.loads(line) for line in lines]
    start = time.perf_counter()
    assert all(rules.check_trajectory(raw) is None for raw in raws)
    return time.perf_counter() - start


def re2_over_re(lines: list[str]) -> float:
    """Speed with RE2 over speed with ``re``, alternating, each warmed up: the best of three."""
    best = {"re2": float("inf"), "re": float("inf")}
    engines = {"re2": actions.compile_code, "re": lru_cache(maxsize=actions.CODES_KEPT)(_compile_with_re)}
    for _ in range(3):
        for name, engine in engines.items():
            actions.compile_code = rules.compile_code = engine
            best[name] = min(best[name], seconds_of(lines))
    actions.compile_code = rules.compile_code = engines["re2"]
    return best["re"] / best["re2"]


def _compile_with_re(code: str) -> re.Pattern[bytes]:
    return re.compile(code.encode())


def main() -> None:
    print(__doc__, "Writes nothing but a temporary folder.", sep="", file=sys.stderr)
    sources = asyncio.run(make_sources())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trajectories.jsonl"
        write_file(path, sources, RATED)
        rates = {processes: run(path, processes)["rows_per_s"] for processes in (1, 2)}
        peaks = {}
        for rows in SIZES:
            write_file(path, sources, rows)
            peaks[rows] = run(path, 2)["peak_mib"]
    result = {
        "benchmark": "verification",
        "cores": os.cpu_count(),
        "bytes_per_row": round(sum(map(len, sources)) / len(sources)),
        "rows_per_s": {str(processes): round(rate) for processes, rate in rates.items()},
        "speedup_2_processes": round(rates[2] / rates[1], 2),
        "re2_over_re": round(re2_over_re(list(islice(sources, 500))), 2),
        "peak_mib": {str(rows): round(peak, 1) for rows, peak in peaks.items()},
        "peak_64k_over_1k": round(peaks[64_000] / peaks[1_000], 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        measure(sys.argv[2], int(sys.argv[3]))
    else:
        main()
