"""Whether size is felt: files, requests and episodes by the thousand, with time and memory noted as they grow.

    python benchmarks/load.py [files] [requests] [episodes] [soak] [--rows 64000] [--requests 4000] [--minutes 10]

``files``: trajectories (a few hundred of the embedded teacher, again and again under new ids) are verified, turned into
conversations and encoded as masks. ``requests``: 1,000 at once to the teacher's server, which takes four seconds for
each. ``episodes``: BabyAI and PDDL, played by the expert. ``soak``: every engine in turn, for some minutes, and
whether the second half takes more of anything than the first. The rows of a stage replace the earlier ones in
load.csv, which load.png is drawn from. ``rss_mib``, ``fds``, ``threads`` and ``children`` count the process and all
below it at that moment; ``cpu_s`` is the processor time of all that were seen so far.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import psutil
from transformers import AutoTokenizer

from agentrefine_lib.dataset import read_conversations, to_conversation, write_conversations
from agentrefine_lib.endpoint import Endpoint, EndpointSettings
from agentrefine_lib.environments import panel
from agentrefine_lib.policies import ExpertPolicy
from agentrefine_lib.rollout import Limits, roll_out
from agentrefine_lib.schema import Trajectory, read_jsonl
from agentrefine_lib.synthesis import Job, synthesize
from agentrefine_lib.teachers import EmbeddedTeacher, embedded_persona
from agentrefine_lib.tuning import SMOLLM2, base_folder
from agentrefine_lib.tuning.mask import encode_all
from agentrefine_lib.verify import check_trajectories

HERE = Path(__file__).parent
SOURCES, EVERY = 400, 8_000  # different trajectories; rows between two notes
AT_ONCE, LATENCY_S, PORT = 1_000, 4.0, 8791  # long enough for a thousand to be under way
PANEL = {"babyai": ("GoToObj", "GoToDoor", "PickupLoc"), "pddl": ("gripper", "blocksworld")}
SOAKED = {  # two tasks of each engine, in turn; ScienceWorld has 300 variations of each
    "alfworld": ("pick_and_place_simple", "pick_heat_then_place_in_recep"),
    "scienceworld": ("find-plant", "find-animal"),
    "jericho": ("goat", "museum"),
    "babyai": ("GoToObj", "PickupLoc"),
    "pddl": ("gripper", "blocksworld"),
    "hotpotqa": ("same-press", "longer-river"),
}
Rows = list[dict[str, object]]


class Notes:
    """Rows of the table: how far a stage is, and what it takes at that moment."""

    def __init__(self, stage: str) -> None:
        self.stage, self.rows = stage, Rows()
        self._began, self._me = time.perf_counter(), psutil.Process()
        self._used: dict[psutil.Process, float] = {}  # processor seconds when last seen, also of who is gone

    def take(self, count: int) -> None:
        family, alive = [self._me, *self._me.children(recursive=True)], []
        for process in family:
            with contextlib.suppress(psutil.Error), process.oneshot():
                times = process.cpu_times()
                self._used[process] = times.user + times.system
                alive.append((process.memory_info().rss, process.num_fds(), process.num_threads()))
        rss, fds, threads = map(sum, zip(*alive, strict=True))
        row = {"stage": self.stage, "count": count, "wall_s": time.perf_counter() - self._began}
        row["cpu_s"] = sum(self._used.values())
        self.rows.append(row | {"rss_mib": rss / 2**20, "fds": fds, "threads": threads, "children": len(alive) - 1})

    def counted(self, records: Iterable[Any]) -> Iterator[Any]:
        """Hand records on, taking a note before the first, after every EVERY and after the last."""
        number = 0
        self.take(0)
        for number, record in enumerate(records, start=1):
            yield record
            if number % EVERY == 0:
                self.take(number)
        if number % EVERY:
            self.take(number)

    @contextlib.contextmanager
    def watching(self, count: Callable[[], int], pause_s: float) -> Iterator[None]:
        """Take notes from a thread while the block runs."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(pause_s):
                self.take(count())

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        self.take(count())


def files(folder: Path, options: argparse.Namespace) -> Rows:
    jobs = [Job(f"t-{seed:06d}", embedded_persona(seed), seed) for seed in range(SOURCES)]
    path = asyncio.run(synthesize(EmbeddedTeacher(), jobs, folder))
    rest = [line.partition(",")[2] for line in path.read_text(encoding="utf-8").splitlines()]
    many, made = folder / "many.jsonl", folder / "conversations.parquet"
    with open(many, "w", encoding="utf-8") as out:
        for number in range(options.rows):
            out.write(f'{{"id":"row-{number:06d}",{rest[number % len(rest)]}\n')
    found: Rows = []
    tokenizer = AutoTokenizer.from_pretrained(base_folder(SMOLLM2))
    for stage, records in {
        "verify": lambda: check_trajectories(many, processes=1),
        "dataset": lambda: map(to_conversation, read_jsonl(many, Trajectory)),
        "masks": lambda: encode_all(read_conversations(made), tokenizer),
    }.items():
        notes = Notes(stage)
        counted = notes.counted(records())
        if stage == "dataset":
            write_conversations(made, counted)
        else:
            deque(counted, maxlen=0)
        found += notes.rows
    return found


