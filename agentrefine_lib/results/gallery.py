"""The executed notebooks of a profile as a folder of pages: ``python -m agentrefine_lib.results.gallery laptop``.

It opens from disk and needs no server and no network; only formulas are set nicely where MathJax can be fetched.
"""

from __future__ import annotations

import re
import sys
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from nbconvert import HTMLExporter

from agentrefine_lib.runner.profile import Profile, ProfileError, load_profile
from agentrefine_lib.runner.workspace import repository
from agentrefine_lib.schema import atomic_write_text
from agentrefine_lib.viewers.page import document

NO_ALT = 'alt="No description has been provided for this image"'  # nbconvert's own template drops ours


def build(profile: Profile) -> Path:
    """Write ``gallery/`` in the run folder and return its index. Raises FileNotFoundError where nothing was run."""
    gallery = profile.run_dir / "gallery"
    entries = []
    for notebook in profile.notebooks:
        executed = profile.run_dir / "notebooks" / notebook.source.name
        if executed.exists():
            book = nbformat.read(executed, as_version=4)
            title, told = opening(book)
            atomic_write_text(gallery / f"{notebook.name}.html", page_of(book, title))
            entries.append((notebook.name, title, told))
    if not entries:
        raise FileNotFoundError(f"{profile.shown(profile.run_dir)}/notebooks: nothing was executed: run make reproduce")
    items = "".join(
        f'<h2><a href="{name}.html">{escape(title)}</a></h2><p>{escape(told)}</p>' for name, title, told in entries
    )
    atomic_write_text(
        gallery / "index.html", document(f"<h1>AgentRefine, as notebooks</h1>{items}", f"AgentRefine: {profile.name}")
    )
    return gallery / "index.html"


def page_of(book: Any, title: str) -> str:
    """A notebook as HTML. Widgets become the pages that they carry: without a kernel their controls would be dead."""
    book.metadata.pop("widgets", None)
    book.cells.insert(0, nbformat.v4.new_markdown_cell("[All chapters](index.html)"))
    html, _ = HTMLExporter(require_js_url="").from_notebook_node(book, {"metadata": {"name": title}})
    shown = [output.metadata for cell in book.cells for output in cell.get("outputs", []) if "metadata" in output]
    told = iter([image["image/png"].get("alt", "") for image in shown if "image/png" in image])
    html = re.sub(NO_ALT, lambda _: f'alt="{escape(next(told, ""))}"', str(html))
    return html.replace('<script src=""></script>', "")  # it loads modules of widgets, of which there are none


def opening(book: Any) -> tuple[str, str]:
    """Title and first paragraph."""
    title, _, rest = book.cells[0].source.partition("\n\n")
    return title.lstrip("# "), re.sub(r"[*`]", "", rest.partition("\n\n")[0].replace("\n", " ")).rstrip(",:")


if __name__ == "__main__":
    try:
        chosen = load_profile(sys.argv[1], repository())
        print(
            f"{chosen.name}: its executed notebooks become pages in {chosen.shown(chosen.run_dir)}/gallery", flush=True
        )
        print(f"open {build(chosen)}")
    except (FileNotFoundError, ProfileError) as error:
        sys.exit(str(error))
