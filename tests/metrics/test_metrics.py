"""Each number against a hand-worked one."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from agentrefine_lib.metrics import claim, claim_row, claims, compare, episode_table, summarise
from agentrefine_lib.metrics.intervals import mean_interval, resampled_means, success_interval, task_weights
from agentrefine_lib.metrics.paired import difference, paired_permutation, sign_test
from agentrefine_lib.metrics.verdicts import Difference, judged, power, tasks_needed, verdict
from agentrefine_lib.rollout import for_inspect, to_datasets
from agentrefine_lib.schema import SCORE_UNKNOWN, Episode, Step, Task, write_jsonl
from agentrefine_lib.viewers.play import as_play


def episode(
    name: str,
    progress: list[float],
    errors: list[str | None],
    success: bool,
    actions: str | None = None,
    policy: str = "p",
) -> Episode:
    steps = [
        Step(reply="", thought="", action=a, observation="o", progress=p, error=e)
        for p, e, a in zip(progress, errors, actions or "a" * len(progress), strict=True)
    ]
    task = Task(engine="babyai", name=name, seed=0)
    return Episode(
        id=f"{policy}/{task.id}",
        policy=policy,
        task=task,
        goal="g",
        observation="o",
        steps=steps,
        success=success,
        progress=progress[-1],
        engine_version="e 1",
    )


def test_progress_that_an_engine_does_not_know_is_no_zero(tmp_path):
    told = {"engine_version": f"jericho 3.3.1, story 12345678, {SCORE_UNKNOWN}"}
    unknown = [episode(name, [0.0, 0.0], [None] * 2, success=False).model_copy(update=told) for name in "ab"]
    write_jsonl(tmp_path / "e.jsonl", [*unknown, episode("c", [0.0, 0.5], [None] * 2, success=False)])
    rows = summarise(episode_table([tmp_path / "e.jsonl"])).set_index("metric")
    assert (rows.loc["progress", "value"], rows.loc["progress", "n"], rows.loc["success", "n"]) == (0.5, 1, 3)
    write_jsonl(tmp_path / "e.jsonl", unknown)
    assert "progress" not in set(summarise(episode_table([tmp_path / "e.jsonl"]))["metric"])
    shown = as_play(unknown[0])
    assert shown.group == "babyai (progress unknown)" and {e.progress for e in shown.exchanges} == {None}
    [log] = for_inspect(unknown, tmp_path)
    assert [score["name"] for score in json.loads(log.read_text())["results"]["scores"]] == ["success"]
    rows = to_datasets(unknown)
    assert rows["progress"] == [None, None] and {step["progress"] for step in rows[0]["steps"]} == {None}


def test_success_progress_and_grounding_by_hand(tmp_path):
    write_jsonl(
        tmp_path / "e.jsonl",
        [
            episode("a", [0.5, 1.0], [None, None], success=True),
            episode("b", [0.0, 0.25, 0.25, 0.5], ["logic", None, "format", None], success=False),
        ],
    )
    table = episode_table([tmp_path / "e.jsonl"])
    assert table["format_errors"].tolist() == [0, 0.25]
    rows = summarise(table).set_index("metric")
    assert rows.loc["success", ["value", "k", "n"]].tolist() == [0.5, 1, 2]
    assert rows.loc["progress", "value"] == pytest.approx((1.0 + 0.5) / 2)
    assert rows.loc["grounding", "value"] == pytest.approx((1.0 + 0.5) / 2)


def test_stuck_loops_and_recoveries_by_hand(tmp_path):
    errors = ["logic", "logic", "logic", None, "format", "parameter", None, "logic"]
    actions = "xxyzuuvw"
    write_jsonl(
        tmp_path / "e.jsonl",
        [
            episode("a", [0, 0, 0, 0.5, 0.5, 0.5, 1.0, 0.5], errors, success=False, actions=actions),
            episode("b", [0.0, 1.0], [None, None], success=True, actions="xx"),  # repeating what worked is no loop
        ],
    )
    table = episode_table([tmp_path / "e.jsonl"]).set_index("task")
    stuck = table.loc["babyai/a/0"]
    assert stuck["repeats"] == 2 / 8  # the second x and the second u
    assert (
        stuck["recovery"] == 2 / 5
    )  # five refused steps have a next one; y and the second u are answered by a success
    assert (stuck["progress"], stuck["steps"]) == (0.5, 8)
    fine = table.loc["babyai/b/0"]
    assert fine["repeats"] == 0 and np.isnan(fine["recovery"])
    rows = summarise(table.reset_index()).set_index("metric")
    assert rows.loc["recovery", ["value", "n"]].tolist() == [2 / 5, 1]


def test_the_form_of_a_reply_says_nothing_of_its_action(tmp_path):
    played = episode("a", [0.0, 0.0, 0.5], ["logic", None, None], success=False, actions="xyy")
    steps = [played.steps[0], *(step.model_copy(update={"well_formed": False}) for step in played.steps[1:])]
    write_jsonl(tmp_path / "e.jsonl", [played.model_copy(update={"steps": steps})])
    (row,) = episode_table([tmp_path / "e.jsonl"]).to_dict("records")
    assert (row["grounding"], row["repeats"], row["recovery"], row["format_errors"]) == (2 / 3, 0, 1, 2 / 3)


def test_two_policies_on_the_same_tasks_by_hand(tmp_path):
    won = {"p": "abcdef", "q": "a", "elsewhere": "a"}  # p wins six of eight, q one of them
    write_jsonl(
        tmp_path / "e.jsonl",
        [
            episode(task, [float(task in won[policy])], [None], task in won[policy], policy=policy)
            for policy in ("p", "q")
            for task in "abcdefgh"
        ],
    )
    table = compare(episode_table([tmp_path / "e.jsonl"]), "p", "q").set_index(["engine", "metric"])
    assert table.loc[("all", "success"), ["difference", "n"]].tolist() == [5 / 8, 8]
    assert table.loc[("all", "success"), "p"] == pytest.approx(2 * 0.5**5)  # five tasks differ, all one way
    assert table.loc[("babyai", "progress"), "p"] == pytest.approx(2 * 0.5**5)  # of 2⁸ sign patterns, these two ends
    with pytest.raises(ValueError, match="no task in common; there are: p, q; name two of them"):
        compare(episode_table([tmp_path / "e.jsonl"]), "p", "nobody")


MODELS = pd.DataFrame({"policy": ["p-0", "p-1"], "method": "p", "seed": [0, 1]})


def test_two_seeds_are_one_method(tmp_path):
    won = {"p-0": "ab", "p-1": "a", "q": ""}
    write_jsonl(
        tmp_path / "e.jsonl",
        [
            episode(task, [float(task in won[policy])], [None], task in won[policy], policy=policy)
            for policy in won
            for task in "abcd"
        ],
    )
    table = episode_table([tmp_path / "e.jsonl"], MODELS)
    rows = summarise(table).set_index(["method", "metric"])
    assert rows.loc[("p", "success"), ["value", "k", "n", "seeds"]].tolist() == [3 / 8, 3, 8, 2]
    assert rows.loc[("p", "progress"), "value"] == 3 / 8
    assert rows.loc[("q", "success"), ["low", "high"]].tolist() == pytest.approx(success_interval(0, 4))
    found = compare(table, "p", "q").set_index(["engine", "metric"]).loc[("all", "success")]
    assert found[["difference", "n", "seeds"]].tolist() == [3 / 8, 4, 2]
    assert found["p"] == pytest.approx(2 * 0.5**2)  # two tasks differ, both one way
    assert np.isnan(found["needed"])  # more tasks leave the spread over seeds as it is


def test_a_second_chance_is_no_evidence(tmp_path):
    """Two seeds against one: a task that either of the two won is not one that the method wins."""
    won = {"p-0": "abcdef", "p-1": "ghijkl", "q": "mnopqr"}  # all three win six of 18
    plays = [(policy, task, float(task in won[policy])) for policy in won for task in "abcdefghijklmnopqr"]
    write_jsonl(tmp_path / "e.jsonl", [episode(t, [w], [None], w > 0, policy=p) for p, t, w in plays])
    table = compare(episode_table([tmp_path / "e.jsonl"], MODELS), "p", "q").set_index(["engine", "metric"])
    assert table.loc[("all", "success"), "difference"] == pytest.approx(0)
    assert table.loc[("all", "success"), "p"] > 0.9  # a sign test would count 12 gained and 6 lost


def test_a_seed_that_lacks_a_value_does_not_drop_the_task():
    cells = np.array([[1.0, np.nan], [1.0, 0.0]])
    rng = np.random.default_rng(0)
    draws = resampled_means(cells, np.full((9, 2), 0.5), rng)
    assert draws.tolist() == [0.5] * 9


def test_tasks_and_seeds_are_drawn_anew_each_on_its_own():
    """Two seeds that play two tasks: the means of resamples, by hand."""
    cells = np.array([[0.0, 0.0], [1.0, 1.0]])  # seeds differ, tasks do not
    rng = np.random.default_rng(0)
    draws = resampled_means(cells, task_weights(2, rng), rng)
    share = [float((draws == value).mean()) for value in (0, 0.5, 1)]
    assert share == pytest.approx([1 / 2, 0, 1 / 2], abs=0.02)  # of two seeds one is drawn
    mixed = resampled_means(np.array([[0.0, 1.0], [1.0, 1.0]]), task_weights(2, rng), rng)
    # 0: the first seed and the first task, one draw of four
    assert [float((mixed == value).mean()) for value in (0, 1)] == pytest.approx([1 / 4, 3 / 4], abs=0.02)
    assert mean_interval(cells, seed=0) == (0.0, 1.0)


def test_every_engine_weighs_the_same_and_a_missing_cell_is_left_out():
    ours = pd.DataFrame({"a/1": [1.0], "a/2": [1.0], "a/3": [1.0], "b/1": [0.5], "b/2": [np.nan]})
    theirs = pd.DataFrame({"a/1": [0.0], "a/2": [0.0], "a/3": [0.0], "b/1": [0.5], "b/2": [0.0]})
    found = difference(ours, theirs, "progress")
    assert (found.difference, found.n) == (0.5, 4)  # engine a: 1, engine b: 0
    assert found.p == pytest.approx(2 * 0.5**3)
    assert (found.low, found.high) == pytest.approx((0.5, 0.5))
    assert np.isnan(difference(ours, theirs[["b/2"]], "progress").difference)


def test_a_win_counts_as_much_as_its_task_weighs():
    """The one task of engine a gained, all ten of b lost: over engines nothing; a sign test would see a loss."""
    ours = pd.DataFrame({"a/1": [1.0]} | {f"b/{n}": [0.0] for n in range(10)})
    found = difference(ours, 1 - ours, "success")
    assert (found.difference, found.differ, found.p) == pytest.approx((0.0, 11, 1.0))
    alone = ours.drop(columns="a/1")
    assert difference(alone, 1 - alone, "success").p == pytest.approx(sign_test(-np.ones(10))) == 2 * 0.5**10


def test_a_claim_is_decided_by_interval_and_test_together(tmp_path):
    above, below = Difference(0.2, 0.1, 0.3, 0.01, 20, 1), Difference(-0.2, -0.3, -0.1, float("nan"), 20, 1)
    assert [verdict(above), verdict(below)] == ["yes", "no"]
    undecided = [above._replace(p=0.2), above._replace(low=-0.1), above._replace(low=float("nan"))]
    undecided += [below._replace(n=few) for few in (0, 1, 2, 5)] + [below._replace(high=-1e-18)]
    assert {verdict(found) for found in undecided} == {"not decided"}
    write_jsonl(
        tmp_path / "e.jsonl",
        [
            episode(f"{task}", [float(policy == "p")], [None], policy == "p", policy=policy)
            for policy in "pq"
            for task in range(8)
        ],
    )
    table = episode_table([tmp_path / "e.jsonl"])
    same = (claim("both won", table, "p", "p"), claim("both lost", table, "q", "q"))
    rows = claims(claim("x", table, "p", "q"), claim("y", table, "q", "p"), claim("z", table, "p", "nobody"), *same)
    assert rows["verdict"].tolist() == ["yes", "no", "not decided", "all scored", "no method scored"]
    assert rows.loc[0, ["difference", "n"]].tolist() == [1.0, 8]
    weak = claim_row("rho", "ranks", Difference(0.8, 0.0, 1.0, 0.06, 6, 1))
    assert claims(weak, weak | {"needed": None})["needed"].notna().tolist() == [True, False]


def test_what_is_not_decided_says_how_many_tasks_would():
    half = Difference(0.5, 0.5 - 1.96 / 10**0.5, 0.5 + 1.96 / 10**0.5, 0.1, 10, 1, differ=10)  # of one deviation
    assert tasks_needed(half) == 34  # as tables of the paired t test have it
    assert tasks_needed(half._replace(differ=1)) == 78  # where six that differ are to be expected with 80 %
    assert binom.sf(5, 78, 0.1) >= 0.8 > binom.sf(5, 77, 0.1)
    assert np.isnan(tasks_needed(half._replace(seeds=2)))  # more tasks leave the spread over seeds as it is
    assert tasks_needed(half._replace(low=0.5, high=0.5), more_than=10) == 11
    assert np.isnan(tasks_needed(half._replace(difference=0.0)))
    assert judged(half)["needed"] == 34
    assert power(half, 34) == pytest.approx(0.81, abs=0.01) and power(half, 10) < 0.4
    assert power(half._replace(differ=1), 50) == pytest.approx(binom.sf(5, 50, 0.1))
    assert np.isnan(power(Difference(), 50))
    assert np.isnan(judged(half._replace(low=0.2, p=0.01))["needed"])


def test_a_difference_of_nothing_is_no_evidence():
    assert sign_test(np.zeros(9)) == 1.0
    assert paired_permutation(np.zeros(9)) == 1.0
    assert paired_permutation(np.array([0.3, -0.3, 0.1, -0.1])) == pytest.approx(1.0)


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
