"""Several policies on the same tasks, one file of episodes each: local models side by side, or served ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from multiprocessing import set_start_method
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

from agentrefine_lib.agent import Prompting
from agentrefine_lib.endpoint import Endpoint, EndpointSettings
from agentrefine_lib.environments import make_environment
from agentrefine_lib.environments.process import MakeEnvironment
from agentrefine_lib.policies import EndpointPolicy, Policy
from agentrefine_lib.rollout.engines import EnginePool
from agentrefine_lib.rollout.loop import DEFAULT_LIMITS, Limits, UnplayedError, roll_out
from agentrefine_lib.schema import Task, inside


async def roll_out_all(
    policies: Mapping[str, Callable[[], Policy]],
    tasks: Sequence[Task],
    folder: Path,
    limits: Limits = DEFAULT_LIMITS,
    make: MakeEnvironment = make_environment,
    processes: int = 1,
) -> list[Path]:
    """``roll_out`` of each policy into ``folder/<name>.jsonl``; returns these paths, in order.

    Policies are dealt out to ``processes``. Each is made, where it plays, from a callable that can be pickled; those of
    one process share their engines. With two or more the notebook waits: nothing else runs in it, and stopping the cell
    stops them. Raises ValueError for a name that is none of a file; UnplayedError when all have played, where tasks are
    left that could not be.
    """
    paths, turns = [inside(folder, f"{name}.jsonl") for name in policies], list(policies.items())
    shares = [turns[number::processes] for number in range(processes) if turns[number::processes]]
    if processes == 1:
        left = [await _play(turns, tasks, folder, limits, make)]
    else:
        left = Parallel(n_jobs=processes)(delayed(_play_apart)(share, tasks, folder, limits, make) for share in shares)
    _refuse([told for share in left for told in share])
    return paths


async def _play(
    turns: Sequence[tuple[str, Callable[[], Policy]]],
    tasks: Sequence[Task],
    folder: Path,
    limits: Limits,
    make: MakeEnvironment,
) -> list[str]:
    """What each policy left unplayed, in words."""
    left = []
    with EnginePool(make, limits.time) as engines:
        for name, policy in turns:
            try:
                await roll_out(policy(), tasks, folder / f"{name}.jsonl", limits, make, engines)
            except UnplayedError as error:
                left.append(f"{name}: {error}")
    return left


def _play_apart(*given: Any) -> list[str]:
    set_start_method("spawn", force=True)  # joblib's own, "loky", is unknown to the engines' processes
    return asyncio.run(_play(*given))


def _refuse(left: Sequence[str]) -> None:
    """What one policy could not play is no reason for the others to stop: it is told when all have played."""
    if left:
        raise UnplayedError("\n".join(left))


async def roll_out_served(
    served: Mapping[str, str],
    settings: EndpointSettings,
    tasks: Sequence[Task],
    folder: Path,
    recording: Path,
    limits: Limits = DEFAULT_LIMITS,
    make: MakeEnvironment = make_environment,
    *,
    seed: int = 0,
    prompting: Prompting = Prompting(),  # noqa: B008
    wrap: Callable[[Callable[[], Policy]], Policy] | None = None,
) -> list[Path]:
    """``roll_out`` of models behind one URL: policy → the model's name there, in place of the ``settings``' own.

    ``wrap`` makes another policy of each, such as ``AfterMistake``. Answers go to ``recording`` and are not paid for
    twice. Raises what ``EndpointPolicy`` raises; UnplayedError when all have played, where tasks are left that could
    not be.
    """
    paths, left = [], []
    for name, model in served.items():
        async with Endpoint(settings.model_copy(update={"model": model}), recording) as endpoint:
            own = partial(EndpointPolicy, endpoint, name, seed=seed, prompting=prompting)
            policy = wrap(own) if wrap else own()
            paths.append(inside(folder, f"{name}.jsonl"))
            try:
                await roll_out(policy, tasks, paths[-1], limits, make)
            except UnplayedError as error:
                left.append(f"{name}: {error}")
    _refuse(left)
    return paths
