"""The measures of chapters 5 to 8, each against a hand-worked number."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from agentrefine_lib import metrics
from agentrefine_lib.schema import Episode, Step, Task, write_jsonl


def played(policy: str, actions: str, errors: str, task: str = "babyai/PickupLoc/1", **more) -> Episode:
    """One letter per step: its action, and its error ("." is none, l logic, f format)."""
    kinds = {".": None, "l": "logic", "f": "format"}
    steps = [
        Step(reply="", thought="", action=a, observation="", progress=0.0, error=kinds[e])
        for a, e in zip(actions, errors, strict=True)
    ]
    told = {"goal": "g", "observation": "o", "success": False, "progress": 0.0, "engine_version": "e"}
    return Episode(id=f"{policy}/{task}", policy=policy, task=Task.from_id(task), steps=steps, **told | more)


def test_best_of_is_the_mean_over_all_subsets():
    values = [0.0, 0.5, 0.5, 1.0, 0.25]
    for k in range(1, 6):
        assert metrics.best_of(values, k) == pytest.approx(np.mean([max(s) for s in combinations(values, k)]))
    assert metrics.best_of([1, 0, 0, 0], 2) == pytest.approx(1 - 3 / 6)  # pass@k: 1 - C(3, 2) / C(4, 2)
    with pytest.raises(ValueError, match="best of 6: expected from 1 to 5"):
        metrics.best_of(values, 6)


def test_robustness_by_hand():
    """Two tasks; one perturbation keeps all, the other loses one task."""
    progress = {"none": [1.0, 1.0], "synonyms": [1.0, 1.0], "nonsense": [1.0, 0.0]}
    episodes = pd.DataFrame(
        [
            {"policy": "m-0", "method": "m", "seed": 0, "engine": "babyai", "task": f"babyai/{t}", "perturbation": name}
            | {"progress": value}
            for name, values in progress.items()
            for t, value in enumerate(values)
        ]
    )
    rows = metrics.robustness(episodes, "progress").set_index("perturbation")
    means = {"none": 1.0, "synonyms": 1.0, "nonsense": 0.5}
    summed = {"average": 2.5 / 3, "std": np.std([1.0, 1.0, 0.5]), "perturbed": 0.75}
    assert rows["value"].to_dict() == pytest.approx(means | summed)
    assert rows.loc["perturbed", ["low", "high"]].tolist() == [0.5, 1.0]  # both draw the second task, or none does
    assert rows["n"].tolist() == [2, 2, 2, 6, 6, 4]
    named = metrics.robustness(episodes.replace({"perturbation": {"nonsense": "P1"}}), "progress")
    named = named.set_index("perturbation")
    assert named.loc["perturbed", ["value", "n"]].tolist() == [0.5, 2]  # P1 alone, as it is P1
    kept = metrics.kept(episodes, "progress").set_index("task")["kept"]
    assert metrics.kept(episodes[:0], "progress").empty
    assert kept.to_dict() == {"babyai/0": 0.0, "babyai/1": -0.5}
    lost = metrics.reliance(episodes).set_index(["metric", "engine"])["value"]
    by_hand = {"synonyms": 0.0, "nonsense": 0.5, "reliance": 0.25}
    assert lost.to_dict() == {(name, where): v for name, v in by_hand.items() for where in ("all", "babyai")}


def test_p5_is_the_model_without_held_in_data_and_table_3_has_six_columns():
    """Two seeds of a held-in model stand beside the one untuned model that is left of it; synonyms are no column."""
    rows = [("agentrefine", 0, "none", 0.8), ("agentrefine", 0, "P1", 0.6), ("agentrefine", 0, "synonyms", 0.0)]
    rows += [("expert_only", seed, name, v) for seed in (0, 1) for name, v in (("none", 1.0), ("P1", 0.4))]
    rows += [("untuned", 0, "none", 0.1), ("agent_flan", 0, "none", 0.9), ("agent_flan_ood", 0, "none", 0.2)]
    table = pd.DataFrame(rows, columns=["method", "seed", "perturbation", "progress"])
    table = table.assign(policy=table["method"], engine="alfworld", task="alfworld/a/0")
    held_in = {"expert_only": ["alfworld"], "agent_flan": ["alfworld"], "agentgym": ["alfworld"]}
    unperturbed = table[table["perturbation"] == "none"]
    again = metrics.retrained(unperturbed, held_in, ["agentrefine", "expert_only", "agent_flan", "agentgym"])
    assert again.groupby("method")["progress"].agg(list).to_dict() == {
        "agentrefine": [0.8],
        "expert_only": [0.1, 0.1],
        "agent_flan": [0.2],
    }
    assert metrics.without_held_in("agentgym", held_in, {"agentgym", "untuned"}) is None  # not tuned: not untuned
    spread = metrics.robustness(pd.concat([table, again]), "progress").set_index(["method", "perturbation"])["value"]
    assert spread["agentrefine", "average"] == pytest.approx((0.8 + 0.6 + 0.8) / 3)
    assert spread["expert_only", "std"] == pytest.approx(np.std([1.0, 0.4, 0.1]))
    assert spread["agentrefine", "perturbed"] == 0.6


def test_a_method_without_progress_is_not_called_steady():
    rows = [
        ("expert_only", "none", 1.0),
        ("expert_only", "P1", 0.4),
        ("agentrefine", "none", 0.5),
        ("agentrefine", "P1", 0.5),
    ]
    table = pd.DataFrame(rows, columns=["method", "perturbation", "progress"])
    table = table.assign(policy=table["method"], seed=0, engine="alfworld", task="alfworld/a/0")
    asked = ("tab3", table, "expert_only", "agentrefine", "progress")
    assert metrics.spread_claim(*asked)["difference"] == pytest.approx(0.3)
    table["progress"] *= table["method"] != "agentrefine"
    assert np.isnan(metrics.spread_claim(*asked)["difference"])


def test_table_11_compares_agentrefine_of_the_ablations_size_with_half_of_it():
    sizes = {"agentrefine": 32000, "agentrefine_8000": 8000, "agentrefine_4000": 3990, "no_refinement": 7990}
    variants = [name.split("_")[0] if name[-1] == "0" else name for name in sizes]
    models = pd.DataFrame({"method": sizes.keys(), "variant": variants, "conversations": sizes.values()})
    assert metrics.table_11(models)[:2] == ["agentrefine_8000", "agentrefine_4000"]
    assert metrics.table_11(models[:1])[:2] == ["agentrefine", "agentrefine_half"]
    twice = pd.concat([models, models])  # two seeds of each
    assert metrics.table_11(twice)[:2] == ["agentrefine_8000", "agentrefine_4000"]


def test_twins_are_compared_with_the_agentrefine_of_their_size():
    read = {"agentrefine": 32000, "agentrefine_8000": 8000, "no_refinement_loss": 7990, "expert_only": 540}
    variants = ["agentrefine", "agentrefine", "no_refinement_loss", "expert_only"]
    models = pd.DataFrame({"method": read.keys(), "variant": variants, "conversations": read.values()})
    assert metrics.same_size(models, ["no_refinement_loss", "all_turns"]) == "agentrefine_8000"
    assert metrics.same_size(models, ["all_turns"]) == "agentrefine"  # no such twin
    assert metrics.same_size(models[3:], ["expert_only"]) == "agentrefine"  # which is not there either


def test_the_old_wording_of_a_renamed_command():
    old, new = "go to {object}", "wugo {object}"
    from agentrefine_lib.environments.perturbations import perturbations

    new = perturbations("babyai")["nonsense"].signatures[old]
    spoken = new.replace("{object}", "red ball 1")
    episode = played("p", "abc", "ff.", commands={new: "walk"})
    steps = [
        s.model_copy(update={"action": a})
        for s, a in zip(episode.steps, ["go to red ball 1", "dance", spoken], strict=True)
    ]
    assert metrics.old_wording(episode.model_copy(update={"steps": steps}), "nonsense") == [True, False, False]


def test_loops_and_their_survival(tmp_path):
    write_jsonl(
        tmp_path / "e.jsonl",
        [
            played("p", "xx", "ll", "babyai/a/1"),  # stuck at step 2
            played("p", "xyzz", "l.ll", "babyai/b/1"),  # stuck at step 4
            played("p", "xyz", "...", "babyai/c/1"),  # ends at step 3, free
            played("p", "xxxx", "....", "babyai/d/1"),  # what works may be repeated
        ],
    )
    loops = metrics.loops([tmp_path / "e.jsonl"])
    assert loops[["step", "stuck"]].to_numpy().tolist() == [[2, True], [4, True], [3, False], [4, False]]
    curve = metrics.survival(loops.assign(method="p")).set_index("step")["free"]
    assert curve[2] == pytest.approx(3 / 4)
    assert curve[4] == pytest.approx(3 / 4 * 1 / 2)  # the one that ended at step 3 no longer counts


def test_two_seeds_alike_survive_as_one(tmp_path):
    """The second model plays the same tasks: it narrows no interval, and it counts in the share."""
    rows = [{"policy": "p-0", "method": "p", "step": step, "stuck": step < 4} for step in (1, 2, 3, 4, 4)]
    one = pd.DataFrame(rows)
    pd.testing.assert_frame_equal(metrics.survival(pd.concat([one, one.assign(policy="p-1")])), metrics.survival(one))
    free = metrics.survival(pd.concat([one, one.assign(policy="p-1", step=5, stuck=False)]))["free"]
    assert free.min() == pytest.approx(7 / 10)


def test_kinds_of_errors_are_shares_of_steps(tmp_path):
    write_jsonl(tmp_path / "e.jsonl", [played("p", "abcd", "..lf")])
    steps = metrics.steps_table([tmp_path / "e.jsonl"]).assign(method="p")
    shares = metrics.taxonomy(steps).set_index("error")["share"]
    assert shares.to_dict() == {"accepted": 0.5, "format": 0.25, "logic": 0.25}


def test_best_of_n_is_told_for_every_seed():
    rows = [
        {"policy": f"m-{seed}", "method": "m", "seed": seed, "engine": "a", "task": task, "progress": value}
        for seed in (1, 2)
        for task in ("a/1", "a/2")
        for value in (0.0, 0.5 * seed)
    ]
    sampled = metrics.best_of_table(pd.DataFrame(rows), "progress", [1, 2])
    greedy = sampled[sampled["best_of"] == 1].assign(best_of=0)
    gains = metrics.best_of_gains(pd.concat([sampled, greedy]), 2)
    assert gains["gain"].tolist() == [0.25, 0.25, 0.5, 0.5]
    assert metrics.best_of_gains(sampled, 2).empty  # chapter 4 may have played other tasks
    best = metrics.best_of_scores(sampled).set_index("best_of").loc[2]
    assert (best["value"], best["n"], best["low"], best["high"]) == (0.75, 4, 0.5, 1.0)


def test_slope_by_hand():
    grids = {n: pd.DataFrame({"a/1": [n / 4], "a/2": [n / 4], "b/1": [0.0]}) for n in (1, 2, 4)}
    found = metrics.slope(grids)  # over engines: 1/8, 1/4, 1/2 at log2 n = 0, 1, 2
    assert found.difference == pytest.approx((0.5 - 0.125) / 2)
    assert (found.low, found.high) == pytest.approx((found.difference, found.difference))
    assert (found.p, found.differ) == (0.5, 2)  # both tasks that differ grow
    assert metrics.slope(grids, sizes={"a": 3, "b": 1}).difference == pytest.approx(0.75 * 0.375)
    assert np.isnan(metrics.slope({1: grids[1]}).difference)


def test_rank_correlation_and_its_limits():
    x = np.arange(8.0)
    up = metrics.rank_correlation(x, x**3)
    assert (up.difference, up.n) == (1.0, 8)
    assert up.p < 0.001 and up.low > 0.9
    rng = np.random.default_rng(1)
    noise, other = rng.normal(size=12), rng.integers(0, 4, size=12)
    assert metrics.rank_correlation(noise, other).difference == pytest.approx(spearmanr(noise, other).statistic)
    assert np.isnan(metrics.rank_correlation(x, np.ones(8)).difference)
    assert np.isnan(metrics.rank_correlation(x[:3], x[:3]).difference)


def test_halves_split_every_engine():
    tasks = pd.DataFrame({"engine": ["a"] * 4 + ["b"] * 2, "task": ["a/3", "a/1", "a/2", "a/1", "b/1", "b/2"]})
    assert metrics.halves(tasks).tolist() == [0, 0, 1, 0, 0, 1]


def test_over_engines_weighs_engines_not_tasks():
    table = pd.DataFrame({"task": ["a/1", "a/2", "b/1"], "method": "m", "seed": 0, "progress": [1.0, 1.0, 0.0]})
    assert metrics.over_engines(table, "progress")["value"].tolist() == [0.5]
    paper = {"a": 3, "b": 1, "c": 20}  # c was not played: the others keep their proportion
    weighed = metrics.over_engines(table, "progress", sizes=paper)
    assert weighed["value"].tolist() == [0.75]
    assert weighed[["low", "high"]].to_numpy().tolist() == [[0.75, 0.75]]  # tasks are drawn within their engine
    other = table.assign(method="n", progress=0.5)
    found = metrics.claim("x", pd.concat([table, other]), "m", "n", sizes=paper)
    assert found["difference"] == pytest.approx(0.25)


def test_the_spread_of_samples_by_hand():
    """Two samples of two tasks: scores 1/2 and 1."""
    won = {(0, "a/1"): 1.0, (0, "a/2"): 0.0, (1, "a/1"): 1.0, (1, "a/2"): 1.0}
    rows = [{"sample": i, "task": task, "success": won[i, task], "progress": 0.5} for i, task in won]
    found = metrics.over_samples(pd.DataFrame(rows).assign(method="m", engine="a")).set_index("metric")["value"]
    assert found.to_dict() == {"success_mean2": 0.75, "success_std2": 0.25, "progress_mean2": 0.5, "progress_std2": 0.0}


def test_a_share_is_resampled_by_groups():
    parts, wholes = np.array([1.0, 0.0]), np.array([1.0, 3.0])
    assert metrics.share_interval(parts, wholes, seed=0) == (0.0, 1.0)  # one group alone, or the other
    assert metrics.share_interval(wholes, wholes, seed=0) == (1.0, 1.0)


def test_growth_per_doubling_by_hand():
    """Progress 0.2 at 100 conversations and 0.6 at 400 is 0.2 a doubling; engines without a weight do not count."""
    rows = [("few", "a/1", 0.1), ("few", "a/2", 0.3), ("many", "a/1", 0.5), ("many", "a/2", 0.7), ("many", "z/1", 0.0)]
    table = pd.DataFrame(rows, columns=["method", "task", "progress"]).assign(seed=0)
    table["engine"] = table["task"].str[0]
    found = metrics.growth(table, {"many": 400, "few": 100}, {"a": 112})
    assert found["difference"] == pytest.approx(0.2) and found["n"] == 2


def test_self_refinement_leaves_out_what_a_model_was_trained_on():
    """Recovery of every first task, progress of every second one, engines weighing the same; worlds never count."""
    tasks = ["a/1", "a/2", "b/1", "b/2", "embedded/1", "embedded/2"]
    values = pd.DataFrame({"task": tasks, "recovery": [1.0, 0, 0, 0, 1, 1], "progress": [0, 0.2, 0, 0.6, 1, 1]})
    values["engine"] = values["task"].str.partition("/")[0]
    table = pd.concat([values.assign(policy=f"{m}-0", method=m, seed=0) for m in ("ours", "taught", "untuned")])
    found = metrics.self_refinement(table, {"taught": ["b"]}).set_index("method")
    assert found.loc["ours", ["recovery", "progress"]].tolist() == pytest.approx([0.5, 0.4])
    assert found.loc["taught", ["recovery", "progress"]].tolist() == pytest.approx([1.0, 0.2])
    assert "untuned" not in found.index


def test_accepted_replies_by_hand():
    steps = [("a/1", "accepted"), ("a/2", "logic"), ("b/1", "accepted")]
    table = pd.DataFrame(steps, columns=["task", "error"]).assign(method="m", seed=0)
    table["engine"] = table["task"].str[0]
    found = metrics.accepted({"first reply": table}).iloc[0]
    assert (found["reply"], found["value"], found["n"]) == ("first reply", 0.75, 3)  # engines weigh the same


def test_a_spread_is_of_each_seed():
    """Two seeds that vary in opposite ways both vary: their mean does not."""
    rows = [
        (seed, word, value)
        for seed, pair in enumerate([(0, 1), (1, 0)])
        for word, value in zip("xy", pair, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["seed", "perturbation", "progress"]).assign(method="m", engine="a", task="a/1")
    found = metrics.robustness(table.replace({"perturbation": {"x": metrics.UNPERTURBED}}), "progress")
    assert found.set_index("perturbation").loc["std", "value"] == 0.5
