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


def episode(policy, task, progress):
    step = Step(reply="", thought="", action="", observation="", progress=progress)
    told = {"goal": "", "observation": "", "success": False, "engine_version": "1"}
    return Episode(id=task.id, policy=policy.name, task=task, steps=[step], progress=progress, **told)


def test_the_best_checkpoints_weights_take_the_place_of_the_last_ones(tiny, trajectories, tmp_path, monkeypatch):
    folder, data = tmp_path / "m-0", [to_conversation(t) for t in trajectories[:4]]
    tune(tiny, data, folder, Recipe(epochs=2, batch_size=2, checkpoints=2, lora_rank=2, max_tokens=2000))
    found = sorted(folder.glob("checkpoint-*"))
    assert [path.name for path in found] == ["checkpoint-2", "checkpoint-4"]
    assert [any(path.glob("optimizer*")) for path in found] == [False, True]  # only the newest continues a run
    first = load_file(found[0] / "adapter_model.safetensors")

    async def played(policy, tasks, path, limits):
        progress = {"checkpoint-2": 0.5}.get(policy.name, 0.25)
        write_jsonl(path, [episode(policy, task, progress) for task in tasks])
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


class Named:
    """In place of a model."""

    def __init__(self, place, name, **how):
        self.name = name


def test_episodes_of_an_earlier_panel_choose_nothing_and_a_server_is_stopped_whatever_happens(tmp_path, monkeypatch):
    folder, before, stopped = tmp_path / "m-0", Task.from_id("embedded/routes/0"), []
    for name in ("checkpoint-2", "checkpoint-4"):
        (folder / name).mkdir(parents=True)
        (folder / name / "adapter_model.safetensors").write_text(name)

    async def played(policy, tasks, path, limits):
        early = policy.name == "checkpoint-2"
        others = [episode(policy, before, 1.0)] if early else []
        write_jsonl(path, [*others, *(episode(policy, task, 0.25 if early else 0.5) for task in tasks)])
        return path

    async def fails(*_):
        raise OSError("no room")

    monkeypatch.setattr(checkpoints, "LocalPolicy", Named)
    monkeypatch.setattr(checkpoints, "stop_vllm", lambda: stopped.append(True))
    monkeypatch.setattr(checkpoints, "roll_out", fails)
    how = Selection(panel={"embedded": {"places": [0]}})
    for work in (keep_best(folder, how, ROOT), replay("", folder, before, tmp_path / "replay", Limits())):
        with pytest.raises(OSError, match="no room"):
            asyncio.run(work)
    assert len(stopped) == 2
    monkeypatch.setattr(checkpoints, "roll_out", played)
    assert asyncio.run(keep_best(folder, how, ROOT))["progress"].tolist() == [0.25, 0.5]
    assert (folder / "adapter_model.safetensors").read_text() == "checkpoint-4"
