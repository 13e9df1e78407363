"""Several policies on the same tasks, one file of episodes each: local models side by side, or served ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import set_start_method
from pathlib import Path

from joblib import Parallel, delayed

from agentrefine_lib.agent import Prompting
from agentrefine_lib.endpoint import Endpoint, EndpointSettings
from agentrefine_lib.environments import make_environment
from agentrefine_lib.environments.process import MakeEnvironment
from agentrefine_lib.policies import EndpointPolicy, Policy
from agentrefine_lib.rollout.loop import DEFAULT_LIMITS, Limits, roll_out
from agentrefine_lib.schema import Task


async def roll_out_all(
    policies: Mapping[str, Callable[[], Policy]],
    tasks: Sequence[Task],
    folder: Path,
    limits: Limits = DEFAULT_LIMITS,
    make: MakeEnvironment = make_environment,
    processes: int = 1,
) -> list[Path]:
    """``roll_out`` of each policy into ``folder/<name>.jsonl``; returns these paths, in order.

    A policy is made where it plays, from a callable that can be pickled. With two or more ``processes`` the notebook
    waits: nothing else runs in it, and stopping the cell stops them.
    """
    paths = [folder / f"{name}.jsonl" for name in policies]
    if processes == 1:
        return [
            await roll_out(policy(), tasks, path, limits, make)
            for policy, path in zip(policies.values(), paths, strict=True)
        ]
    jobs = (
        delayed(_play)(policy, tasks, path, limits, make) for policy, path in zip(policies.values(), paths, strict=True)
    )
    return list(Parallel(n_jobs=processes, batch_size=1)(jobs))


def _play(
    policy: Callable[[], Policy], tasks: Sequence[Task], path: Path, limits: Limits, make: MakeEnvironment
) -> Path:
    set_start_method(
        "spawn", force=True
    )  # joblib's own, "loky", is unknown to the engines' processes, which are told it
    return asyncio.run(roll_out(policy(), tasks, path, limits, make))


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
) -> list[Path]:
    """``roll_out`` of models behind one URL: policy → the model's name there, in place of the ``settings``' own.

    Answers go to ``recording`` and are not paid for twice. Raises what ``EndpointPolicy`` raises.
    """
    paths = []
    for name, model in served.items():
        async with Endpoint(settings.model_copy(update={"model": model}), recording) as endpoint:
            policy = EndpointPolicy(endpoint, name, seed=seed, prompting=prompting)
            paths.append(await roll_out(policy, tasks, folder / f"{name}.jsonl", limits, make))
    return paths
