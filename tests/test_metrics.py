"""Each number against a hand-worked one."""

import numpy as np
import pytest

from agentrefine_lib.metrics import episode_table, mean_interval, success_interval, summarise
from agentrefine_lib.schema import Episode, Step, Task, write_jsonl


def episode(name: str, progress: list[float], errors: list[str | None], success: bool) -> Episode:
    steps = [
        Step(reply="", thought="", action="a", observation="o", progress=p, error=e)
        for p, e in zip(progress, errors, strict=True)
    ]
    task = Task(engine="babyai", name=name, seed=0)
    return Episode(
        id=f"p/{task.id}",
        policy="p",
        task=task,
        goal="g",
        observation="o",
        steps=steps,
        success=success,
        progress=progress[-1],
        engine_version="e 1",
    )


def test_success_progress_and_grounding_by_hand(tmp_path):
    write_jsonl(
        tmp_path / "e.jsonl",
        [
            episode("a", [0.5, 1.0], [None, None], success=True),
            episode("b", [0.0, 0.25, 0.25, 0.5], ["logic", None, "reply", None], success=False),
        ],
    )
    table = episode_table([tmp_path / "e.jsonl"])
    assert table["format_errors"].tolist() == [0, 1]
    rows = summarise(table).set_index("metric")
    assert rows.loc["success", ["value", "k", "n"]].tolist() == [0.5, 1, 2]
    assert rows.loc["progress", "value"] == pytest.approx((1.0 + 0.5) / 2)
    assert rows.loc["grounding", "value"] == pytest.approx((1.0 + 0.5) / 2)


def test_intervals():
    assert success_interval(0, 20) == pytest.approx((0.0, 0.16113), abs=1e-4)  # Wilson: z²/(n + z²)
    assert success_interval(10, 20) == pytest.approx((0.29930, 0.70070), abs=1e-4)
    values = np.array([0.0, 1.0] * 50)
    low, high = mean_interval(values, seed=0)
    assert (low, high) == pytest.approx((0.4, 0.6), abs=0.02)  # 0.5 ± 1.96 · 0.05
    assert mean_interval(values, seed=0) == (low, high)
    assert mean_interval(np.ones(5), seed=0) == (1.0, 1.0)


def test_progress_must_be_that_of_the_last_step():
    with pytest.raises(ValueError, match="differs from that of the last step"):
        Episode.model_validate(episode("a", [0.5], [None], False).model_dump() | {"progress": 0.7})
