"""The executed chapters of a run as a site: ``python -m agentrefine_lib.results.book laptop``, or ``make book``.

Every page opens from disk, holds all that it needs and fetches nothing. What a notebook holds is a stranger's text: it
goes through nbconvert's sanitiser, and a page runs no script but ours, which its security policy names by its hash.
"""

import argparse
import base64
import hashlib
import io
import re
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.mathtext import math_to_image
from nbconvert import HTMLExporter
from nbconvert.preprocessors.sanitize import SanitizeHTML

from agentrefine_lib.dataset.card import templates
from agentrefine_lib.results.artefacts import alt_text, load_artefacts
from agentrefine_lib.results.readme import compared, told_run
from agentrefine_lib.runner import ProfileError, load_profile, repository
from agentrefine_lib.runner.profile import Profile
from agentrefine_lib.schema import atomic_write_text
from agentrefine_lib.viewers.page import CSS, escape, folded

HERE = Path(__file__).parent
SHOWN = ("text/html", "text/plain")  # of what is neither a picture nor a widget
WIDGET = "application/vnd.jupyter.widget-view+json"
MAIN = "fig1_overall"
STATIC = "A widget, as the run left it. To use it: make lab, then open {} and run its cells."
BAR = re.compile(r"^.*\d+%\|.*\n?", re.MULTILINE)  # a line of a progress bar
FORMULA = re.compile(r"\$\$([^$]+)\$\$|\$(\S(?:[^$\n]*\S)?)\$(?!\d)")
HEADING = re.compile(r'<h[12] id="([^"]*)">(.*?)<a class="anchor-link".*?</h[12]>')
TAGS = """a b blockquote br button caption code dd details div dl dt em figcaption figure h1 h2 h3 h4 hr i img ins li
mark ol p pre progress s span strong sub summary sup table tbody td th thead tr u ul""".split()  # noqa: SIM905 -- one line
ATTRIBUTES = set(
    """alt aria-label aria-pressed class colspan max open role rowspan scope start style tabindex title type value
width""".split()  # noqa: SIM905
)


class Section(NamedTuple):
    """A part of a chapter, from one heading to the next: what the contents list and the search finds."""

    anchor: str
    title: str
    text: str


class Chapter(NamedTuple):
    """An executed notebook as a page. ``body`` is sanitised HTML; ``picture`` is its first figure, as a data URL."""

    name: str
    title: str
    opening: str
    body: str
    sections: list[Section]
    picture: str


def build(profile: Profile) -> Path:
    """Write ``book/`` beside the figures and return its index. Raises FileNotFoundError where nothing was executed."""
    folder, executed = profile.figures_dir / "book", profile.run_dir / "notebooks"
    captions = {artefact.id: artefact.title for artefact in load_artefacts(profile.root)}
    there = {n.name: executed / n.source.name for n in profile.notebooks if (executed / n.source.name).exists()}
    chapters = [read_chapter(path, captions) for path in there.values()]
    if not chapters:
        mend = f"run make reproduce PROFILE={profile.name}"
        raise FileNotFoundError(f"{profile.shown(executed)}: no chapter was executed yet: {mend}")
    script = (HERE / "book.js").read_text(encoding="utf-8")
    template = templates("agentrefine_lib.results", autoescape=True).get_template("book.html.jinja")
    told = {
        "chapters": chapters,
        "missing": [notebook.name for notebook in profile.notebooks if notebook.name not in there],
        "profile": profile.name,
        **first_page(profile, captions),
        "css": Markup(CSS + (HERE / "book.css").read_text(encoding="utf-8")),
        "script": Markup(script),
        "policy": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "index": [[f"{c.name}.html#{s.anchor}", c.title, s.title, s.text] for c in chapters for s in c.sections],
    }
    for here in ("index", "search", *chapters):
        name = here.name if isinstance(here, Chapter) else here
        atomic_write_text(folder / f"{name}.html", template.render(told, here=here))
    return folder / "index.html"


def first_page(profile: Profile, captions: Mapping[str, str]) -> dict[str, Any]:
    """What the first page shows: the main figure, and what the run found; nothing where it was not evaluated."""
    figures, picture = profile.figures_dir, profile.figures_dir / f"{MAIN}.png"
    if not all(path.exists() for path in (figures / "manifest.json", figures / "tab1_main.csv", picture)):
        return {"found": []}
    return {
        "found": compared(figures, profile.root),
        "told": told_run(figures, profile.root).replace("`", ""),
        "picture": f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}",
        "alt": alt_text(picture, captions[MAIN]),
        "caption": captions[MAIN],
    }


