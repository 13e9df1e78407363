"""A page as a widget, and a panel of such pages and controls."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import traitlets

from agentrefine_lib.viewers.page import CSS, page


class Pane(anywidget.AnyWidget):
    """HTML in the house's style. An element with ``data-pick`` that is clicked sends its value as ``picked``."""

    _esm = Path(__file__).parent / "pane.js"
    _css = CSS

    name = traitlets.Unicode().tag(sync=True)  # for screen readers
    body = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(0).tag(sync=True)  # pixels; 0: as high as it is
    tail = traitlets.Bool(False).tag(sync=True)  # show the end of what is too high


class Panel(widgets.VBox):
    """Controls above panes. Where no widget can live its panes are shown as a page; keys never reach JupyterLab."""

    def __init__(self, name: str, children: Sequence[widgets.Widget]) -> None:
        super().__init__(children)
        self.add_class("ar-panel")
        self._name = name

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_(**options)
        body = "".join(child.body for child in self.children if isinstance(child, Pane))
        return bundle | {"text/html": page(body, self._name, 520)}


def dropdown(label: str, options: Sequence[Any], width: str = "22em") -> widgets.Dropdown:
    """A drop-down list whose label is not cut."""
    style, layout = {"description_width": "initial"}, widgets.Layout(width=width, max_width="99%")
    return widgets.Dropdown(options=options, description=label, style=style, layout=layout)


def toolbar(*children: widgets.Widget) -> widgets.HBox:
    """Controls beside each other that wrap in a narrow window."""
    return widgets.HBox(children, layout=widgets.Layout(flex_flow="row wrap"))
