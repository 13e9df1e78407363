"""The rules over whole files of trajectories, with as many processes as asked for."""

import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from agentrefine_lib.schema import read_lines
from agentrefine_lib.verify.rows import BadRow, existing_file, parse_row
from agentrefine_lib.verify.rules import MIN_REFINEMENTS, Finding, check_trajectory

CHUNK = 64  # lines handed to a process at once: some 50 ms of work
AHEAD = 16  # chunks for each process that are read at once: memory stays flat


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
    lines = read_lines(existing_file(path), cut=True)
    chunks = iter(lambda: list(islice(lines, CHUNK)), [])
    check = partial(_check_lines, min_refinements=min_refinements)
    if processes == 1:
        yield from chain.from_iterable(map(check, chunks))
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        while ahead := list(islice(chunks, AHEAD * processes)):
            yield from chain.from_iterable(pool.map(check, ahead))


def _check_lines(lines: list[tuple[int, int, bytes]], min_refinements: int) -> list[Verdict]:
    return [_check_line(number, line, min_refinements) for number, _, line in lines]


def _check_line(number: int, line: bytes, min_refinements: int) -> Verdict:
    row = parse_row(line)
    if isinstance(row, BadRow):
        return Verdict(number, "", Finding("record_malformed", row.detail))
    name = row.get("id") if isinstance(row, dict) else None
    return Verdict(number, name if isinstance(name, str) else "", check_trajectory(row, min_refinements))
