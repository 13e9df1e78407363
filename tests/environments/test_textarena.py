"""Games that nobody here wrote: their own scores, no valid actions, no expert; played and shown like every other."""

import asyncio
from pathlib import Path

import pandas as pd
import pytest

from agentrefine_lib import plots
from agentrefine_lib.environments import make_environment, panel
from agentrefine_lib.environments.check import check_environment
from agentrefine_lib.environments.process import EngineFailure, EngineProcess, TimeLimits
from agentrefine_lib.metrics import episode_table, summarise
from agentrefine_lib.policies import ExpertPolicy, RandomPolicy
from agentrefine_lib.rollout import Limits, roll_out
from agentrefine_lib.schema import Episode, Task, read_jsonl

pytest.importorskip("textarena")
HANOI = Task(engine="textarena", name="TowerOfHanoi-v0", seed=0)
REPORTED = pd.read_csv(Path(__file__).parents[2] / "params" / "reported.csv")
SOLUTION = ["A C", "A B", "[C B]", "A C", "B A", "B C", "A C"]


class Recited:
    """Plays given moves, one a step."""

    name, batch_size = "recited", 1

    async def act(self, episodes):
        return [f"Thought: next.\nAction: {(SOLUTION + ['A A'] * 30)[len(e.steps)]}" for e in episodes]


def test_a_game_keeps_the_contract_also_in_another_process():
    check_environment(make_environment, Task(engine="textarena", name="GuessTheNumber-v0", seed=7), listed=False)


def test_scores_and_refusals_are_the_games_own():
    game = make_environment(HANOI)
    assert "A: [3, 2, 1]" in game.reset(HANOI) and "tower A to tower C" in game.rules
    refused = game.step("C A")
    assert (refused.error, refused.done) == ("logic", False) and "empty tower" in refused.observation
    results = [game.step(move) for move in SOLUTION]
    assert [r.error for r in results] == [None] * 7
    assert (results[-1].success, results[-1].progress, results[-1].done) == (True, 1.0, True)
    assert "Congratulations" in results[-1].observation
    twice = game.reset(HANOI) and [game.step("nonsense") for _ in range(2)]
    assert [r.done for r in twice] == [False, True] and not twice[-1].success
    with pytest.raises(ValueError, match="unknown game"):
        game.reset(Task(engine="textarena", name="Go-v9"))
    with pytest.raises(ValueError, match="no game of one player"):
        game.reset(Task(engine="textarena", name="Nim-v0"))


def test_a_run_has_rows_and_figures_and_none_of_random_and_expert(tmp_path):
    tasks = [HANOI, *panel({"embedded": {"places": [0]}})]
    policies = (Recited(), RandomPolicy(), ExpertPolicy())
    paths = [tmp_path / f"{policy.name}.jsonl" for policy in policies]
    for path, policy in zip(paths, policies, strict=True):
        asyncio.run(roll_out(policy, tasks, path, Limits(steps=8)))
    played = {path.stem: {e.task.engine: e for e in read_jsonl(path, Episode)} for path in paths}
    assert [sorted(found) for found in played.values()] == [["embedded", "textarena"], ["embedded"], ["embedded"]]
    assert played["recited"]["textarena"].success
    episodes = episode_table(paths)
    labels = {name: name for name in played}
    table = plots.main_table(summarise(episodes), REPORTED, labels, model="none", held_in={})
    assert table.query("engine == 'textarena'")["method"].unique().tolist() == ["recited"]
    figure, _ = plots.outcomes(episodes, labels)
    assert "TextArena" in {axes.get_title("left") for axes in figure.axes}
    figure, _ = plots.overall(table, "LLaMA-3-8B")
    assert "TextArena\nn = 1" in {axes.get_title() for axes in figure.axes}


def test_a_game_that_hangs_is_ended():
    async def play() -> None:
        with EngineProcess(make_environment, TimeLimits(start=120, step=0)) as engine:
            await engine.start(HANOI)
            await engine.step("A C")

    with pytest.raises(EngineFailure, match="gave no answer to step within 0 s"):
        asyncio.run(play())
