"""Tables and figures: ours and the paper's never mix, and the same data gives the same bytes."""

from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from agentrefine_lib import plots
from agentrefine_lib.plots.findings import changed, compared, leads
from agentrefine_lib.plots.looks import BLUE, PALE_BLUE, colour
from agentrefine_lib.results.artefacts import alt_text
from agentrefine_lib.schema import Episode, Step, Task

ROOT = Path(__file__).parents[1]
REPORTED = pd.read_csv(ROOT / "params" / "reported.csv")


@pytest.fixture
def table():
    rows = [
        {"method": p, "engine": e, "metric": m, "value": v, "low": v - 0.1, "high": v + 0.1, "k": k, "n": 8, "seeds": 1}
        for p, v in (("tuned", 0.5), ("random", 0.25))
        for e in ("hotpotqa", "babyai")
        for m, k in (("success", int(8 * v)), ("progress", None))
    ]
    labels = {"random": "random", "tuned": "tuned"}
    return plots.main_table(pd.DataFrame(rows), REPORTED, labels, model="tiny", held_in={"tuned": ["babyai"]})


def test_ours_stands_beside_the_papers_never_in_its_place(table):
    ours, paper = table[table["source"] == plots.OURS], table[table["source"] == plots.PAPER]
    assert ours["method"].tolist() == ["random"] * 4 + ["tuned"] * 4  # in the order of the labels
    assert ours["engine"].tolist() == ["babyai", "babyai", "hotpotqa", "hotpotqa"] * 2  # in the paper's
    assert ours["value"].tolist() == [25] * 4 + [50] * 4
    assert ours["held_in"].tolist() == [False] * 4 + [True, True, False, False]
    assert paper["n"].isna().all()
    assert paper["citation"].notna().all()
    row = paper.query("family == 'LLaMA-3-8B' and method == 'AgentGym' and metric == 'success'")
    assert row[["value", "held_in"]].to_numpy().tolist() == [[47.3, True]]
    assert set(paper["engine"]) == {"babyai"}
    wide = plots.side_by_side(table)
    assert wide.columns.tolist() == ["BabyAI", "HotpotQA"]
    assert wide.loc["this run", "tiny", "tuned"].tolist() == [50.0, 50.0]
    assert wide.loc["paper", "LLaMA-3-8B", "AgentRefine"].tolist() == [50.4, "–"]


def test_reported_numbers_are_the_main_table_of_the_projects_page():
    main = REPORTED[REPORTED["artefact"] == "tab1_main"]
    assert len(main) == 14 * 10 - 4  # AgentGen reports three of five environments
    assert set(REPORTED["confidence"]) == {"first-hand", "read off bars"}
    assert REPORTED["source"].notna().all()


def test_the_papers_own_means_over_engines_by_hand():
    """(112 BabyAI + 90 ScienceWorld + 60 PDDL + 20 Jericho) / 282, from its table 1; AgentGen lacks two of them."""
    counts = REPORTED[REPORTED["artefact"] == "tab_tasks"].set_index("engine")["value"].drop("alfworld")
    means = plots.table_1_means(REPORTED, counts.to_dict(), "held-out").set_index(["family", "method", "metric"])[
        "value"
    ]
    by_hand = (112 * 37.5 + 90 * 14.4 + 60 * 16.6 + 20 * 10.0) / 282
    assert means["LLaMA-3-8B", "AgentRefine", "success"] == pytest.approx(by_hand)
    assert ("LLaMA-3-8B", "AgentGen", "success") not in means.index
    renamed = plots.paper_rows(REPORTED, "tab3_robustness")
    assert set(renamed["metric"]) == {"success", "progress"} and "P1" in set(renamed["perturbation"])


def test_the_same_data_is_drawn_to_the_same_bytes_with_its_alternative_text(table, tmp_path):
    plots.style()
    for folder in ("a", "b"):
        figure, shown = plots.overall(table, "LLaMA-3-8B")
        plots.save(figure, shown, tmp_path / folder, "fig1")
    for suffix in ("csv", "png", "pdf"):
        assert (tmp_path / "a" / f"fig1.{suffix}").read_bytes() == (tmp_path / "b" / f"fig1.{suffix}").read_bytes()
    told = alt_text(tmp_path / "a" / "fig1.png", "a figure")
    assert told.startswith(
        "AgentRefine was not played beside another model. Progress in this run, tiny (%); lines: 95 % interv"
    )


