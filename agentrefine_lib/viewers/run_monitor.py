"""A running synthesis or rollout, watched through the files that it appends to."""

import asyncio
import time
from collections import Counter, deque
from contextlib import suppress
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from pydantic_core import from_json

from agentrefine_lib.schema import SchemaError, read_lines
from agentrefine_lib.viewers.index import parse_record
from agentrefine_lib.viewers.page import block, folded, table, text
from agentrefine_lib.viewers.pane import Pane, Panel, toolbar
from agentrefine_lib.viewers.render import record_page

RATE_OVER = 60.0  # seconds over which the speed is taken


class RunMonitor(Panel):
    """``RunMonitor(run / "synthesis", total=400)``: a JSONL file or a folder of them, read on as they grow.

    Works from any notebook, beside the run or after it; nothing is asked of the run itself. ``total`` is how many
    records are expected in each file, 0 when nobody knows. Looks again every ``every`` seconds while
    "follow" is ticked.
    """

    def __init__(self, path: Path | str, total: int = 0, every: float = 1.0) -> None:
        self._path, self._total, self._every = Path(path), total, every
        self._files: dict[Path, _Growing] = {}
        self._watch: asyncio.Task[None] | None = None
        self.following = widgets.Checkbox(
            value=True, description="follow", indent=False, layout=widgets.Layout(width="7em")
        )
        now = widgets.Button(description="Look now")
        self._numbers, self._last = Pane(name="counts"), Pane(name="the newest record", height=360)
        super().__init__("run monitor", [toolbar(self.following, now), self._numbers, self._last])
        now.on_click(lambda _: self.look())
        self.following.observe(lambda _: self._follow(), "value")
        self.look()
        self._follow()

    def look(self) -> None:
        """Read what was appended since, and show it."""
        paths = sorted(self._path.glob("*.jsonl")) if self._path.is_dir() else [self._path]
        for path in filter(Path.exists, paths):
            self._files.setdefault(path, _Growing(path)).read_on()
        pages = [block(path.name, file.page(self._total), "say") for path, file in self._files.items()]
        self._numbers.body = "".join(pages) or block("waiting", text(f"nothing at {self._path} yet"))
        grown = [file for file in self._files.values() if file.last]
        if grown:
            self._last.body = max(grown, key=lambda file: file.changed).last_page()

    def _follow(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # outside a notebook: look() is there
        if self._watch:
            self._watch.cancel()
        if self.following.value:
            self._watch = loop.create_task(self._look_on())

    async def _look_on(self) -> None:
        while self.following.value and self.comm is not None:  # a closed widget has none
            await asyncio.sleep(self._every)
            self.look()


class _Growing:
    """A file that is being appended to: each line is read once, as soon as it is whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begin()

    def _begin(self) -> None:
        self.last, self.changed = b"", 0.0
        self._offset = 0
        self._kinds: Counter[str] = Counter()
        self._seen: deque[tuple[float, int]] = deque()  # when, and how many records

    def read_on(self) -> None:
        if self.path.stat().st_size < self._offset:  # begun again
            self._begin()
        with suppress(SchemaError):  # a line without an end is looked at no further
            for _, offset, line in read_lines(self.path, self._offset, growing=True):
                self._offset = offset + len(line)
                self._kinds[_kind(line)] += 1
                self.last, self.changed = line, time.time()
        now = time.monotonic()
        self._seen.append((now, self._kinds.total()))
        while len(self._seen) > 2 and now - self._seen[0][0] > RATE_OVER:
            self._seen.popleft()

    def page(self, total: int) -> str:
        """How many of how many, how fast, how long still, and of which kinds."""
        (then, before), (now, count) = self._seen[0], self._seen[-1]
        if self._kinds and all(kind.startswith("✗") for kind in self._kinds):
            total = 0  # a file of rejections, which count towards nothing
        rate = 60 * (count - before) / (now - then) if now > then else 0.0
        words = [f"{count} of {total}" if total else f"{count} record{'s' * (count != 1)}", f"{rate:.1f} per minute"]
        if rate and total > count:
            left = (total - count) / rate
            words.append(f"about {left:.0f} minutes left" if left > 1 else "less than a minute left")
        bar = f'<progress max="{total}" value="{min(count, total)}" aria-label="progress"></progress> ' if total else ""
        return f"<div>{bar}{' · '.join(words)}</div>" + table(("what", "records"), self._kinds.most_common(12))

    def last_page(self) -> str:
        raw = _object(self.last)
        if "reason" in raw:
            return block(f"last: {raw.get('id', '')} · ✗ {raw['reason']}", text(str(raw.get("excerpt", ""))), "bad")
        try:
            return folded("the newest record", record_page(parse_record(self.last, self.path.name)))
        except SchemaError as error:
            return block("the newest record cannot be shown", text(str(error)), "bad")


def _kind(line: bytes) -> str:
    """Outcome of an episode, domain of a trajectory, reason of a rejection."""
    raw = _object(line)
    if "success" in raw and isinstance(raw.get("task"), dict):
        return f"{raw['task'].get('engine')}: {'✓ success' if raw['success'] else '✗ no success'}"
    return f"✗ {raw['reason']}" if "reason" in raw else str(raw.get("domain") or ("record" if raw else "✗ no record"))


def _object(line: bytes) -> dict[str, Any]:
    """The JSON object of a line; empty for anything else, which must not end the watch."""
    with suppress(ValueError):
        raw = from_json(line)
        return raw if isinstance(raw, dict) else {}
    return {}
