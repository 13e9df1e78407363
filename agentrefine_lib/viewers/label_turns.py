"""Turns that a person labels as right or as an error, without seeing what the dungeon master made of them."""

from collections.abc import Sequence
from os.path import relpath
from pathlib import Path

import ipywidgets as widgets

from agentrefine_lib.schema import DMTurn, Journal, Trajectory, Turn, atomic_write_text, format_reply
from agentrefine_lib.verify.judge import Label, read_labels, turns_to_label
from agentrefine_lib.viewers.page import block, folded, text
from agentrefine_lib.viewers.pane import Pane, Panel, toolbar
from agentrefine_lib.viewers.render import script_page

NAMELESS = "write the name of a file beside the buttons first"


class LabelTurns(Panel):
    """``LabelTurns(trajectories, run / "labels.jsonl")``: of ``count`` trajectories one turn that the dungeon master
    flagged and one that it did not, in an order drawn by ``seed``, as in the paper's figure 10.

    A label is appended to the file at once. *Import* adds the labels of another such file, *export* writes all of them
    to one. Raises SchemaError where the file holds anything else.
    """

    def __init__(self, trajectories: Sequence[Trajectory], path: Path | str, count: int = 50, seed: int = 0) -> None:
        self._path, self._turns = Path(path), turns_to_label(trajectories, count, seed)
        self._labels = read_labels(self._path)
        self._at = 0
        self._page, self._status = Pane(name="the turn", height=420), Pane(name="what is labelled")
        self._file = widgets.Text(placeholder="labels.jsonl", description="file", layout=widgets.Layout(width="24em"))
        buttons = []
        for name, press in {
            "right": lambda: self.label(False),
            "error": lambda: self.label(True),
            "back": lambda: self._go(-1),
            "skip": lambda: self._go(1),
            "import": lambda: self.import_labels(self._file.value),
            "export": lambda: self.export_labels(self._file.value),
        }.items():
            button = widgets.Button(description=name, layout=widgets.Layout(width="6em"))
            button.on_click(lambda _, press=press: press())
            buttons.append(button)
        super().__init__("labels", [self._page, toolbar(*buttons, self._file), self._status])
        self._at = next((i for i, (t, turn) in enumerate(self._turns) if (t.id, turn) not in self._labels), 0)
        self._go(0)

    def label(self, error: bool) -> None:
        """Label the turn that is shown, and go on to the next."""
        if self._turns:
            trajectory, turn = self._turns[self._at]
            self._keep(Label(trajectory=trajectory.id, turn=turn, error=error))
            self._go(1)

    def import_labels(self, path: Path | str) -> None:
        """Add the labels of a file; on a turn that has one they count."""
        if not str(path) or not Path(path).is_file():
            self._status.body = text(f"no file {path}: nothing was read" if str(path) else NAMELESS)
            return
        for label in read_labels(path).values():
            self._keep(label)
        self._go(0)

    def export_labels(self, path: Path | str) -> None:
        """Write all labels to a file, one a turn."""
        if not str(path):
            self._status.body = text(NAMELESS)
            return
        atomic_write_text(Path(path), "".join(f"{label.to_json()}\n" for label in self._labels.values()))
        self._status.body = text(f"{len(self._labels)} labels written to {path}")

    def _keep(self, label: Label) -> None:
        with Journal(self._path, Label, key=lambda kept: f"{kept.trajectory} {kept.turn}") as journal:
            journal.append(label)
        self._labels[label.trajectory, label.turn] = label

    def _go(self, by: int) -> None:
        if not self._turns:
            self._status.body = text("no trajectory holds both a right turn and an error")
            return
        self._at = (self._at + by) % len(self._turns)
        trajectory, turn = self._turns[self._at]
        before = [said for said in trajectory.turns if said.turn <= turn]
        shown = "".join(_said(said, said.turn == turn) for said in before)
        self._page.body = folded("The script", script_page(trajectory.script)) + shown
        label = self._labels.get((trajectory.id, turn))
        told = "not labelled yet" if label is None else f"labelled: {'error' if label.error else 'right'}"
        done = sum((t.id, n) in self._labels for t, n in self._turns)
        self._status.body = text(
            f"turn {self._at + 1} of {len(self._turns)}, {told}; {done} labelled in {relpath(self._path)}"
        )


def _said(turn: Turn, asked: bool) -> str:
    if isinstance(turn, DMTurn):
        return block(f"{turn.turn} · DM", text(turn.observation))
    told = text(format_reply(turn.thought, turn.action))
    return block(f"{turn.turn} · Player{': right, or an error?' if asked else ''}", told, "say" if asked else "")
