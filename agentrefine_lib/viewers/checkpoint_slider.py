"""Tasks at every checkpoint of a training: move the slider and see what the model does after so many steps."""

from collections.abc import Sequence

import ipywidgets as widgets

from agentrefine_lib.schema import Episode
from agentrefine_lib.viewers.page import table
from agentrefine_lib.viewers.pane import Pane, Panel, dropdown, toolbar
from agentrefine_lib.viewers.play import Play, as_play
from agentrefine_lib.viewers.render import play_page

HEADER = ("after", "actions", "refused", "corrected", "progress", "outcome")


class CheckpointSlider(Panel):
    """``CheckpointSlider(await rollout.replay(…))``: episodes of each task on a slider, from the untuned model on.

    Raises ValueError where there is none.
    """

    def __init__(self, episodes: Sequence[Episode]) -> None:
        if not episodes:
            raise ValueError("episodes: found none, expected one for each checkpoint")
        self._tasks: dict[str, list[tuple[Episode, Play]]] = {}
        for episode in episodes:
            self._tasks.setdefault(episode.task.id, []).append((episode, as_play(episode)))
        self._task = dropdown("task", list(self._tasks))
        steps = [(episode.policy, number) for number, (episode, _) in enumerate(self._tasks[self._task.value])]
        wide = widgets.Layout(width="38em", max_width="99%")
        self._slider = widgets.SelectionSlider(options=steps, description="after", layout=wide)
        self._page, self._every = Pane(name="the episode", height=520), Pane(name="all of them")
        super().__init__("checkpoints", [toolbar(self._task, self._slider), self._every, self._page])
        for control in (self._task, self._slider):
            control.observe(lambda _: self._show(), "value")
        self._show()

    def _show(self) -> None:
        played = self._tasks[self._task.value]
        rows = [
            (p.player, len(p.exchanges), len(p.errors), p.refinements, f"{episode.progress:.2f}", p.outcome)
            for episode, p in played
        ]
        self._page.body = play_page(played[self._slider.value][1])
        self._every.body = table(HEADER, rows)
