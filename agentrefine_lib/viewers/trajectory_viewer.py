"""Thousands of trajectories, episodes or conversations in a notebook: filter, search, page, take notes, export."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from agentrefine_lib.schema import Journal, Record, atomic_write, read_jsonl
from agentrefine_lib.viewers.index import MASKED, Entry, Index, Source
from agentrefine_lib.viewers.page import CSS, document, folded, page
from agentrefine_lib.viewers.render import record_page

HERE = Path(__file__).parent


class Note(Record):
    """What a reader wrote about a record; of several notes on one record the last counts."""

    id: str
    note: str
    tags: list[str]


class TrajectoryViewer(anywidget.AnyWidget):
    """``TrajectoryViewer("runs/laptop/synthesis/trajectories.jsonl")``: a file, a folder of JSONL files, or records.

    ``filters`` can be set from Python, too: engine, player, outcome, error, refinement, shortest, longest, search.
    Notes go to ``out/notes.jsonl``; what is ticked, or else what the filters leave, to ``out/selection.jsonl`` or
    ``.html``. Raises SchemaError for what is no record.
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
        left = [n for n, entry in enumerate(self._index.entries) if _passes(entry, wanted)]
        if "search" in wanted:
            left = self._index.search(wanted["search"], left)
        self._left = left
        with self.hold_sync():
            self.count, self.version = len(left), self.version + 1
            self.status = f"{len(left)} of {len(self._index)} records"
            self.selected = 0 if left else -1
            self._show()

    def _show(self) -> None:
        body, name = "<p>No record passes the filters.</p>", ""
        if 0 <= self.selected < len(self._left):
            record = self._index.record(self._left[self.selected])
            body, name = record_page(record), record.id
        note = self._notes.get(name, Note(id=name, note="", tags=[]))
        with self.hold_sync():  # one message, so that page and number agree
            self.body, self.note, self.shown = body, note.model_dump(), self.selected

    def _on_message(self, _: Any, content: Mapping[str, Any], buffers: Any) -> None:
        if "rows" in content and content["version"] == self.version:
            first, last = content["rows"]
            rows = [_row(n, self._index.entries[n]) for n in self._left[first:last]]
            self.send({"rows": rows, "from": first, "version": self.version})
        elif "next_error" in content:
            self._next_error(content["next_error"])
        elif "note" in content:
            self.save_note(content["note"], content["tags"].split(","), content["id"])
        elif "write" in content:
            self.status = f"written: {self.export(content['write'])}"

    def _next_error(self, here: int) -> None:
        for number in range(here + 1, len(self._left)):
            if self._index.entries[self._left[number]].errors:
                self.selected = number
                return
        self.status = "no later record holds an error"

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
        self.status = f"noted on {name}: {self._out / 'notes.jsonl'}"

    def export(self, form: str) -> Path:
        """Write what is ticked, or else all that the filters leave. Raises ValueError for no such form."""
        if form not in ("jsonl", "html"):
            raise ValueError(f"form: found {form!r}, expected jsonl or html")
        numbers = sorted(self.ticked) or self._left
        path = self._out / f"selection.{form}"
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


def _facets(entry: Entry) -> dict[str, set[str]]:
    """What a filter may ask of a record, by the filter's name."""
    errors = {kind for kinds in entry.errors for kind in kinds.split(", ")}
    return {
        "engine": {entry.group},
        "player": {entry.player},
        "outcome": {entry.outcome},
        "error": errors | {"with errors" if errors else "without errors"},
        "refinement": {"with refinement" if entry.refinements else "without refinement"},
    }


def _choices(entries: Iterable[Entry]) -> dict[str, list[str]]:
    found = defaultdict[str, set[str]](set)
    for entry in entries:
        for name, values in _facets(entry).items():
            found[name] |= values - {""}
    return {name: sorted(values) for name, values in found.items() if len(values) > 1}


def _passes(entry: Entry, wanted: Mapping[str, Any]) -> bool:
    long_enough = wanted.get("shortest", 0) <= entry.length <= wanted.get("longest", entry.length)
    return long_enough and all(wanted.get(name) in (None, *values) for name, values in _facets(entry).items())


def _row(number: int, entry: Entry) -> dict[str, Any]:
    mark = {"success": "✓", "no success": "✗"}.get(entry.outcome, "·")
    kind = MASKED if MASKED in entry.errors else "refused"
    facts = [f"{mark} {entry.length} actions"]
    facts += [f"{len(entry.errors)} {kind}"] if entry.errors else []
    facts += [f"{entry.refinements} corrected"] if entry.refinements else []
    facts += [entry.group, entry.player]
    return {"number": number, "title": entry.id, "facts": " · ".join(fact for fact in facts if fact)}