def read_chapter(path: Path, captions: Mapping[str, str]) -> Chapter:
    """An executed notebook as a chapter; ``captions`` has the titles of artefacts."""
    book, pictures = nbformat.read(path, as_version=4), dict[str, str]()
    book.metadata.pop("widgets", None)  # their state, which only a kernel's page could use
    head = next((cell.source for cell in book.cells if cell.source.startswith("# ")), f"# {path.stem}")
    title, opening, *_ = [*re.sub(r"[*`]", "", head).split("\n\n"), ""]
    for cell in book.cells:
        if cell.cell_type == "markdown":
            cell.source = FORMULA.sub(partial(formula, pictures), cell.source)
        else:
            for output in cell.get("outputs", []):
                if "text" in output:
                    output.text = BAR.sub("", output.text)
            outputs = [output for output in cell.get("outputs", []) if not is_bar(output)]
            cell.outputs = [settled(output, path.name, captions, pictures) for output in outputs]
    exporter = HTMLExporter(template_name="basic", anchor_link_text="#")
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    html = re.sub(r"<style.*?</style>", "", exporter.from_notebook_node(book)[0], flags=re.DOTALL)
    html = re.sub(r'(href="\w+)\.ipynb', r"\1.html", html)
    styles = ["max-height", "text-align", "vertical-align"]
    body = SanitizeHTML(tags=TAGS, attributes=allowed, styles=styles, strip=True).sanitize_html_tags(html)
    parts = list(sections(body))
    for place, data in pictures.items():
        body = body.replace(f'src="{place}"', f'src="{data}"')
    first = next((data for data in pictures.values() if "image/png" in data), "")
    return Chapter(path.stem, title.lstrip("# "), opening, Markup(body), parts, first)


def allowed(tag: str, name: str, value: str) -> bool:
    """Whether an attribute may stay: no handler, nothing that is loaded, links to the web or inside the book."""
    if name in ("href", "src", "id"):
        fit = {"a": r"https?://|#|\w+\.html(#|$)", "img": r"picture-\d+$", "h1": r"\S", "h2": r"\S", "h3": r"\S"}
        return {"a": "href", "img": "src"}.get(tag, "id") == name and bool(re.match(fit.get(tag, r"(?!)"), value))
    return name in ATTRIBUTES


def is_bar(output: Any) -> bool:
    """Whether an output is another package's progress bar: a widget that carries no page, or lines that are gone."""
    return not output.get("text", "text") or (WIDGET in output.get("data", {}) and "text/html" not in output["data"])


def settled(output: Any, name: str, captions: Mapping[str, str], pictures: dict[str, str]) -> Any:
    """An output as a page can show it: a figure with its caption, what a widget carries, warnings folded."""
    data, html = output.get("data", {}), ""
    if "image/png" in data:
        told = output.metadata.get("image/png", {})
        alt = told.get("alt", "")
        caption = captions.get(told.get("artefact", "")) or re.split(r"\.\s", alt)[0] or f"A figure of {name}"
        place = keep(pictures, "png", re.sub(r"[^\w+/=]", "", data["image/png"]))
        html = f'<figure><img src="{place}" alt="{escape(alt or caption)}" width="700"><figcaption>'
        html += f"{escape(caption)}</figcaption></figure>"
    elif WIDGET in data:
        told = escape(STATIC.format(name))
        html = f'<figure class="widget">{data["text/html"]}<figcaption>{told}</figcaption></figure>'
    elif output.get("name") == "stderr":
        html = folded("warnings", f"<pre>{escape(output.text)}</pre>")
    if html or data:
        data = {"text/html": html} if html else {kind: data[kind] for kind in SHOWN if kind in data}
        return nbformat.v4.new_output("display_data", data)
    return output


def keep(pictures: dict[str, str], kind: str, data: str) -> str:
    """Keep a picture in base64; returns the name that holds its place until the page is sanitised."""
    place = f"picture-{len(pictures)}"
    pictures[place] = f"data:image/{kind};base64,{data}"
    return place


def formula(pictures: dict[str, str], found: re.Match[str]) -> str:
    """A formula of a Markdown cell as a picture with its TeX as the alternative text; as it is where it is none."""
    drawn, tex = io.BytesIO(), " ".join((found[1] or found[2]).split())
    try:
        with rc_context({"figure.facecolor": "none", "svg.hashsalt": "book"}):  # the same bytes each time
            depth = math_to_image(f"${tex}$", drawn, dpi=72, format="svg")
    except ValueError:
        return found[0]
    undated = re.sub(rb"<dc:date>.*?</dc:date>", b"", drawn.getvalue())
    place = keep(pictures, "svg+xml", base64.b64encode(undated).decode())
    image = f'<img class="formula" src="{place}" alt="{escape(tex)}" style="vertical-align: -{depth:.0f}px">'
    return f'<div class="formula">{image}</div>' if found[1] else image


def sections(body: str) -> Iterator[Section]:
    """The parts of a chapter, with their words."""
    for part in re.split(r'(?=<h[12] id=")', body):
        if head := HEADING.match(part):
            words = re.sub(r"<(?!/?(span|code|em|strong|a|b|i|ins|s)\b)[^>]*>", " ", part[head.end() :])
            title, told = (unescape(re.sub(r"<[^>]*>", "", text)) for text in (head[2], words))
            yield Section(unescape(head[1]), title, " ".join(told.split()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="book", description="The executed chapters of a run as a site.")
    parser.add_argument("profile", nargs="?", default="laptop", help="whose run (default: laptop)")
    try:
        profile = load_profile(parser.parse_args().profile, repository())
        print(f"{profile.name}: its executed chapters become {profile.shown(profile.figures_dir)}/book", flush=True)
        print(f"open {profile.shown(build(profile))}")
    except (FileNotFoundError, ProfileError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
