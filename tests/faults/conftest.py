"""The operations that faults are tried on: what to run, and what has to come out of it in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from agentrefine_lib.dataset import read_conversations, to_conversation, write_conversations
from agentrefine_lib.environments import panel
from agentrefine_lib.policies import RandomPolicy
from agentrefine_lib.rollout import Limits, roll_out
from agentrefine_lib.schema import Conversation, Episode, Trajectory, read_jsonl
from agentrefine_lib.synthesis import Job, synthesize
from agentrefine_lib.teachers import EmbeddedTeacher
from agentrefine_lib.tuning import Recipe, tune
from agentrefine_lib.tuning.train import RefinementTrainer

TASKS = panel({"babyai": {"GoToRedBallGrey": range(3), "Pickup": range(3)}})
RECIPE = Recipe(
    train_steps=12,
    batch_size=4,
    learning_rate=3e-3,
    max_tokens=1500,
    save_every=4,
    seed=0,
    lora_rank=0,
    precision="float32",
)


@dataclass(frozen=True)
class Operation:
    """``run`` works on a folder and may be run again; ``result`` reads what it left, in a form that can be compared."""

    run: Callable[[Path], Any]
    result: Callable[[Path], Any]
    file: str  # what it appends to, or the one file that it writes


@pytest.fixture(scope="session")
def conversations(trajectories: list[Trajectory]) -> list[Conversation]:
    return [to_conversation(t) for t in trajectories]


@pytest.fixture(scope="session")
def operations(jobs: Callable[[int], list[Job]], conversations: list[Conversation], tiny: Path) -> dict[str, Operation]:
    """By the names of tests/FAULTS.md."""

    def synthesis(folder: Path) -> None:
        asyncio.run(synthesize(EmbeddedTeacher(slip_rate=0.3), jobs(40), folder))

    def rollouts(folder: Path) -> None:
        asyncio.run(roll_out(RandomPolicy(), TASKS, folder / "episodes.jsonl", Limits(steps=8, in_flight=2)))

    return {
        "synthesis": Operation(
            synthesis,
            lambda folder: [(folder / name).read_bytes() for name in ("trajectories.jsonl", "rejections.jsonl")],
            "trajectories.jsonl",
        ),
        "rollouts": Operation(
            rollouts,
            lambda folder: sorted(read_jsonl(folder / "episodes.jsonl", Episode), key=lambda e: e.id),
            "episodes.jsonl",
        ),
        "dataset": Operation(
            lambda folder: write_conversations(folder / "c.parquet", conversations * 10),
            lambda folder: list(read_conversations(folder / "c.parquet")),
            "c.parquet",
        ),
        "training": Operation(
            lambda folder: tune(tiny, conversations, folder, RECIPE),
            lambda folder: (pd.read_csv(folder / "loss.csv").to_csv(), (folder / "model.safetensors").read_bytes()),
            "job.json",
        ),
    }


@pytest.fixture(scope="session")
def undisturbed(operations: dict[str, Operation], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """The result of an operation that nothing befell."""
    known: dict[str, Any] = {}

    def result(name: str) -> Any:
        if name not in known:
            folder = tmp_path_factory.mktemp(name)
            operations[name].run(folder)
            known[name] = operations[name].result(folder)
        return known[name]

    return result


@pytest.fixture
def at_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], None]:
    """Have something happen in the middle of a training, once."""

    def arrange(number: int, do: Callable[[], None]) -> None:
        step, happened = RefinementTrainer.training_step, []

        def watched(self: RefinementTrainer, *given: Any, **more: Any) -> Any:
            if self.state.global_step == number and not happened:
                happened.append(number)
                do()
            return step(self, *given, **more)

        monkeypatch.setattr(RefinementTrainer, "training_step", watched)

    return arrange
