"""Profile one-gpu with SmolLM2 on a small file in the authors' format: read, counted, estimated, tuned."""

import json
from pathlib import Path

from agentrefine_lib.dataset import Released, read_published
from agentrefine_lib.runner import load_profile
from agentrefine_lib.runner.sections import nested
from agentrefine_lib.tuning import Recipe, base_folder, estimate, load_tokenizer, prepare, sets_table
from agentrefine_lib.tuning.variants import models_table, plan, tune_all

ROOT = Path(__file__).parents[1]
ROW = [
    {"from": "human", "value": "Goal: a hot cup.\n\nObservation: You see a cup.", "loss": None},
    {"from": "gpt", "value": "Thought: Grab it.\nAction: grab cup", "loss": False},
    {"from": "human", "value": "Observation: Error: no such command.", "loss": None},
    {"from": "gpt", "value": "Thought: Then take it.\nAction: take cup", "loss": True},
]


def test_one_gpu_tunes_a_model_on_released_data(tmp_path):
    (tmp_path / "released.json").write_text(json.dumps([{"id": f"r-{i}", "conversations": ROW} for i in range(2)]))
    own = f"released.sets={{agentrefine: {{path: {tmp_path / 'released.json'}}}}}"
    models = "models={agentrefine: {conversations: 2, seeds: [0]}}"
    small = ["base_model=smollm2", "recipe.epochs=1", "recipe.batch_size=2", "recipe.accumulation=2", own, models]
    profile = load_profile("one-gpu", ROOT, small)
    values = nested({name: value for n in profile.notebooks for name, value in n.given.items()})
    sets = Released(**values["released"]).sets
    data = {name: list(read_published(source, ROOT)) for name, source in sets.items()}
    base, how = base_folder(values["base_model"]), Recipe(**values["recipe"])
    assert (how.lora_rank, how.gradient_checkpointing, values["accelerate_config"]) == (16, True, None)
    counted = sets_table(data, base).iloc[0]
    assert (counted["plays"], counted["steps"], counted["trained_steps"]) == (2, 4, 2)
    examples, left_out = prepare(data["agentrefine"], load_tokenizer(base), how.max_tokens)
    needs = estimate(base, examples, how, None, values["device_tflops"]).set_index("what")["value"]
    assert not left_out and needs["passes over the data"] == 1
    assert 0.2 < needs["memory of a device: all"] < 2 and needs["time"] > 0
    planned = plan(values["models"])
    logs = tune_all(base, data, tmp_path / "models", planned, how, values["accelerate_config"], 1)
    assert models_table(planned, logs, "smollm2")["conversations"].tolist() == [0, 2]
    assert logs["agentrefine-0"]["step"].iloc[-1] == 1
