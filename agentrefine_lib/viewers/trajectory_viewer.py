"""Thousands of trajectories, episodes or conversations in a notebook: filter, search, page, take notes, export."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from statistics import fmean
from typing import Any

import anywidget
import traitlets
from pydantic_core import from_json

from agentrefine_lib.schema import Journal, Record, atomic_write, read_jsonl
from agentrefine_lib.viewers.index import MASKED, Entry, Index, Source
from agentrefine_lib.viewers.page import CSS, document, folded, page, text
from agentrefine_lib.viewers.render import record_page

HERE = Path(__file__).parent
ORDERS: dict[str, Callable[[Entry], float]] = {  # of the list; without one, that of the files
    "most actions": lambda entry: -entry.length,
    "most errors": lambda entry: -len(entry.errors),
    "most corrected": lambda entry: -entry.refinements,
    "most progress": lambda entry: -1 if entry.progress is None else -1 - entry.progress,
    "least progress": lambda entry: 2 if entry.progress is None else entry.progress,
}


class Note(Record):
    """What a reader wrote about a record; of several notes on one record the last counts."""

    id: str
    note: str
    tags: list[str]


class TrajectoryViewer(anywidget.AnyWidget):
    """``TrajectoryViewer("runs/laptop/synthesis/trajectories.jsonl")``: a file, a folder of JSONL files, or records.

    ``filters`` can be set from Python, too: engine, player, outcome, error, refinement, noted, shortest, longest,
    search, and sort, one of ``ORDERS``; ``show`` selects a record by its id. The line above the list tells of what the
    filters leave: how many succeeded, errors, how many of them were corrected, mean progress, notes. Notes go to
    ``out/notes.jsonl``; what is ticked, or else what the filters leave, to ``out/selection.jsonl`` or ``.html``, or
    ``selection-2`` where there is one. Raises SchemaError for what is no record.
    """

    _esm = HERE / "trajectory_viewer.js"
    _css = CSS + (HERE / "trajectory_viewer.css").read_text(encoding="utf-8")

    choices = traitlets.Dict().tag(sync=True)
    filters = traitlets.Dict().tag(sync=True)
    version = traitlets.Int().tag(sync=True)  # of the filtered list
    count = traitlets.Int().tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)  # number in the filtered list
    ticked = traitlets.List(traitlets.Int()).tag(sync=True)  # numbers of records
    body = traitlets.Unicode().tag(sync=True)
    shown = traitlets.Int(-1).tag(sync=True)  # whose page that is; it trails behind ``selected``
    note = traitlets.Dict({"id": "", "note": "", "tags": []}).tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)

    def __init__(self, source: Source, out: Path | str = ".") -> None:
        self._index = Index(source)
        self._out = Path(out)
        self._notes = self._read_notes()
        self._left: list[int] = []
        super().__init__(choices=_choices(self._index.entries))
        self.on_msg(self._on_message)
        self.observe(lambda _: self._filter(), "filters")
        self.observe(lambda _: self._show(), "selected")
        self._filter()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Where no widget can live, the first record as a page."""
        data, metadata = super()._repr_mimebundle_(**options) or ({}, {})
        return data | {"text/html": page(self.body, "trajectory viewer", 520)}, metadata

    def _filter(self) -> None:
        wanted = {name: value for name, value in self.filters.items() if value not in ("", None)}
        left = [n for n, entry in enumerate(self._index.entries) if _passes(entry, wanted, entry.id in self._notes)]
        if "search" in wanted:
            left = self._index.search(wanted["search"], left)
        entries = self._index.entries
        if order := ORDERS.get(wanted.get("sort", "")):
            left.sort(key=lambda n: order(entries[n]))
        self._left = left
        with self.hold_sync():
            self.count, self.version = len(left), self.version + 1
            self.status = " · ".join([f"{len(left)} of {len(self._index)} records", *_told([entries[n] for n in left])])
            if noted := sum(entries[n].id in self._notes for n in left):
                self.status += f" · {noted} noted"
            self.selected = 0 if left else -1
            self._show()

    def _show(self) -> None:
        body, name = "<p>No record passes the filters.</p>", ""
        if 0 <= self.selected < len(self._left):
            number = self._left[self.selected]
            record, raw = self._index.record(number), from_json(self._index.line(number))
            as_json = text(json.dumps(raw, ensure_ascii=False, indent=1))
            body, name = record_page(record) + folded(f"as JSON: {self._index.name(number)}", as_json), record.id
        note = self._notes.get(name, Note(id=name, note="", tags=[]))
        with self.hold_sync():  # one message, so that page and number agree
            self.body, self.note, self.shown = body, note.model_dump(), self.selected

    def _on_message(self, _: Any, content: Mapping[str, Any], buffers: Any) -> None:
        if "rows" in content and content["version"] == self.version:
            first, last = content["rows"]
            self._send_rows(first, last)
        elif "next_error" in content:
            self._to_error(range(content["next_error"] + 1, len(self._left)), "later")
        elif "previous_error" in content:
            self._to_error(range(content["previous_error"] - 1, -1, -1), "earlier")
        elif "note" in content:
            self.save_note(content["note"], content["tags"].split(","), content["id"])
        elif "write" in content:
            self.status = f"written: {self.export(content['write'])}"

    def _send_rows(self, first: int, last: int) -> None:
        found = [(n, self._index.entries[n]) for n in self._left[first:last]]
        rows = [_row(n, entry, entry.id in self._notes) for n, entry in found]
        self.send({"rows": rows, "from": first, "version": self.version})

    def _to_error(self, numbers: Iterable[int], where: str) -> None:
        for number in numbers:
            if self._index.entries[self._left[number]].errors:
                self.selected = number
                return
        self.status = f"no {where} record holds an error"

    def show(self, name: str) -> None:
        """Select the record of that id, without filters. Raises ValueError where there is none."""
        number = next((n for n, entry in enumerate(self._index.entries) if entry.id == name), None)
        if number is None:
            raise ValueError(f"id: found no record {name!r}")
        self.filters = {}
        self.selected = number

    def save_note(self, note: str, tags: Iterable[str], name: str = "") -> None:
        """Append a note on the record of that id, by default the selected one, to ``out/notes.jsonl``."""
        name = name or str(self.note["id"])  # a browser names the record that it shows: a filter may be under way
        if not name:
            return
        name, note, *tags = (text.encode(errors="replace").decode() for text in (name, note, *tags))
        kept = Note(id=name, note=note, tags=[tag.strip() for tag in tags if tag.strip()])
        with Journal(self._out / "notes.jsonl", Note, key=lambda noted: noted.id) as notes:
            notes.append(kept)
        self._notes[name] = kept
        here = next((at for at, n in enumerate(self._left) if self._index.entries[n].id == name), 0)
        self._send_rows(here, here + 1)  # its row shows the note now
        self.status = f"noted on {name}: {self._out / 'notes.jsonl'}"

    def export(self, form: str) -> Path:
        """Write what is ticked, or else all that the filters leave. Raises ValueError for no such form."""
        if form not in ("jsonl", "html"):
            raise ValueError(f"form: found {form!r}, expected jsonl or html")
        numbers = sorted(self.ticked) or self._left
        names = (self._out / f"selection{f'-{n}' * (n > 1)}.{form}" for n in count(1))
        path = next(name for name in names if not name.exists())
        with atomic_write(path) as part:
            if form == "jsonl":
                part.write_bytes(b"".join(self._index.line(n).rstrip(b"\n") + b"\n" for n in numbers))
            else:
                pages = [folded(r.id, record_page(r)) for r in map(self._index.record, numbers)]
                part.write_text(document("".join(pages), f"{len(numbers)} records"), encoding="utf-8")
        return path

    def _read_notes(self) -> dict[str, Note]:
        path = self._out / "notes.jsonl"
        return {note.id: note for note in read_jsonl(path, Note, growing=True)} if path.exists() else {}


