"""One task at every checkpoint of a training: move the slider and see what the model does after so many steps."""

from collections.abc import Sequence

import ipywidgets as widgets

from agentrefine_lib.schema import Episode
from agentrefine_lib.viewers.page import table
from agentrefine_lib.viewers.pane import Pane, Panel
from agentrefine_lib.viewers.play import as_play
from agentrefine_lib.viewers.render import play_page


class CheckpointSlider(Panel):
    """``CheckpointSlider(await rollout.replay(…))``: episodes of one task on a slider, from the untuned model on.

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
