"""Many episodes at once: all live episodes get their next reply in one call, finished ones go to disk at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from agentrefine_lib.agent import parse_reply
from agentrefine_lib.environments.protocol import Environment
from agentrefine_lib.policies import LiveEpisode, Policy
from agentrefine_lib.schema import Episode, Journal, Step, Task


def roll_out(
    policy: Policy,
    tasks: Sequence[Task],
    make_environment: Callable[[Task], Environment],
    path: Path,
    *,
    max_steps: int,
    in_flight: int = 64,
) -> Path:
    """Play every task with the policy and append the episodes to ``path`` (JSONL). Returns the path.

    A killed run continues where it was: episodes already on disk are not played again. ``in_flight`` bounds how many
    episodes (and engines) are alive at a time; ``max_steps`` is the limit per episode, 30 in the benchmark.
    """
    with Journal(path, Episode, key=lambda e: e.id) as journal:
        waiting = [task for task in tasks if episode_id(policy, task) not in journal.done]
        live: list[LiveEpisode] = []
        with tqdm(total=len(tasks), initial=len(tasks) - len(waiting), desc=policy.name, unit="episode") as bar:
            while waiting or live:
                while waiting and len(live) < in_flight:
                    live.append(_start(waiting.pop(0), make_environment))
                for episode, text in zip(live, policy.act(live), strict=True):
                    if _advance(episode, text) or len(episode.steps) >= max_steps:
                        journal.append(_finish(policy, episode))
                        bar.update()
                live = [episode for episode in live if episode_id(policy, episode.task) not in journal.done]
    return path


def episode_id(policy: Policy, task: Task) -> str:
    """What makes an episode the same work: who plays which task."""
    return f"{policy.name}/{task.id}"


def _start(task: Task, make_environment: Callable[[Task], Environment]) -> LiveEpisode:
    environment = make_environment(task)
    return LiveEpisode(task, environment, environment.reset(task))


def _advance(episode: LiveEpisode, text: str) -> bool:
    """Play one reply; True when the engine says that the episode is over."""
    thought, action, well_formed = parse_reply(text)
    result = episode.environment.step(action)
    error = result.error if well_formed or result.error else "reply"
    step = Step(
        reply=text,
        thought=thought,
        action=action,
        observation=result.observation,
        progress=result.progress,
        error=error,
    )
    episode.steps.append(step)
    episode.success = result.success
    return result.done


def _finish(policy: Policy, episode: LiveEpisode) -> Episode:
    environment = episode.environment
    environment.close()
    return Episode(
        id=episode_id(policy, episode.task),
        policy=policy.name,
        task=episode.task,
        goal=environment.goal,
        observation=episode.observation,
        steps=episode.steps,
        success=episode.success,
        progress=episode.steps[-1].progress,
        engine_version=environment.version,
    )
