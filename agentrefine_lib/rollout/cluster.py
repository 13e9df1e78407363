"""Rollouts over a Ray cluster: the same episodes, more machines. Needs the extra ``ray``."""

import asyncio
import tempfile
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from agentrefine_lib.environments import make_environment
from agentrefine_lib.environments.process import MakeEnvironment
from agentrefine_lib.policies import Policy
from agentrefine_lib.rollout.loop import DEFAULT_LIMITS, Limits, UnplayedError, once, refuse_unplayed, roll_out
from agentrefine_lib.schema import Episode, Journal, Task, read_jsonl


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
    """Like ``roll_out``, with batches of tasks spread over the cluster that ``ray.init`` has joined.

    ``make_policy`` is called once per batch, where the batch runs; the policy has to fit on every machine. Only this
    process writes. At most ``in_flight`` batches are submitted at a time, and none after a failure. A node that dies
    costs its batches, which Ray runs again elsewhere. Raises UnplayedError at the end, as ``roll_out`` does;
    RuntimeError where a batch failed for another reason, once the batches under way have come home: what any of them
    has played is on disk.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError('Ray is not installed; run: pip install -c constraints.txt -e ".[ray]"') from error

    policy = make_policy()
    name, wanted, unplayed, failure = policy.name, once(policy, tasks), dict[str, str](), ""
    del policy  # a model, perhaps, which is played elsewhere
    play = ray.remote(max_retries=3, scheduling_strategy="SPREAD")(play_batch)
    with Journal(path, Episode, key=lambda e: e.id) as journal:
        missing = [task for key, task in wanted.items() if key not in journal.done]
        waiting, running = deque(missing[i : i + batch] for i in range(0, len(missing), batch)), list[Any]()
        with tqdm(total=len(wanted), initial=len(wanted) - len(missing), desc=name, unit="episode", leave=False) as bar:
            while running or (waiting and not failure):
                while waiting and not failure and len(running) < in_flight:
                    running.append(play.remote(make_policy, limits, make, waiting.popleft()))
                ready = ray.wait(running)[0][0]
                running.remove(ready)
                try:
                    lines, reasons, stopped = ray.get(ready)
                except ray.exceptions.RayError as error:  # its worker died, again and again
                    lines, reasons, stopped = [], {}, str(error)
                for line in lines:
                    journal.append(Episode.model_validate_json(line))
                    bar.update()
                unplayed |= reasons
                failure = failure or stopped
    if failure:
        raise RuntimeError(f"{path}: a batch failed; what was made is kept; run again to continue. {failure}")
    refuse_unplayed(unplayed, len(wanted), path)
    return path


def play_batch(
    make_policy: Callable[[], Policy], limits: Limits, make: MakeEnvironment, tasks: Sequence[Task]
) -> tuple[list[str], dict[str, str], str]:
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
    return [played[key] for key in order if key in played], reasons, stopped
