"""A person as a policy: a panel of widgets in a notebook."""

from __future__ import annotations

import asyncio
from html import escape

import ipywidgets as widgets

from agentrefine_lib.policies.protocol import LiveEpisode
from agentrefine_lib.schema import format_reply


class HumanPolicy:
    """Asks whoever sees ``panel``. Show it, then play one episode at a time in the background::

        human = HumanPolicy()
        display(human.panel)
        play = asyncio.create_task(roll_out(human, tasks, path, Limits(in_flight=1)))

    With ``await`` in place of ``create_task``, ipykernel before version 7 hears of no click until the cell is done.
    """

    batch_size: int | None = 1

    def __init__(self, name: str = "human") -> None:
        self.name = name
        self.scene = widgets.HTML()
        self.thought = widgets.Textarea(description="Thought", placeholder="What do you make of it? (optional)", rows=2)
        self.action = widgets.Combobox(description="Action", placeholder="type to search the valid actions")
        self.button = widgets.Button(description="Act", button_style="primary", disabled=True)
        for field in (self.thought, self.action):
            field.layout.width = "40em"
        self.panel = widgets.VBox([self.scene, self.thought, self.action, self.button])
        self._turn = asyncio.Lock()  # there is one panel
        self._pending: asyncio.Future[str] | None = None
        self.button.on_click(self._on_click)

    async def act(self, episodes: list[LiveEpisode]) -> list[str]:
        return [await self._ask(episode) for episode in episodes]

    async def _ask(self, episode: LiveEpisode) -> str:
        async with self._turn:
            self.action.options = await episode.engine.valid_actions()
            self.thought.value = self.action.value = ""
            self.scene.value = _scene(episode)
            self._pending = asyncio.get_running_loop().create_future()
            self.button.disabled = False
            try:
                return await self._pending
            finally:
                self._pending, self.button.disabled = None, True

    def _on_click(self, _: widgets.Button) -> None:
        if pending := self._pending:
            pending.get_loop().call_soon_threadsafe(self._submit)  # kernels may deliver a click on another thread

    def _submit(self) -> None:
        action = self.action.value.strip()
        if action and self._pending and not self._pending.done():
            self._pending.set_result(format_reply(self.thought.value.strip(), action))


def _scene(episode: LiveEpisode) -> str:
    """Goal, commands, and what happened last; engines' and models' texts are escaped."""
    opening, steps = episode.opening, episode.steps
    commands = "".join(f"<li><b>{escape(name)}</b>: {escape(use)}</li>" for name, use in opening.commands.items())
    parts = [
        f"<h4>{escape(opening.goal)}</h4>",
        f"<details><summary>rules and commands</summary>{escape(opening.rules)}<ul>{commands}</ul></details>",
        f"<small>{escape(episode.task.id)}, step {len(steps) + 1}</small>",
    ]
    if steps:
        refused = f" (refused: {steps[-1].error})" if steps[-1].error else ""
        parts.append(f"<p>Your last action: <b>{escape(steps[-1].action)}</b>{escape(refused)}</p>")
    observation = steps[-1].observation if steps else opening.observation
    return "".join([*parts, f"<p style='white-space:pre-wrap'>{escape(observation)}</p>"])
