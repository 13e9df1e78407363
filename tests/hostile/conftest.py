"""Good records, for hypothesis to spoil."""

from __future__ import annotations

import pytest
from attacks import choose_good

from agentrefine_lib.schema import Trajectory


@pytest.fixture(scope="session", autouse=True)
def _good(trajectories: list[Trajectory]) -> None:
    choose_good(trajectories)
