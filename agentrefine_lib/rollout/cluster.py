"""Rollouts over a Ray cluster: the same episodes, more machines. Needs the extra ``ray``."""

import asyncio
import tempfile
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

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
    """Like ``roll_out``, with batches of tasks spread over a cluster (see ``map_on_ray``).

    ``make_policy`` is called once per batch, where the batch runs; the policy has to fit on every machine. Only this
    process writes. Raises UnplayedError at the end, as ``roll_out`` does; RuntimeError where a batch failed for another
    reason, once the batches under way have come home: what any of them has played is on disk.
    """
    from agentrefine_lib.synthesis.cluster import map_on_ray  # here: that room needs openai, to play does not

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
