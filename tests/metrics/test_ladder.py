"""The ladder: which rung a task stands on, and a rung's number by hand."""

import pandas as pd
import pytest

from agentrefine_lib.metrics import ladder
from agentrefine_lib.plots import ladder as draw


def episodes(**progress: float) -> pd.DataFrame:
    rows = [
        {"method": method, "seed": 0, "engine": task.split("/")[0], "task": task, "progress": value}
        for task, values in progress.items()
        for method, value in zip(("agentrefine", "random"), values, strict=True)
    ]
    return pd.DataFrame(rows)


def test_every_rung_has_its_tasks_and_engines_weigh_the_same():
    near = episodes(
        **{
            "embedded/places/0": (1.0, 0.5),
            "embedded/places-ship-arrow/0": (0.5, 0.0),
            "embedded/places-hotel-arrow/1": (0.0, 0.0),
            "embedded/sorting/0": (0.25, 0.0),
            "babyai/GoToObj/1": (1.0, 0.0),
            "babyai/GoToObj/2": (0.0, 0.0),
            "pddl/gripper/0": (0.0, 0.0),
            "jericho/zork/0": (float("nan"), float("nan")),
        }
    )
    far = episodes(**{"babyai/GoToObj/1": (0.0, 0.0), "embedded/places/0": (0.0, 0.0)})
    table = ladder(near, {"with an example": near, "without": far}, ["sorting", "ship", "arrow"])
    ours = table[table["method"] == "agentrefine"].set_index("rung")
    assert list(ours["value"]) == [1.0, 0.25, 0.25, 0.25, 0.0]  # real engines: (1 + 0) / 2 of BabyAI, 0 of PDDL
    assert list(ours["n"]) == [1, 2, 1, 3, 1]
    assert list(ours.index) == [
        "trained mechanics, new seeds",
        "new costumes and grammars",
        "new mechanics",
        "real engines, with an example",
        "real engines, without",
    ]
    low, high = ours.loc["real engines, with an example", ["low", "high"]]
    assert low == 0.0 and high == 0.5
    figure = draw(table, {"random": "random valid action", "agentrefine": "AgentRefine"})
    labels = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert labels[0] == "trained\nmechanics,\nnew seeds\nn = 1"
    line = figure.axes[0].lines[1]
    assert line.get_ydata() == pytest.approx([100, 25, 25, 25, 0])
