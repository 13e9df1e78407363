"""One task at every checkpoint of a training: move the slider and see what the model does after so many steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from transformers import AutoTokenizer

from agentrefine_lib.policies import LocalPolicy
from agentrefine_lib.rollout import Limits, roll_out
from agentrefine_lib.schema import Episode, Task, read_jsonl
from agentrefine_lib.viewers.page import table
from agentrefine_lib.viewers.pane import Pane, Panel
from agentrefine_lib.viewers.play import as_play
from agentrefine_lib.viewers.render import play_page


async def replay(base: Path | str, model: Path, task: Task, folder: Path, limits: Limits, **how: Any) -> list[Episode]:
    """Let the base and each checkpoint that ``recipe.checkpoints`` left in a tuned ``model`` play the same task.

    Returns an episode each, in order. They go to ``folder``, and what was played is not played again; ``how`` goes to
    ``LocalPolicy``.
    """
    kept = {int(path.name.partition("-")[2]): path for path in model.glob("checkpoint-*")}
    tokenizer, episodes = AutoTokenizer.from_pretrained(model, trust_remote_code=False), list[Episode]()
    for step, place in sorted({0: base, **kept}.items()):
        name, path = f"step-{step}" if step else "untuned", folder / f"step-{step}.jsonl"
        if not path.exists() or all(episode.task.id != task.id for episode in read_jsonl(path, Episode)):
            if step:
                tokenizer.save_pretrained(place)  # which a checkpoint lacks
            await roll_out(LocalPolicy(place, name, **how), [task], path, limits)
        episodes += [episode for episode in read_jsonl(path, Episode) if episode.task.id == task.id]
    return episodes


class CheckpointSlider(Panel):
    """``CheckpointSlider(await replay(…))``: episodes of one task, from the untuned to the tuned model, on a slider.

    Raises ValueError where there is none.
    """

    def __init__(self, episodes: Sequence[Episode]) -> None:
        if not episodes:
            raise ValueError("episodes: found none, expected one for each checkpoint")
        self._plays = [as_play(episode) for episode in episodes]
        self._slider = widgets.SelectionSlider(
            options=[(episode.policy, number) for number, episode in enumerate(episodes)],
            description="after",
            layout=widgets.Layout(width="38em", max_width="99%"),
        )
        rows = [
            (
                play.player,
                len(play.exchanges),
                len(play.errors),
                play.refinements,
                f"{episode.progress:.2f}",
                play.outcome,
            )
            for play, episode in zip(self._plays, episodes, strict=True)
        ]
        every = table(("after", "actions", "refused", "corrected", "progress", "outcome"), rows)
        self._page = Pane(name="the episode", height=520)
        super().__init__("checkpoints", [self._slider, self._page, Pane(name="all of them", body=every)])
        self._slider.observe(lambda _: self._show(), "value")
        self._show()

    def _show(self) -> None:
        self._page.body = play_page(self._plays[self._slider.value])