def _facets(entry: Entry, noted: bool = False) -> dict[str, set[str]]:
    """What a filter may ask of a record, by the filter's name; ``noted``: whether a reader wrote a note on it."""
    errors = {kind for kinds in entry.errors for kind in kinds.split(", ")}
    return {
        "engine": {entry.group},
        "player": {entry.player},
        "outcome": {entry.outcome},
        "error": errors | {"with errors" if errors else "without errors"},
        "refinement": {"with refinement" if entry.refinements else "without refinement"},
        "noted": {"with a note" if noted else "without a note"},
    }


def _choices(entries: Sequence[Entry]) -> dict[str, list[str]]:
    found = defaultdict[str, set[str]](set)
    for entry in entries:
        for name, values in _facets(entry).items():
            found[name] |= values - {""}
    orders = [name for name in ORDERS if "progress" not in name or any(e.progress is not None for e in entries)]
    found["noted"] = {"with a note", "without a note"}
    return {name: sorted(values) for name, values in found.items() if len(values) > 1} | {"sort": orders}


def _told(entries: Sequence[Entry]) -> list[str]:
    """What records have in common, in words."""
    ends = [entry.outcome == "success" for entry in entries if entry.outcome]
    reached = [entry.progress for entry in entries if entry.progress is not None]
    errors, mended = sum(len(entry.errors) for entry in entries), sum(entry.refinements for entry in entries)
    told = [f"{sum(ends)} succeeded ({100 * fmean(ends):.0f} %)"] if ends else []
    told += [f"{errors / len(entries):.1f} errors each"] if errors else []
    told += [f"{100 * mended / errors:.0f} % corrected"] if errors and ends else []
    return told + ([f"mean progress {fmean(reached):.2f}"] if reached else [])


def _passes(entry: Entry, wanted: Mapping[str, Any], noted: bool) -> bool:
    long_enough = wanted.get("shortest", 0) <= entry.length <= wanted.get("longest", entry.length)
    return long_enough and all(wanted.get(name) in (None, *values) for name, values in _facets(entry, noted).items())


def _row(number: int, entry: Entry, noted: bool) -> dict[str, Any]:
    mark = {"success": "✓", "no success": "✗"}.get(entry.outcome, "·")
    kind = MASKED if MASKED in entry.errors else "refused"
    facts = ["✎ noted"] * noted + [f"{mark} {entry.length} actions"]
    facts += [f"{len(entry.errors)} {kind}"] if entry.errors else []
    facts += [f"{entry.refinements} corrected"] if entry.refinements else []
    facts += [entry.group, entry.player]
    return {"number": number, "title": entry.id, "facts": " · ".join(fact for fact in facts if fact)}
