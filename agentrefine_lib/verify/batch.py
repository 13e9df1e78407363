"""The rules over whole files of trajectories, with as many processes as asked for."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from agentrefine_lib.verify.rows import BadRow, parse_row, read_lines, usable
from agentrefine_lib.verify.rules import MIN_REFINEMENTS, Finding, check_trajectory

CHUNK = 64  # lines handed to a process at once: some 50 ms of work
AHEAD = 3  # chunks under way or waiting for each process: none idles, and memory stays flat


class Verdict(NamedTuple):
    """The rules' word on one line of a trajectory file: a finding, or None when it is fit to be learned from."""

    line: int
    id: str  # empty when the line is no record
    finding: Finding | None


def check_trajectories(
    path: Path | str, processes: int = 2, min_refinements: int = MIN_REFINEMENTS
) -> Iterator[Verdict]:
    """Verify a JSONL file of trajectories; one verdict per line, in the file's order, whatever the lines hold.

    Memory does not grow with the file. ``processes=1`` works in this process. Raises SchemaError when the file cannot
    be read, BrokenProcessPool when the system ends a process.
    """
    with open(usable(path), "rb") as file:
        lines = read_lines(file)
        chunks = iter(lambda: list(islice(lines, CHUNK)), [])
        if processes == 1:
            for chunk in chunks:
                yield from _check_lines(chunk, min_refinements)
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, context, _leave_ctrl_c_to_the_parent) as pool:
            under_way: deque[Future[list[Verdict]]] = deque()
            for chunk in chunks:
                under_way.append(pool.submit(_check_lines, chunk, min_refinements))
                if len(under_way) >= AHEAD * processes:
                    yield from under_way.popleft().result()
            for future in under_way:
                yield from future.result()


def _leave_ctrl_c_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _check_lines(lines: list[tuple[int, bytes | BadRow]], min_refinements: int) -> list[Verdict]:
    return [_check_line(number, line, min_refinements) for number, line in lines]


def _check_line(number: int, line: bytes | BadRow, min_refinements: int) -> Verdict:
    row = line if isinstance(line, BadRow) else parse_row(line)
    if isinstance(row, BadRow):
        return Verdict(number, "", Finding("record_malformed", row.detail))
    name = row.get("id") if isinstance(row, dict) else None
    return Verdict(number, name if isinstance(name, str) else "", check_trajectory(row, min_refinements))
