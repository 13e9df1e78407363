"""You are the Player: act in an engine, in a synthesised world, or on from an episode's turn, a policy beside you."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import ipywidgets as widgets

from agentrefine_lib.environments import make_environment
from agentrefine_lib.environments.embedded import worlds_of
from agentrefine_lib.environments.process import EngineFailure, EngineProcess, MakeEnvironment
from agentrefine_lib.environments.rules_only import RulesOnly
from agentrefine_lib.policies import ExpertPolicy, LiveEpisode, Policy
from agentrefine_lib.rollout import advance
from agentrefine_lib.schema import Episode, Script, Task, Trajectory, format_reply, parse_reply
from agentrefine_lib.viewers.page import block, folded, table, text
from agentrefine_lib.viewers.pane import Pane, Panel, toolbar
from agentrefine_lib.viewers.play import as_play
from agentrefine_lib.viewers.render import play_page
from agentrefine_lib.viewers.script_explorer import verdict_page

What = str | Task | Trajectory | Script | Episode


class PlayGround(Panel):
    """``PlayGround("babyai/GoToDoor/1234")``, a Task, a trajectory or a script; shown by a cell, it starts by itself.

    A trajectory of the embedded teacher is played in the world that it was played in. Of any other script there is
    only the text: its rules judge your commands, and nothing happens. ``policy`` suggests what to do; by default it is
    the engine's expert. ``policy=None`` keeps the field empty. Needs a running event loop, as notebooks have;
    ``await playground.ready`` waits for the engine.

    An episode is forked: its first ``turn`` actions are played again in its engine, and you go on from there, or let
    the policy. What it reads last can be edited, which changes nothing in the engine.
    """

    def __init__(self, what: What, policy: Policy | None = ExpertPolicy(), turn: int = 0) -> None:  # noqa: B008
        task, make, self._script = _stage(what)
        self._policy = policy
        self._past = what.steps if isinstance(what, Episode) else []
        self._live: LiveEpisode | None = None
        self._over = False
        self._starting = asyncio.Lock()  # two quick changes of the turn replay one after the other
        self._scene = Pane(name="the episode", body=block(f"{task.engine} is starting …", ""), height=460, tail=True)
        self._hint = Pane(name="suggestion")
        wide = widgets.Layout(width="38em", max_width="99%")
        self.thought = widgets.Text(
            description="Thought", placeholder="what do you make of it? (optional)", layout=wide
        )
        self.action = widgets.Combobox(description="Action", placeholder="type, or choose a valid one", layout=wide)
        small = widgets.Layout(width="7em")
        self.act = widgets.Button(description="Act", button_style="primary", disabled=True, layout=small)
        self.suggest = widgets.Button(
            description="Suggest", disabled=True, layout=small, tooltip="what the policy would do"
        )
        told = "the policy plays, at most ten steps"
        self.go_on = widgets.Button(description="Let it play", disabled=True, layout=small, tooltip=told)
        self.turn = widgets.BoundedIntText(turn, 0, len(self._past), description="Fork after", layout={"width": "12em"})
        self.turn.layout.display = None if self._past else "none"
        self.observation = widgets.Textarea(description="Last read", continuous_update=False, rows=2, layout=wide)
        edit = widgets.Accordion([self.observation], titles=["edit what the policy read last"])
        buttons = toolbar(self.action, self.act, self.suggest, self.go_on)
        super().__init__("play ground", [self.turn, self._scene, self._hint, self.thought, buttons, edit])
        self.act.on_click(lambda _: self._soon(self._act()))
        self.suggest.on_click(lambda _: self._soon(self._suggest()))
        self.go_on.on_click(lambda _: self._soon(self._go_on()))
        self.turn.observe(lambda _: self._soon(self._start(task)), "value")
        self.observation.observe(lambda change: self._edit(change["new"]), "value")
        self._loop = asyncio.get_running_loop()
        self._engine = EngineProcess(make)
        self.ready = self._loop.create_task(self._start(task))

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop)  # kernels may deliver a click on another thread

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Nothing can be pressed while the engine or the policy is asked; what fails is told on the page."""
        self._disable(True)
        self.turn.disabled = True
        try:
            yield
        except (EngineFailure, ValueError) as error:
            self._over = True
            self._scene.body = block("✗ the engine failed", text(str(error)), "bad") + self._scene.body
        self._disable(self._over)

    async def _start(self, task: Task) -> None:
        with self._asking():
            async with self._starting:
                self._live = LiveEpisode(task, self._engine, await self._engine.start(task))
                self._over = False
                for step in self._past[: self.turn.value]:
                    self._over = await advance(self._live, step.reply)
                await self._show()

    def _edit(self, observation: str) -> None:
        live = self._live
        if live is None or observation == _last_read(live):
            return
        if live.steps:
            live.steps[-1] = live.steps[-1].model_copy(update={"observation": observation})
        else:
            live.opening = live.opening._replace(observation=observation)
        self._soon(self._show())

    async def _go_on(self, steps: int = 10) -> None:
        if self._live is None or self._policy is None or self.go_on.disabled:
            return
        with self._asking():
            for _ in range(steps):
                if self._over:
                    break
                [said] = await self._policy.act([self._live])
                self._over = self._live.stopped or await advance(self._live, said)
            await self._show()

    async def _act(self) -> None:
        action = self.action.value.strip()
        if not action or self._live is None or self.act.disabled:
            return
        with self._asking():  # one click, one step
            self._over = await advance(self._live, format_reply(self.thought.value.strip(), action))
            self.thought.value = self.action.value = self._hint.body = ""
            await self._show()

    async def _suggest(self) -> None:
        if self._live is None or self._policy is None or self.suggest.disabled:
            return
        with self._asking():
            [said] = await self._policy.act([self._live])
            self._live.ending = None  # of a reply that is not played
            read = parse_reply(said)
            self.action.value = read.action
            self._hint.body = block(f"{self._policy.name} suggests", text(f"{read.thought}\n> {read.action}"), "say")

    async def _show(self) -> None:
        live = self._live
        assert live is not None
        last = live.steps[-1].action if live.steps else ""
        judged = (
            folded("what the script's rules say", verdict_page(self._script, last)) if self._script and last else ""
        )
        told = table(("command", "what it does"), live.opening.commands.items()) if live.opening.commands else ""
        end = block("✓ you did it" if live.success else "the episode is over", "", "good") if self._over else ""
        play = as_play(self.episode) if self._over else as_play(self.episode)._replace(outcome="under way")
        rules = folded("rules and commands", text(live.opening.rules) + told)
        self._scene.body = end + rules + play_page(play) + judged
        self.action.options = () if self._over else tuple(await live.engine.valid_actions())
        self.observation.value = _last_read(live)

    def _disable(self, all_of_them: bool) -> None:
        self.turn.disabled = False  # a play that is over can be begun again
        self.act.disabled = all_of_them
        self.suggest.disabled = self.go_on.disabled = all_of_them or self._policy is None

    @property
    def episode(self) -> Episode:
        """What you have played so far. Raises RuntimeError before the engine has started."""
        live = self._live
        if live is None:
            raise RuntimeError("the engine has not started: await playground.ready")
        return live.record(f"human/{live.task.id}", "human")

    def close(self) -> None:
        self.ready.cancel()
        self._engine.close()
        super().close()


def _last_read(live: LiveEpisode) -> str:
    return live.steps[-1].observation if live.steps else live.opening.observation


def _stage(what: What) -> tuple[Task, MakeEnvironment, Script | None]:
    """The task, what plays it, and the script whose rules judge commands."""
    if isinstance(what, Trajectory):
        worlds, make = worlds_of([what])
        if worlds:
            return worlds[what.id], make, what.script
    if isinstance(what, Trajectory | Script):
        script = what.script if isinstance(what, Trajectory) else what
        return Task(engine=RulesOnly.engine, name="script"), partial(RulesOnly, script), script
    if isinstance(what, Episode):
        return what.task, make_environment, None
    return (Task.from_id(what) if isinstance(what, str) else what), make_environment, None
