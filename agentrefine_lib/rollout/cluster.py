"""Rollouts over a Ray cluster: the same episodes, more machines. Needs the extra ``ray``."""

import asyncio
import tempfile
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tqdm.auto import tqdm

from agentrefine_lib.environments import make_environment
from agentrefine_lib.environments.process import MakeEnvironment
from agentrefine_lib.policies import Policy
from agentrefine_lib.rollout.loop import DEFAULT_LIMITS, Limits, UnplayedError, once, refuse_unplayed, roll_out
from agentrefine_lib.schema import Episode, Journal, Task, read_jsonl

B = TypeVar("B")
R = TypeVar("R")


def roll_out_on_ray(
    make_policy: Callable[[], Policy],
    tasks: Sequence[Task],
    path: Path,
    limits: Limits = DEFAULT_LIMITS,
    make: MakeEnvironment = make_environment,
    *,
    batch: int = 16,
    in_flight: int = 64,
) -> Path:
    """Like ``roll_out``, with batches of tasks spread over a cluster (see ``map_on_ray``).

    ``make_policy`` is called once per batch, where the batch runs; the policy has to fit on every machine. Only this
    process writes. Raises UnplayedError at the end, as ``roll_out`` does; RuntimeError where a batch failed for another
    reason, once the batches under way have come home: what any of them has played is on disk.
    """
    policy = make_policy()
    name, wanted, unplayed = policy.name, once(policy, tasks), dict[str, str]()
    del policy  # a model, perhaps, which is played elsewhere
    with Journal(path, Episode, key=lambda e: e.id) as journal:
        waiting = [task for key, task in wanted.items() if key not in journal.done]
        batches = [waiting[i : i + batch] for i in range(0, len(waiting), batch)]
        work = partial(play_batch, make_policy, limits, make)
        with tqdm(total=len(wanted), initial=len(wanted) - len(waiting), desc=name, unit="episode", leave=False) as bar:
            for _, (lines, reasons) in map_on_ray(work, batches, in_flight, str(path)):
                for line in lines:
                    journal.append(Episode.model_validate_json(line))
                    bar.update()
                unplayed |= reasons
    refuse_unplayed(unplayed, len(wanted), path)
    return path


def map_on_ray(
    work: Callable[[B], tuple[R, str]], batches: Iterable[B], in_flight: int, keep: str
) -> Iterator[tuple[B, R]]:
    """Each batch with what ``work`` makes of it on the cluster that ``ray.init`` has joined, as they come home.

    ``work`` returns its result and what stopped it, in words, or nothing. At most ``in_flight`` batches are submitted
    at a time, and none after a failure. A node that dies costs its batches, which Ray runs again elsewhere. Raises
    RuntimeError at the end where a batch failed; ``keep`` names where its caller keeps the results.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError('Ray is not installed; run: pip install -c constraints.txt -e ".[ray]"') from error

    remote = ray.remote(max_retries=3, scheduling_strategy="SPREAD")(lambda batch: work(batch))  # of functions only
    waiting, running, failure = deque(batches), dict[Any, B](), ""
    while running or (waiting and not failure):
        while waiting and not failure and len(running) < in_flight:
            batch = waiting.popleft()
            running[remote.remote(batch)] = batch
        ready = ray.wait(list(running))[0][0]
        batch = running.pop(ready)
        try:
            result, failed = ray.get(ready)
        except ray.exceptions.RayError as error:  # its worker died, again and again
            failure = failure or str(error)
            continue
        yield batch, result
        failure = failure or failed
    if failure:
        raise RuntimeError(f"{keep}: a batch failed; what was made is kept; run again to continue. {failure}")


def play_batch(
    make_policy: Callable[[], Policy], limits: Limits, make: MakeEnvironment, tasks: Sequence[Task]
) -> tuple[tuple[list[str], dict[str, str]], str]:
    """What one worker does: the episodes that it played, in the order of its tasks, as JSON that every Python on the
    cluster can read; why it could not play the others; and what stopped it, in words, or nothing."""
    reasons, stopped, order = dict[str, str](), "", list[str]()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "episodes.jsonl"
        try:
            policy = make_policy()
            order = list(once(policy, tasks))
            asyncio.run(roll_out(policy, tasks, path, limits, make))
        except UnplayedError as error:
            reasons = error.reasons
        except Exception:
            stopped = traceback.format_exc()
        played = {episode.id: episode.to_json() for episode in read_jsonl(path, Episode)} if path.exists() else {}
    return ([played[key] for key in order if key in played], reasons), stopped