def requests(folder: Path, options: argparse.Namespace) -> Rows:
    command = [sys.executable, "-m", "agentrefine_lib.teachers.server", "--port", str(PORT)]
    server = subprocess.Popen([*command, "--fault", f"latency_s={LATENCY_S}"], stdout=subprocess.DEVNULL)
    url, notes = f"http://127.0.0.1:{PORT}/v1", Notes("requests")
    try:
        while not listening(url):
            if server.poll() is not None:
                sys.exit(f"the server on port {PORT} ended; is the port taken?")
            time.sleep(0.1)
        asyncio.run(ask(url, options.requests, notes))
    finally:
        server.terminate()
        server.wait()
    return notes.rows


def listening(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/models", timeout=1)
    except OSError:
        return False
    return True


async def ask(url: str, count: int, notes: Notes) -> None:
    settings = EndpointSettings(base_url=url, model="embedded", concurrency=AT_ONCE)
    async with Endpoint(settings) as endpoint:
        asked = (endpoint.complete([{"role": "user", "content": str(number)}]) for number in range(count))
        notes.take(0)
        with notes.watching(lambda: endpoint.statistics().requests, 0.25):
            answers = await asyncio.gather(*asked)
        print(f"{len(answers)} answers, retries {endpoint.statistics().retries}", file=sys.stderr)


def lines(path: Path) -> int:
    """Records of a file that may not be there yet."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def episodes(folder: Path, options: argparse.Namespace) -> Rows:
    found: Rows = []
    for count in options.episodes:
        for engine in options.engines:
            names = PANEL[engine]
            tasks = panel({engine: {name: range(-(-count // len(names))) for name in names}})
            tasks = sorted(tasks, key=lambda task: task.seed)[:count]  # by turns: one takes longer than another
            path, notes = folder / f"{engine}-{count}.jsonl", Notes(f"{engine}, {count:,} episodes")
            with notes.watching(partial(lines, path), 2.0):
                asyncio.run(roll_out(ExpertPolicy(), tasks, path, Limits(steps=30, in_flight=16)))
            found += notes.rows
    return found


def soak(folder: Path, options: argparse.Namespace) -> Rows:
    columns = [panel({engine: dict.fromkeys(names, range(300))}) for engine, names in SOAKED.items()]
    tasks = [task for row in zip(*columns, strict=True) for task in row]
    path, notes = folder / "soak.jsonl", Notes(f"all engines, {options.minutes} minutes")

    async def play() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(options.minutes * 60):
                await roll_out(ExpertPolicy(), tasks, path, Limits(steps=30, in_flight=6))

    with notes.watching(partial(lines, path), 5.0):
        asyncio.run(play())
    table = pd.DataFrame(notes.rows[1:-1])  # without the start, and the end when all engines are gone
    middle = table["wall_s"].median()
    for what in ("rss_mib", "fds", "threads", "children"):
        first, second = (half[what].mean() for _, half in table.groupby(table["wall_s"] > middle))
        print(
            f"{what}: {first:.0f} in the first half, {second:.0f} in the second, {table[what].max()} at most",
            file=sys.stderr,
        )
    return notes.rows


def draw(table: pd.DataFrame) -> None:
    """Time and memory against size, a line per stage; processes, threads and descriptors for the episodes."""
    figure, axes = plt.subplots(1, 3, figsize=(15, 4.2), layout="constrained")
    for stage, rows in table.groupby("stage", sort=False):
        share = rows["count"] / rows["count"].max()
        axes[0].plot(share, rows["cpu_s"] - rows["cpu_s"].iloc[0], label=f"{stage} ({rows['count'].max():,})")
        axes[1].plot(share, rows["rss_mib"], label=stage)
        axes[2].plot(share, rows["fds"], label=stage)
    titles = ("processor seconds", "memory, MiB, all processes", "open descriptors, all processes")
    for ax, title in zip(axes, titles, strict=True):
        ax.set(title=title, xlabel="share of the work done", ylim=(0, None))
    axes[0].legend(fontsize=8)
    figure.savefig(HERE / "load.png", dpi=110, metadata={"Software": None})


STAGES = {"files": files, "requests": requests, "episodes": episodes, "soak": soak}


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("stages", nargs="*", default=list(STAGES), metavar="STAGE")
    options.add_argument("--rows", type=int, default=64_000)
    options.add_argument("--requests", type=int, default=4_000)
    options.add_argument("--episodes", type=int, nargs="+", default=[1_000, 10_000])
    options.add_argument("--engines", nargs="+", default=list(PANEL), choices=PANEL)
    options.add_argument("--minutes", type=float, default=10.0)
    chosen, path = options.parse_args(), HERE / "load.csv"
    print(__doc__, f"Writes {path} and load.png beside it.", sep="", file=sys.stderr)
    for stage in chosen.stages:
        with tempfile.TemporaryDirectory() as folder:
            table = pd.DataFrame(STAGES[stage](Path(folder), chosen)).round({"wall_s": 1, "cpu_s": 1, "rss_mib": 0})
        if path.exists():
            known = pd.read_csv(path)
            table = pd.concat([known[~known["stage"].isin(table["stage"])], table])
        table.to_csv(path, index=False)
        draw(table)
    print(table.groupby("stage", sort=False).last().to_string())


if __name__ == "__main__":
    main()
