"""Who won which task, and what two policies did in one of them, side by side."""

import html
from itertools import groupby
from typing import NamedTuple

from agentrefine_lib.metrics.paired import engine_of
from agentrefine_lib.schema import Episode
from agentrefine_lib.viewers.index import Index, Source
from agentrefine_lib.viewers.page import escape
from agentrefine_lib.viewers.pane import Pane, Panel, dropdown, toolbar
from agentrefine_lib.viewers.render import pair_page

HINT = (
    "✓ won · ✗ not won, with its progress (? unknown) · – not played. Click a cell to read its task; its policy is A."
)


class _Outcome(NamedTuple):
    number: int  # of the episode
    success: bool
    progress: float | None


class CompareViewer(Panel):
    """``CompareViewer(run / "episodes")``: a matrix of outcomes; a click shows two policies on that task.

    It opens with the policies ``a`` and ``b``, else the first two. Tasks where the two differ come first in the list.
    Raises ValueError when no task was played by two.
    """

    def __init__(self, source: Source, a: str = "", b: str = "") -> None:
        self._index = Index(source)
        self._played: dict[tuple[str, str], _Outcome] = {}  # by policy and task
        for number in range(len(self._index)):
            episode = self._index.record(number)
            if isinstance(episode, Episode):
                outcome = _Outcome(number, episode.success, episode.known_progress)
                self._played[episode.policy, episode.task.id] = outcome
        policies = list(dict.fromkeys(policy for policy, _ in self._played))
        if len(policies) < 2:
            raise ValueError(
                f"source: found episodes of {policies or 'nobody'}, expected those of two policies or more"
            )
        self._tasks = sorted(dict.fromkeys(task for _, task in self._played), key=engine_of)
        self._a, self._b = dropdown("A", policies, "16em"), dropdown("B", policies, "16em")
        self._a.value, self._b.value = a or policies[0], b or policies[1]
        self._task = dropdown("task", [], "34em")
        self._matrix, self._pair = Pane(name="outcomes", height=240), Pane(name="A and B", height=560)
        super().__init__("comparison", [self._matrix, toolbar(self._a, self._b, self._task), self._pair])
        self._list_tasks()
        for control in (self._a, self._b):
            control.observe(lambda _: self._list_tasks(), "value")
        self._task.observe(lambda _: self._show(), "value")
        self._matrix.on_msg(lambda _, said, __: self._pick(said["picked"]))

    def _list_tasks(self) -> None:
        """What both played, where they differ most first."""
        a, b, before = self._a.value, self._b.value, self._task.value
        both = [t for t in self._tasks if (a, t) in self._played and (b, t) in self._played]
        both.sort(key=lambda t: -self._difference(a, b, t))
        names = [(f"{t} · A {self._word(a, t)} · B {self._word(b, t)}", t) for t in both]
        self._task.options = names
        if both:
            self._task.value = before if before in both else both[0]
        self._show()

    def _difference(self, a: str, b: str, task: str) -> float:
        (_, won, progress), (_, lost, other) = self._played[a, task], self._played[b, task]
        return abs(won - lost) + abs((progress or 0.0) - (other or 0.0))

    def _word(self, policy: str, task: str) -> str:
        _, success, progress = self._played[policy, task]
        return "✓" if success else "✗ ?" if progress is None else f"✗ {progress:.2f}"

    def _pick(self, picked: str) -> None:
        """A cell of the matrix: its policy becomes A; B stays, or is the next policy that played this task."""
        policy, _, number = picked.rpartition("|")
        task = self._tasks[int(number)]
        others = [p for p in (self._b.value, *self._b.options) if p != policy and (p, task) in self._played]
        if others:
            self._a.value, self._b.value, self._task.value = policy, others[0], task

    def _show(self) -> None:
        self._matrix.body = self._matrix_page()
        task = self._task.value
        if task is None:
            self._pair.body = "<p>These two have no task in common.</p>"
            return
        ours, theirs = (self._index.record(self._played[p, task].number) for p in (self._a.value, self._b.value))
        assert isinstance(ours, Episode) and isinstance(theirs, Episode)
        self._pair.body = pair_page(ours, theirs)

    def _matrix_page(self) -> str:
        head = "".join(f'<th scope="col" title="{escape(t)}">{n}</th>' for n, t in enumerate(self._tasks, start=1))
        rows = []
        for policy in self._a.options:
            cells = "".join(f"<td>{self._cell(policy, n)}</td>" for n in range(len(self._tasks)))
            won = [outcome.success for (who, _), outcome in self._played.items() if who == policy]
            rows.append(f'<tr><th scope="row">{escape(policy)}</th><td>{sum(won)}/{len(won)}</td>{cells}</tr>')
        engines = [(engine, len(list(tasks))) for engine, tasks in groupby(self._tasks, engine_of)]
        groups = "".join(f'<th scope="colgroup" colspan="{size}">{escape(engine)}</th>' for engine, size in engines)
        top = (
            f'<tr><th colspan="2"></th>{groups}</tr><tr><th scope="col">policy</th><th scope="col">won</th>{head}</tr>'
        )
        return f'<div class="ar-label">{HINT}</div><table><thead>{top}</thead><tbody>{"".join(rows)}</tbody></table>'

    def _cell(self, policy: str, number: int) -> str:
        task = self._tasks[number]
        if (policy, task) not in self._played:
            return "–"
        here = task == self._task.value and policy in (self._a.value, self._b.value)
        word, mood = self._word(policy, task), "good" if self._played[policy, task].success else "bad"
        name = f"{policy}, {task}: {word}"
        return (
            f'<button type="button" class="ar-cell {mood}" data-pick="{html.escape(policy)}|{number}" '
            f'aria-pressed="{str(here).lower()}" aria-label="{escape(name)}" title="{escape(name)}">{word}</button>'
        )
