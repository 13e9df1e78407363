"""Several policies on the same tasks, one file of episodes each."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

from agentrefine_lib.environments import make_environment
from agentrefine_lib.environments.process import MakeEnvironment
from agentrefine_lib.policies import Policy
from agentrefine_lib.rollout.engines import EnginePool
from agentrefine_lib.rollout.loop import DEFAULT_LIMITS, Limits, UnplayedError, all_played, roll_out
from agentrefine_lib.schema import Task, child_path


async def roll_out_all(
    policies: Mapping[str, Callable[[], Policy | AbstractAsyncContextManager[Policy]]],
    tasks: Sequence[Task],
    folder: Path,
    limits: Limits = DEFAULT_LIMITS,
    make: MakeEnvironment = make_environment,
) -> list[Path]:
    """``roll_out`` of each policy, one after the other, into ``folder/<name>.jsonl``; returns these paths, in order.

    A policy is made, or opened (``policies.Models``), when its turn comes, and only where its file lacks an episode;
    all share their engines. Raises ValueError for a name that is none of a file; UnplayedError when all have played,
    where tasks are left that could not be.
    """
    paths, left = {name: child_path(folder, f"{name}.jsonl") for name in policies}, []
    with EnginePool(make, limits.time) as engines:
        for name, policy in policies.items():
            if all_played(paths[name], tasks):
                continue
            made = policy()
            async with made if isinstance(made, AbstractAsyncContextManager) else nullcontext(made) as player:
                try:
                    await roll_out(player, tasks, paths[name], limits, make, engines)
                except UnplayedError as error:
                    left.append(f"{name}: {error}")
    if left:  # what one policy could not play is no reason for the others to stop
        raise UnplayedError("\n".join(left))
    return list(paths.values())
