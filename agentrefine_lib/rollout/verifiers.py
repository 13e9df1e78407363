"""Every engine as an environment of Prime Intellect's ``verifiers``, to evaluate models on or to train them.

The model reads what it reads in this suite's own rollouts: rules, commands, goal, an example where a folder of plays is
given, and then observations. The reward is the progress in [0, 1]; ``success`` and ``refused`` (steps that the engine
did not accept) are metrics; ``trace.info["episode"]`` is the suite's record. It belongs into an environment of its own:
``verifiers`` 0.4.0 wants an older openai than constraints.txt has (docs/environments.md).
"""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import verifiers.v1 as vf
from verifiers.v1.dialects.chat import message_to_wire

from agentrefine_lib.agent import Prompting, read_examples
from agentrefine_lib.environments import make_environment, panel
from agentrefine_lib.environments.process import EngineProcess
from agentrefine_lib.policies import LiveEpisode
from agentrefine_lib.rollout.loop import advance, episode_id
from agentrefine_lib.schema import Task, format_observation


class PanelConfig(vf.TasksetConfig):
    """``panel``: engine → task name → seeds, as in params/; an engine without task names is played on its own panel."""

    panel: dict[str, dict[str, list[int]]] = {"babyai": {}}  # noqa: RUF012  (pydantic copies it)


class EngineTask(vf.Task[vf.TaskData, vf.State, vf.TaskConfig]):
    """One task of an engine; ``data.name`` is its id. The engine writes the first message."""


class Panel(vf.Taskset[EngineTask, PanelConfig]):
    """The tasks of a panel, in the order written."""

    def load(self) -> Iterator[EngineTask]:
        yield from (EngineTask(vf.TaskData(name=t.id), self.config.task) for t in panel(self.config.panel))


class Chat(vf.Harness[vf.HarnessConfig]):
    """One request to the model per turn, from this process; verifiers' own ``null`` starts a program for each."""

    SUPPORTS_RESUME, EXECUTES_CODE, NEEDS_CONTAINER = True, False, False

    async def launch(self, ctx, trace, runtime, endpoint, secret, mcp_urls, data):  # type: ignore[no-untyped-def]
        asked = {"model": ctx.model, "messages": [message_to_wire(message) for message in data.prompt]}
        async with httpx2.AsyncClient(timeout=None, headers={"Authorization": f"Bearer {secret}"}) as http:
            answer = await http.post(f"{endpoint}/chat/completions", json=asked)
        return vf.ProgramResult(int(answer.is_error), "", answer.text)


class EngineConfig(vf.EnvConfig):
    """``player.max_turns`` is the limit of steps, ``examples`` a folder of plays to show one of."""

    player: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig(), max_turns=30)
    examples: Path | None = None


class EngineEnv(vf.Env[EngineConfig]):
    """An engine, in a process of its own, answers the player until the task is over."""

    async def run(self, task: EngineTask, agents: vf.Agents) -> None:
        prompting = Prompting(examples=read_examples(self.config.examples) if self.config.examples else ())
        ours = Task.from_id(task.data.name)
        with EngineProcess(make_environment) as engine:
            live = LiveEpisode(ours, engine, await engine.start(ours))
            async with agents.player.interaction(task) as chat:
                said = await chat.turn(prompting.chat(ours, live.opening, ())[0]["content"])
                while not said.terminated and not await advance(live, said.last_reply):
                    said = await chat.turn(format_observation(live.steps[-1].observation))
                model, trace = chat.trace.agent.config.model, chat.trace
                episode = live.record(episode_id(model, ours), model)
                trace.info["episode"] = episode.model_dump(mode="json")
                trace.record_reward("progress", episode.progress)
                trace.record_metrics({"success": live.success, "refused": sum(bool(s.error) for s in live.steps)})
