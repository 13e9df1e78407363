"""The pieces that every page is made of: plain HTML, escaped, one style sheet, no JavaScript.

Text comes from models and files, so whatever enters here as ``str`` is escaped here, and what would hide itself or turn
round what stands beside it is written out: NUL and other controls, overrides of direction, tags. Where a host strips
the style (as GitHub does) words, underlines and strike-throughs are left: colour is never the only signal.
"""

import html
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from IPython.display import HTML
from pydantic import JsonValue

CSS = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
MAX_CHARS = 1_500  # of one text that are shown at once
BARS = "▁▂▃▄▅▆▇█"
_HIDING = re.compile(  # not the joiners U+200C and U+200D, which Persian and emoji are written with
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def escape(content: str) -> str:
    """A text as HTML that shows all of it: ``<b>`` as such, a character that would not show as its number."""
    return html.escape(_HIDING.sub(lambda found: f"\\u{ord(found[0]):04x}", content))


def text(content: str) -> str:
    """A text with its line breaks; what is beyond MAX_CHARS waits behind "more"."""
    if len(content) <= MAX_CHARS:
        return f"<pre>{escape(content)}</pre>"
    rest = content[MAX_CHARS:]
    more = folded(f"more ({len(rest)} characters)", f"<pre>{escape(rest)}</pre>")
    return f"<pre>{escape(content[:MAX_CHARS])}…</pre>{more}"


def block(label: str, body: str, mood: str = "", attributes: str = "") -> str:
    """A labelled part of a page. ``body`` is HTML; ``mood`` is good, bad, say or nothing."""
    return f'<div class="ar-block {mood}" {attributes}><div class="ar-label"><b>{escape(label)}</b></div>{body}</div>'


def folded(label: str, body: str) -> str:
    """HTML that waits behind its label."""
    return f"<details><summary>{escape(label)}</summary>{body}</details>"


def tree(value: JsonValue, label: str) -> str:
    """Nested JSON as nested folds; leaves as one line."""
    inside = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    if not inside:
        told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return f"<div>{escape(label)}: <code>{escape(told)}</code></div>"
    leaves = "".join(tree(item, str(name)) for name, item in inside)
    return f'<details><summary>{escape(label)} ({len(inside)})</summary><div class="ar-tree">{leaves}</div></details>'


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A small table; every cell is escaped."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def sparkline(values: Iterable[float]) -> str:
    """Numbers in [0, 1] as text, so that it shows everywhere: ``▁▁▄▄█``."""
    return "".join(BARS[round(value * (len(BARS) - 1))] for value in values)


def page(body: str, name: str, height: int | None = None) -> str:
    """A part of a notebook page: body, style, and a name for screen readers; it scrolls beyond ``height`` pixels."""
    limit = f' style="max-height:{height}px"' if height else ""
    region = f'role="region" aria-label="{escape(name)}" tabindex="0"{limit}'
    # MathJax, versions 3 and 2: a text may hold $\href{javascript:…}{…}$, which it would make a link of
    return f'<style>{CSS}</style><div class="ar mathjax_ignore tex2jax_ignore" {region}>{body}</div>'


def html_page(body: str, name: str, height: int | None = None) -> HTML:
    """The page as what a cell displays."""
    return HTML(page(body, name, height))


def document(body: str, title: str) -> str:
    """A file of its own that opens from disk."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    style = "<style>:root{color-scheme:light dark}body{margin:1em auto;max-width:70em;padding:0 1em}</style>"
    return f'<!doctype html><html lang="en"><head>{head}{style}</head><body>{page(body, title)}</body></html>\n'