def scores(**values: tuple) -> pd.DataFrame:
    names = {"ours": "AgentRefine", "half": "AgentRefine (500)", "base": "expert only", "expert": "scripted expert"}
    rows = [{"method": names[name], "value": v, "low": low, "high": high} for name, (v, low, high) in values.items()]
    return pd.DataFrame(rows, columns=["method", "value", "low", "high"])


NAN = float("nan")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (
            {"ours": (30, 25, 35), "base": (10, 5, 15)},
            "AgentRefine's progress, 30.0 %, is above that of expert only, 10.0 %; their",
        ),
        (
            {"ours": (30, 25, 35), "base": (31, 26, 36)},
            "is below that of expert only, 31.0 %, but their intervals overlap",
        ),
        ({"ours": (30, NAN, NAN), "base": (10, 5, 15)}, "is above that of expert only, 10.0 %"),
        ({"ours": (4, 2, 6), "base": (4.01, 2, 6)}, "AgentRefine and expert only have the same progress: 4.0 %"),
        (
            {"ours": (0, 0, 0), "base": (0, 0, 0), "expert": (90, 80, 99)},
            "Neither AgentRefine nor expert only has any progress: 0 %",
        ),
        ({"ours": (3, 2, 4), "half": (5, 4, 6), "expert": (90, 80, 99)}, "is 3.0 %; no other model was trained"),
        ({"ours": (NAN, NAN, NAN), "base": (4, 2, 6)}, "No progress of AgentRefine was measured"),
        ({}, "No progress of AgentRefine was measured"),
    ],
)
def test_a_finding_says_no_more_than_its_numbers(values, says):
    told = compared(scores(**values), "progress")
    assert says in told
    assert ("overlap" in told) == ("their" in says)


def test_findings_over_engines_and_sizes():
    numbers = {"AgentRefine": (9, 5, 4), "expert only": (1, 4.5, 4)}
    rows = [
        {"method": method, "engine": engine, "value": value, "low": value - 1, "high": value + 1}
        for method, values in numbers.items()
        for engine, value in zip("abc", values, strict=True)
    ]
    rows = pd.DataFrame(rows)
    told = "Of the trained models, AgentRefine has the most progress on 2 of 3 engines: a (9.0 %, the next 1.0 %)"
    assert leads(rows, "progress") == f"{told} and b (5.0 %, the next 4.5 %, intervals overlap)"
    lucky = pd.DataFrame([{"method": "random valid action", "engine": "c", "value": 5.0}])
    told = leads(pd.concat([rows.assign(value=[9.0, 0.0, 0.0, 1.0, 0.0, 0.0]), lucky]), "progress")
    assert told.endswith(
        " on 1 of 3 engines: a (9.0 %, the next 1.0 %); random valid actions have more on 1 of 3 engines"
    )
    assert leads(rows.assign(value=0.0), "progress") == "No trained model has any progress on 3 engines"
    one, other = (pd.Series({"value": value, "low": value - 2, "high": value + 2}) for value in (10.0, 12.0))
    falls = changed(other, one, "Progress", "at night")
    assert falls == "Progress falls from 12.0 % to 10.0 % at night, but their intervals overlap"
    assert changed(one, one, "Progress", "at night") == "Progress stays at 10.0 % at night"
    few = pd.Series({"value": 10.0, "n": 4, "seeds": 2})
    assert changed(few, few, "Progress", "at night") == "Progress stays at 10.0 % at night, but 2 tasks cannot tell"


def test_one_order_and_one_look_everywhere(table):
    """AgentRefine is blue wherever it is drawn, other models are dark grey, what is not trained is light grey."""
    names = {"AgentRefine": BLUE, "AgentRefine (500)": PALE_BLUE, "expert only": "0.45", "untuned": "0.7"}
    assert {name: colour(name) for name in names} == names
    named = table.replace({"method": {"tuned": "AgentRefine"}})
    figure, _ = plots.overall(named, "LLaMA-3-8B")
    ax = figure.axes[0]
    rows = [tick.get_text() for tick in ax.get_yticklabels()]
    assert rows[:3] == ["random", "AgentRefine", "Instruct (paper)"]
    faces = {rows[int(bar.get_y() + 0.5)]: (to_hex(bar.get_facecolor()), bar.get_hatch()) for bar in ax.patches}
    assert faces["AgentRefine"] == (BLUE.lower(), "////")  # BabyAI is held-in here
    assert faces["AgentRefine (paper)"] == ("#ffffff", None)
    assert [ax.get_title().split("\n")[0] for ax in figure.axes[:2]] == ["BabyAI", "HotpotQA"]


