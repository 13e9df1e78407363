"""Good records, for hypothesis to spoil."""

from __future__ import annotations

import json

import pytest
from attacks import GOOD, make_episode

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.schema import Trajectory
from agentrefine_lib.schema.models import Record


@pytest.fixture(scope="session", autouse=True)
def _good(trajectories: list[Trajectory]) -> None:
    trajectory = min(trajectories, key=lambda t: len(t.to_json()))
    records: list[Record] = [trajectory, to_conversation(trajectory), make_episode("You see a door.", "go forward")]
    GOOD.update({type(record).__name__: json.loads(record.to_json()) for record in records})
