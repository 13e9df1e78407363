"""Rollouts over a Ray cluster: the same episodes, more machines. Needs the extra ``ray``."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from agentrefine_lib.environments import make_environment
from agentrefine_lib.environments.process import MakeEnvironment
from agentrefine_lib.policies import Policy
from agentrefine_lib.rollout.loop import DEFAULT_LIMITS, Limits, episode_id, roll_out
from agentrefine_lib.schema import Episode, Journal, Task, read_jsonl


def roll_out_on_ray(
    make_policy: Callable[[], Policy],
    tasks: Sequence[Task],
    path: Path,
    limits: Limits = DEFAULT_LIMITS,
    make: MakeEnvironment = make_environment,
    *,
    batch: int = 16,
    under_way: int = 64,
) -> Path:
    """Like ``roll_out``, with batches of tasks spread over the cluster that ``ray.init`` has joined.

    ``make_policy`` is called once per batch, where the batch runs; the policy has to fit on every machine. At most
    ``under_way`` batches are submitted at a time. Only this process writes; a node that dies costs its batches, which
    Ray plays again elsewhere.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError('Ray is not installed; run: pip install -c constraints.txt -e ".[ray]"') from error

    remote = ray.remote(max_retries=3, scheduling_strategy="SPREAD")(play_batch)
    name = make_policy().name
    with Journal(path, Episode, key=lambda e: e.id) as journal:
        waiting = [task for task in tasks if episode_id(name, task) not in journal.done]
        batches = [waiting[i : i + batch] for i in range(0, len(waiting), batch)]
        running: set[Any] = set()
        with tqdm(total=len(tasks), initial=len(tasks) - len(waiting), desc=name, unit="episode") as bar:
            while batches or running:
                while batches and len(running) < under_way:
                    running.add(remote.remote(make_policy, batches.pop(0), limits, make))
                ready = ray.wait(list(running))[0][0]
                running.remove(ready)
                for line in ray.get(ready):
                    journal.append(Episode.model_validate_json(line))
                    bar.update()
    return path


def play_batch(
    make_policy: Callable[[], Policy], tasks: Sequence[Task], limits: Limits, make: MakeEnvironment
) -> list[str]:
    """What one worker does: its tasks' episodes, in their order, as JSON that every Python on the cluster can read."""
    policy = make_policy()
    with tempfile.TemporaryDirectory() as folder:
        path = asyncio.run(roll_out(policy, tasks, Path(folder) / "episodes.jsonl", limits, make))
        episodes = {episode.id: episode.to_json() for episode in read_jsonl(path, Episode)}
    return [episodes[episode_id(policy.name, task)] for task in tasks]
