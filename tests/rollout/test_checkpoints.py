"""Checkpoints play the same tasks; the one that plays best on those for development is kept."""

import asyncio
from pathlib import Path

import pytest
from safetensors.torch import load_file

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.rollout import Limits, Selection, checkpoints, keep_best, replay
from agentrefine_lib.schema import Episode, Step, Task, write_jsonl
from agentrefine_lib.tuning import Recipe, tune

ROOT = Path(__file__).parents[2]


def test_the_best_checkpoints_weights_take_the_place_of_the_last_ones(tiny, trajectories, tmp_path, monkeypatch):
    folder, data = tmp_path / "m-0", [to_conversation(t) for t in trajectories[:4]]
    tune(tiny, data, folder, Recipe(epochs=2, batch_size=2, checkpoints=2, lora_rank=2, max_tokens=2000))
    found = sorted(folder.glob("checkpoint-*"))
    assert [path.name for path in found] == ["checkpoint-2", "checkpoint-4"]
    assert [any(path.glob("optimizer*")) for path in found] == [False, True]  # only the newest continues a run
    first = load_file(found[0] / "adapter_model.safetensors")

    async def played(policy, tasks, path, limits):
        progress = {"checkpoint-2": 0.5}.get(policy.name, 0.25)
        step = Step(reply="", thought="", action="", observation="", progress=progress)
        told = {"goal": "", "observation": "", "success": False, "engine_version": "1"}
        episodes = [
            Episode(id=t.id, policy=policy.name, task=t, steps=[step], progress=progress, **told) for t in tasks
        ]
        write_jsonl(path, episodes)
        return path

    monkeypatch.setattr(checkpoints, "roll_out", played)
    task = Task.from_id("embedded/places/0")
    again = asyncio.run(replay(tiny, folder, task, tmp_path / "replay", Limits(), context=512))
    assert [e.policy for e in again] == ["untuned", "step-2", "step-4"]
    how = Selection(panel={"embedded": {"places": [0, 1]}})
    table = asyncio.run(keep_best(folder, how, ROOT))
    assert table["kept"].tolist() == [True, False] and table["progress"].tolist() == [0.5, 0.25]
    kept = load_file(folder / "adapter_model.safetensors")
    assert all((kept[name] == first[name]).all() for name in first)
    assert not list(folder.glob("checkpoint-*")) and asyncio.run(keep_best(folder, how, ROOT)).equals(table)
    with pytest.raises(ValueError, match="panel"):
        Selection()
