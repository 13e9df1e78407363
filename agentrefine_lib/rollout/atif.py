"""Episodes and trajectories in ATIF, the trajectory format of Harbor: version 1.8, as PyPI's ``atif`` 1.8.0 has it.

What becomes what: the first message is a ``user`` step; a reply is an ``agent`` step with the action as its tool call
``act`` and what the engine answered as its observation. Whether the action was accepted, and the progress, stand in the
step's ``extra``; success and progress in the end in those of ``final_metrics``.

Left out: timestamps, costs, prompt tokens and log probabilities, which are not kept; ``reasoning_content``, since a
thought is part of the reply; ``tool_definitions``, since commands are text and stand in the first message; a script's
world and verification codes; the DM's thoughts. ``llm_call_count`` is said only where a model's ending is known.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agentrefine_lib import __version__
from agentrefine_lib.dataset import instruction, to_conversation
from agentrefine_lib.schema import Episode, Step, Trajectory, atomic_write_text, exchanges, format_reply

VERSION = "ATIF-v1.8"


def for_atif(records: Iterable[Episode | Trajectory], folder: Path) -> list[Path]:
    """One JSON document per record, numbered in the order given; ``trajectory_id`` is the record's id.

    Raises ValueError for a trajectory without an answered action.
    """
    paths = []
    for number, record in enumerate(records):
        document = _of_episode(record) if isinstance(record, Episode) else _of_trajectory(record)
        paths.append(folder / f"{number:06d}.json")
        atomic_write_text(paths[-1], json.dumps(document, ensure_ascii=False))
    return paths


def _of_episode(episode: Episode) -> dict[str, Any]:
    told = instruction(episode.commands, episode.goal, episode.observation, episode.rules)
    extra = {"engine_version": episode.engine_version, "dropped": episode.dropped, "retries": episode.retries}
    metrics = {"extra": {"success": episode.success, "progress": episode.known_progress}}
    known = episode.known_progress is not None
    steps = [_played(number, step, known) for number, step in enumerate(episode.steps, start=2)]
    extra |= {"task": episode.task.id, "goal": episode.goal}
    return _document(episode.id, episode.policy, told, steps, extra) | {"final_metrics": metrics}


def _played(number: int, step: Step, known: bool) -> dict[str, Any]:
    extra = {"progress": step.progress if known else None, "error": step.error, "well_formed": step.well_formed}
    written = _step(number, step.reply, step.action, step.observation, extra)
    if end := step.ending:
        tokens = {} if end.tokens is None else {"completion_tokens": end.tokens}
        written |= {"llm_call_count": 1, "metrics": tokens | {"extra": {"reason": end.reason, "cut": end.cut}}}
    return written


def _of_trajectory(trajectory: Trajectory) -> dict[str, Any]:
    conversation = to_conversation(trajectory).conversations  # raises where an action has no answer
    steps = []
    for number, (asked, answer) in enumerate(exchanges(trajectory.turns), start=2):
        said = format_reply(asked.thought, asked.action)
        steps.append(_step(number, said, asked.action, answer.observation, {"errors": answer.flags}))
    extra = {"persona": trajectory.persona, "domain": trajectory.domain, "seed": trajectory.seed}
    extra |= {"goal": trajectory.script.goal, "completion_conditions": trajectory.script.completion_conditions}
    return _document(trajectory.id, trajectory.teacher, conversation[0].value, steps, extra)


def _document(name: str, player: str, told: str, steps: list[dict[str, Any]], extra: dict[str, Any]) -> dict[str, Any]:
    agent = {"name": "agentrefine_lib", "version": __version__, "model_name": player}
    opening = {"step_id": 1, "source": "user", "message": told}
    return {
        "schema_version": VERSION,
        "trajectory_id": name,
        "agent": agent,
        "steps": [opening, *steps],
        "extra": extra,
    }


def _step(number: int, said: str, action: str, observation: str, extra: dict[str, Any]) -> dict[str, Any]:
    call = f"call-{number}"
    return {
        "step_id": number,
        "source": "agent",
        "message": said,
        "tool_calls": [{"tool_call_id": call, "function_name": "act", "arguments": {"command": action}}],
        "observation": {"results": [{"source_call_id": call, "content": observation}]},
        "extra": extra,
    }
