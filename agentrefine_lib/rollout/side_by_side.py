"""Several policies on the same tasks, one file of episodes each: local models, or served ones."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path

from agentrefine_lib.agent import Prompting
from agentrefine_lib.endpoint import EndpointSettings
from agentrefine_lib.environments import make_environment
from agentrefine_lib.environments.process import MakeEnvironment
from agentrefine_lib.policies import EndpointPolicy, Policy
from agentrefine_lib.rollout.engines import EnginePool
from agentrefine_lib.rollout.loop import DEFAULT_LIMITS, Limits, UnplayedError, roll_out
from agentrefine_lib.schema import Task, child_path


async def roll_out_all(
    policies: Mapping[str, Callable[[], Policy | AbstractAsyncContextManager[Policy]]],
    tasks: Sequence[Task],
    folder: Path,
    limits: Limits = DEFAULT_LIMITS,
    make: MakeEnvironment = make_environment,
) -> list[Path]:
    """``roll_out`` of each policy, one after the other, into ``folder/<name>.jsonl``; returns these paths, in order.

    A policy is made, or opened, when its turn comes; all share their engines. Raises ValueError for a name that is none
    of a file; UnplayedError when all have played, where tasks are left that could not be.
    """
    paths, left = {name: child_path(folder, f"{name}.jsonl") for name in policies}, []
    with EnginePool(make, limits.time) as engines:
        for name, make_policy in policies.items():
            made = make_policy()
            async with made if isinstance(made, AbstractAsyncContextManager) else nullcontext(made) as policy:
                try:
                    await roll_out(policy, tasks, paths[name], limits, make, engines)
                except UnplayedError as error:  # no reason for the others to stop
                    left.append(f"{name}: {error}")
    if left:
        raise UnplayedError("\n".join(left))
    return list(paths.values())


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
    """``roll_out_all`` of models behind one URL: policy → the model's name there, in place of the ``settings``' own.

    ``wrap`` makes another policy of each, such as ``AfterMistake``. Answers go to ``recording`` and are not paid for
    twice. Raises what ``EndpointPolicy`` raises, too.
    """

    @asynccontextmanager
    async def opened(name: str, model: str) -> AsyncIterator[Policy]:
        from agentrefine_lib.endpoint import Endpoint  # here: it needs openai, local models do not

        async with Endpoint(settings.model_copy(update={"model": model}), recording) as endpoint:
            own = partial(EndpointPolicy, endpoint, name, seed=seed, prompting=prompting)
            yield wrap(own) if wrap else own()

    policies = {name: partial(opened, name, model) for name, model in served.items()}
    return await roll_out_all(policies, tasks, folder, limits, make)
