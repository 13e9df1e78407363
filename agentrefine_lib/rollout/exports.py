"""Episodes for other people's tools: Inspect's eval logs, which ``inspect view`` opens, and a ``datasets.Dataset``."""

# mypy: disable-error-code="import-untyped"

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentrefine_lib.dataset import instruction
from agentrefine_lib.schema import Episode, atomic_write_text, format_observation

if TYPE_CHECKING:
    import datasets

LOG_VERSION = 2  # of Inspect's log schema; read with inspect_ai 0.3.285
SCORES = ("success", "progress")


def for_inspect(episodes: Iterable[Episode], folder: Path) -> list[Path]:
    """One Inspect log (JSON) per policy and engine; returns their paths. ``inspect view --log-dir FOLDER`` opens them.

    A policy stands as the model, an engine as the task, and each episode is a sample scored by ``success`` and
    ``progress``. The logs are written without inspect_ai: its AWS client wants older versions of libraries than this
    suite pins, so it belongs into an environment of its own.
    """

    def key(episode: Episode) -> tuple[str, str]:
        return episode.policy, episode.task.engine

    now = datetime.now(UTC)
    paths: list[Path] = []
    for (policy, engine), group in groupby(sorted(episodes, key=key), key=key):
        task, name = (re.sub(r"[^\w.-]|_", "-", said) for said in (engine, f"{policy}-{len(paths):03d}"))
        path = folder / f"{now:%Y-%m-%dT%H-%M-%S}_{task}_{name}.json"  # Inspect lists names of this form only
        atomic_write_text(path, json.dumps(_log(policy, engine, list(group), now)))
        paths.append(path)
    return paths


def to_datasets(episodes: Iterable[Episode]) -> "datasets.Dataset":
    """A row per episode with its task, first message and steps; to publish it: ``.push_to_hub("name/of-the-set")``."""
    from datasets import Dataset, Features, List, Value

    text, number = Value("string"), Value("float64")
    step = dict.fromkeys(("reply", "thought", "action", "observation", "error"), text) | {"progress": number}
    columns = dict.fromkeys(("id", "policy", "engine", "task", "prompt", "goal", "engine_version"), text)
    counts = {name: Value("int64") for name in ("seed", "dropped", "retries")}
    step |= {"well_formed": Value("bool"), "ending": {"reason": text, "tokens": Value("int64"), "cut": Value("bool")}}
    features = columns | counts | {"success": Value("bool"), "progress": number, "steps": List(step)}
    return Dataset.from_list([_row(episode) for episode in episodes], features=Features(features))


def _row(episode: Episode) -> dict[str, Any]:
    task = {"engine": episode.task.engine, "task": episode.task.name, "seed": episode.task.seed}
    own = episode.model_dump(exclude={"task", "commands", "rules", "observation"})
    if episode.known_progress is None:
        own["steps"] = [step | {"progress": None} for step in own["steps"]]
    return own | task | {"prompt": _prompt(episode), "progress": episode.known_progress}


def _prompt(episode: Episode) -> str:
    return instruction(episode.commands, episode.goal, episode.observation, episode.rules)


def _log(policy: str, engine: str, episodes: Sequence[Episode], now: datetime) -> dict[str, Any]:
    """The fields that Inspect's reader asks for, and the results that its list shows."""
    created, count = now.isoformat(timespec="seconds"), len(episodes)
    scores = [_scores(episode) for episode in episodes]
    known = {name: [score[name] for score in scores if name in score] for name in SCORES}
    shown = [
        {"name": name, "scorer": name, "metrics": {"mean": {"name": "mean", "value": sum(values) / len(values)}}}
        for name, values in known.items()
        if values
    ]
    ids = [episode.task.id for episode in episodes]
    return {
        "version": LOG_VERSION,
        "status": "success",
        "eval": {
            "created": created,
            "task": engine,
            "task_id": f"{engine}-{policy}",
            "run_id": f"{engine}-{policy}",
            "dataset": {"name": engine, "samples": count, "sample_ids": ids},
            "model": f"agentrefine/{policy}",  # Inspect wants a provider in front
            "config": {},
            "metadata": {"engine_version": episodes[0].engine_version},
        },
        "plan": {"steps": []},  # the viewer streams a log and wants it here
        "results": {"total_samples": count, "completed_samples": count, "scores": shown},
        "stats": {"started_at": created, "completed_at": created, "model_usage": {}},
        "samples": [_sample(episode) for episode in episodes],
    }


def _scores(episode: Episode) -> dict[str, float]:
    scores = {"success": float(episode.success)}
    return scores if episode.known_progress is None else scores | {"progress": episode.known_progress}


def _sample(episode: Episode) -> dict[str, Any]:
    messages = [{"role": "user", "content": _prompt(episode)}]
    for step in episode.steps:
        messages.append({"role": "assistant", "content": step.reply})
        messages.append({"role": "user", "content": format_observation(step.observation)})
    refused = [f"step {n}: {step.error} error" for n, step in enumerate(episode.steps, start=1) if step.error]
    odd = [n for n, step in enumerate(episode.steps, start=1) if not step.well_formed]
    return {
        "id": episode.task.id,
        "epoch": 1,
        "input": episode.goal,
        "target": "",
        "messages": messages,
        "scores": {name: {"value": value} for name, value in _scores(episode).items()},
        "metadata": {"refused": refused, "odd_form": odd, "dropped": episode.dropped, "retries": episode.retries},
    }