def test_each_wording_has_a_row_where_a_method_was_trained():
    shared = {"source": plots.OURS, "family": "tiny", "metric": "progress", "low": 0.0, "high": 9.0, "n": 6}
    rows = pd.DataFrame(
        shared | {"method": method, "engine": engine, "perturbation": wording, "value": value, "held_in": held_in}
        for method, engine, held_in in (("expert only", "alfworld", True), ("AgentRefine", "babyai", False))
        for wording, value in {"none": 70.0, "synonyms": 5.0, "P1": 40.0, "perturbed": 40.0}.items()
    )
    names, ax = plots.perturbed(rows).axes
    told = [tick.get_text() for tick in names.get_yticklabels()]
    assert told == ["AlfWorld", "expert only", "… synonyms", "BabyAI", "AgentRefine"]
    assert [text.get_text() for text in ax.texts] == ["70.0 → 40.0", "70.0 → 40.0", "70.0 → 5.0"]


def test_figures_of_nothing_of_one_row_and_of_unknown_values():
    """No chapter falls over where a run is small: each figure says so in its title."""
    columns = ["source", "family", "method", "held_in", "engine", "metric", "value", "low", "high", "n", "perturbation"]
    none = pd.DataFrame(columns=columns)
    row = dict.fromkeys(columns, NAN) | {"source": plots.OURS, "family": "tiny", "method": "AgentRefine", "n": 1}
    one = pd.DataFrame([row | {"engine": "babyai", "metric": "progress", "perturbation": "none", "held_in": True}])
    for rows in (none, one, one.assign(value=0.0)):
        for figure in (
            plots.overall(rows, "LLaMA-3-8B")[0],
            plots.perturbed(rows),
            plots.scaling(rows.assign(conversations=8)),
            plots.best_of_curves(rows.assign(best_of=1)),
            plots.question_answering(rows),
            plots.outcomes(
                rows.assign(task="t", seed=0, success=False, progress=rows["value"].astype(float)),
                {"AgentRefine": "AgentRefine"},
            )[0],
            plots.mended(rows.assign(reply="first reply")),
            plots.ladder(rows.assign(rung="near", method="agentrefine"), {"agentrefine": "AgentRefine"}),
            plots.funnel(pd.DataFrame({"outcome": ["accepted"], "count": [len(rows)]})),
        ):
            if rows is one:  # a second each
                figure.canvas.draw()
            assert figure.get_label()
            plt.close(figure)


def episode(policy: str, actions: str, level: str = "GoToDoor") -> Episode:
    steps = [
        Step(
            reply="", thought="", action=a, observation="$1 and <b>", progress=0.0, error="logic" if a == "x" else None
        )
        for a in actions
    ]
    task = Task(engine="babyai", name=level, seed=1)
    played = {"task": task, "goal": "g", "observation": "o", "steps": steps}
    return Episode(id=f"{policy}/{task.id}", policy=policy, success=False, progress=0.0, engine_version="e", **played)


def test_two_episodes_part_at_their_first_different_action():
    table = plots.case_table(episode("p", "abcd"), episode("q", "abx"))
    assert table["diverged"].tolist() == [False, False, True, True, False, False, True]
    assert table.loc[table["policy"] == "q", "error"].fillna("").tolist() == ["", "", "logic"]
    same = plots.case_table(episode("p", "abcd"), episode("q", "ab"))
    assert same["diverged"].tolist() == [False, False, True, True, False, False]  # one went on
    assert plots.cases(episode("p", "abcd"), episode("q", "abx"), steps=3).axes
    with pytest.raises(ValueError, match="different tasks"):
        plots.case_table(episode("p", "a"), episode("q", "a", level="Pickup"))


