"""Models described by data: the same recipe, other data, side by side."""

import pandas as pd
import pytest
from safetensors.torch import load_file
from transformers import AutoTokenizer

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.tuning import IGNORED, Recipe, encode, sets_table, tune, variants
from agentrefine_lib.tuning.variants import models_table, plan, tune_all

RECIPE = Recipe(
    train_steps=2,
    batch_size=2,
    learning_rate=3e-3,
    max_tokens=1500,
    save_every=2,
    seed=5,
    lora_rank=0,
    precision="float32",
)
MODELS = {
    "agentrefine": {"seeds": [0, 1]},
    "few": {"variant": "agentrefine", "conversations": 3, "seeds": [0], "train_steps": 1},
}


def test_a_model_for_each_seed():
    assert [(m.policy, m.method, m.variant, m.conversations) for m in plan(MODELS)] == [
        ("agentrefine-0", "agentrefine", "agentrefine", None),
        ("agentrefine-1", "agentrefine", "agentrefine", None),
        ("few-0", "few", "agentrefine", 3),
    ]
    with pytest.raises(ValueError, match="models: few: field seed: found"):
        plan({"few": {"seed": 0, "seeds": [0]}})


def test_only_seeds_of_released_models_have_played():
    entry = {"seeds": [0, 1], "released": "params/adapters", "played": [1]}
    assert [model.played for model in plan({"agentrefine": entry})] == [False, True]
    for wrong in ({"played": [2]}, {"released": None}):
        with pytest.raises(
            ValueError, match=r"models: agentrefine: .*`played` lists seeds of a model that is `released`"
        ):
            plan({"agentrefine": entry | wrong})


def test_what_is_not_there_is_named(tiny, trajectories, tmp_path):
    data = {"agentrefine": [to_conversation(t) for t in trajectories[:2]]}
    with pytest.raises(ValueError, match="few: found 2 conversations in agentrefine, expected at least 3"):
        tune_all(tiny, data, tmp_path, plan(MODELS), RECIPE)
    with pytest.raises(ValueError, match="no training set 'other'; there are: agentrefine"):
        tune_all(tiny, data, tmp_path, plan({"other": {"seeds": [0]}}), RECIPE)


def test_released_adapters_are_found_from_any_folder(tmp_path, monkeypatch):
    asked = []
    for name in ("take", "warn_of_other_data"):
        monkeypatch.setattr(variants, name, lambda released, *_: asked.append(released))
    planned = plan({"agentrefine": {"seeds": [0], "released": "params/adapters"}})
    tune_all("base", {"agentrefine": []}, tmp_path, planned, RECIPE, root=tmp_path)
    assert asked == [tmp_path / "params/adapters/agentrefine-0"] * 2


@pytest.mark.slow
def test_side_by_side_is_the_same_as_alone(tiny, trajectories, tmp_path):
    data = {"agentrefine": [to_conversation(t) for t in trajectories]}
    logs = tune_all(tiny, data, tmp_path / "both", plan(MODELS), RECIPE, processes=2)
    alone = tune(tiny, data["agentrefine"], tmp_path / "alone", RECIPE.model_copy(update={"seed": 6}))
    pd.testing.assert_frame_equal(logs["agentrefine-1"], alone)
    ours, theirs = (load_file(tmp_path / f / "model.safetensors") for f in ("both/agentrefine-1", "alone"))
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    assert [logs[name]["step"].iloc[-1] for name in ("agentrefine-0", "few-0")] == [2, 1]
    table = models_table(plan(MODELS), logs, "tiny").set_index("policy")
    assert table.loc["few-0", ["method", "conversations", "seed"]].tolist() == ["few", 2, 0]  # one step of two
    assert table.loc["agentrefine-1", "conversations"] == alone["read"].iloc[-1] == 4
    assert table.loc["untuned", ["method", "variant", "conversations"]].tolist() == ["untuned", "", 0]


def test_sets_are_counted_as_the_trainer_reads_them(tiny, three_turns):
    sets = {s: [to_conversation(three_turns, s)] for s in ("refinement", "all_turns", "no_refinement_loss")}
    table = sets_table(sets | {"twice": sets["refinement"] * 2}, tiny).set_index("set")
    assert table["plays"].tolist() == [1, 1, 1, 2]
    assert table["steps"].tolist() == [3, 3, 3, 6]
    assert table["trained_steps"].tolist() == [2, 3, 1, 4]
    assert table["tokens"].nunique() == 2 and table.loc["twice", "tokens"] == 2 * table.loc["refinement", "tokens"]
    learned = encode(sets["refinement"][0], AutoTokenizer.from_pretrained(tiny)).labels
    assert table.loc["refinement", "trained_tokens"] == sum(label != IGNORED for label in learned)
    order = ["no_refinement_loss", "refinement", "all_turns", "twice"]
    assert table["trained_tokens"].sort_values().index.tolist() == order