def test_what_a_model_may_write_is_drawn_without_a_warning(tmp_path, recwarn):
    """An untrained model writes control characters, any alphabet, and mathematics that is none."""
    plots.style()
    said = [episode("p", actions, "$\\frac{$") for actions in ("a\x01\x7f", "玩🙂\u202e", "$\\q$", "^_{")]
    for ours, theirs in pairwise(said):
        plots.save(plots.cases(ours, theirs), plots.case_table(ours, theirs), tmp_path, "fig_cases")
    assert [str(warning.message) for warning in recwarn] == []


def test_every_episode_is_one_cell():
    episodes = pd.DataFrame(
        [
            {"method": m, "seed": s, "engine": e, "task": f"{e}/{t}", "success": m == "b" and s <= t, "progress": 0.5}
            for m in "ab"
            for s in (0, 1)
            for e in ("pddl", "babyai")
            for t in range(3)
        ]
    )
    figure, shown = plots.outcomes(episodes, {"a": "A", "b": "B"})
    assert len(shown) == 12
    dots = [sorted(map(tuple, ax.collections[-1].get_offsets().round(2))) for ax in figure.axes[:2]]
    third = [(column + 0.5, y) for column in (1, 2) for y in (1.33, 1.67)]
    assert dots == [[(0.5, 1.5), *third]] * 2  # the second seed lost the first task
    assert [ax.get_title("left") for ax in figure.axes[:2]] == ["BabyAI", "PDDL"]
    assert figure.get_suptitle() == "Won of 6 tasks: 4 and 6 by B"
    assert "(A has 2, B has 2)" in figure.get_supxlabel().replace("\n", " ")


def test_general_data_are_told_by_their_effect_and_are_no_size_of_agentrefine():
    rows = {"source": plots.OURS, "metric": "success", "engine": "babyai", "n": 20, "seeds": 1, "family": "m"}
    scores = [
        ("AgentRefine", 20.0, 10.0, 30.0),
        ("AgentRefine + general", 60.0, 50.0, 70.0),
        ("expert only", 5.0, 0, 9.0),
    ]
    table = pd.DataFrame([rows | dict(zip(("method", "value", "low", "high"), row, strict=True)) for row in scores])
    told = plots.general_data(table).get_suptitle().replace("\n", " ").replace("\u00a0", " ")
    assert told.endswith("rises from 20.0 % to 60.0 % with general data mixed in; their intervals do not overlap")
    alike = table.assign(value=[0.0, 60.0, 5.0], low=[0.0, 50.0, 0.0], high=[0.0, 70.0, 9.0])
    told = plots.general_data(alike).get_suptitle().replace("\n", " ").replace("\u00a0", " ")
    assert told.endswith("from 0.0 % to 60.0 % with general data mixed in, but one of them is the same on every task")
    assert "was not measured" in plots.general_data(table.head(1)).get_suptitle().replace("\n", " ")
    figure, _ = plots.overall(table.assign(metric="progress"), "LLaMA-3-8B")
    assert "the most progress on 0 of 1 engine" in figure.get_suptitle().replace("\n", " ")


def test_methods_have_one_order_and_one_name():
    found = plots.method_labels(["expert", "mine", "agentrefine_500", "agentrefine", "random", "agentrefine_1000"])
    assert list(found) == ["random", "agentrefine_500", "agentrefine_1000", "agentrefine", "expert", "mine"]
    assert found["agentrefine_1000"] == "AgentRefine (1,000)"


def test_training_curves_show_each_kind_of_reply_that_there_is():
    steps = {"step": [1, 2, 3], "loss": [3.0, 2.0, 1.0], "loss_ordinary": [2.9, 1.9, 0.9]}
    mended = pd.DataFrame({**steps, "loss_refinement": [3.5, 2.5, 1.5], "model": "agentrefine", "policy": "a-0"})
    second = mended.assign(policy="a-1", loss=[3.1, 2.1, 1.1])
    plain = pd.DataFrame({**steps, "loss_refinement": [float("nan")] * 3, "model": "expert_only", "policy": "e-0"})
    figure = plots.training_curves(pd.concat([mended, second, plain], ignore_index=True))
    expert, ours = ([tuple(line.get_ydata()) for line in ax.lines] for ax in figure.axes)
    assert ours == [(2.9, 1.9, 0.9), (3.5, 2.5, 1.5)] * 2
    assert expert[0] == (2.9, 1.9, 0.9) and all(value != value for value in expert[1])
    assert [ax.get_title() for ax in figure.axes] == ["expert only", "AgentRefine"]
