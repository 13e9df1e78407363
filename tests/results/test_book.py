"""The book: pages that open from disk, say what they show, fetch nothing, and run no script of a notebook's."""

import base64
import hashlib
import json
import shutil
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from agentrefine_lib.results.book import HERE, WIDGET, build
from agentrefine_lib.results.readme import compared, told_run
from agentrefine_lib.runner.profile import Notebook, Profile
from agentrefine_lib.viewers.page import page, table

FIGURES = Path(__file__).parents[2] / "figures"
AWAY = "https://away.example"
ATTACK = f"""<script>harm()</script><img src=x onerror=harm()><img src="{AWAY}/i.png"><a href="javascript:harm()">go</a>
<svg onload=harm()></svg><iframe src="{AWAY}"></iframe><style>@import url({AWAY}/c)</style><link rel=icon href={AWAY}>
<div style="background: url({AWAY}/b)" onclick="harm()">told</div><base href={AWAY}><meta http-equiv=refresh content=0>
<form action={AWAY}><input autofocus onfocus=harm()></form><object data={AWAY}></object>"""
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
REGISTRY = "- {id: fig, title: A figure of <ours>, notebook: 01_first, columns: [a], reported: none}\n"
TOLD = "Ours is above. A bar per method, <&> its interval"


def shown(data, metadata=None):
    return new_output("display_data", data, metadata=metadata or {})


@pytest.fixture
def profile(tmp_path):
    """Two chapters, of which the first was executed and shows one of everything."""
    (tmp_path / "params").mkdir()
    (tmp_path / "params/artefacts.yaml").write_text(REGISTRY)
    outputs = [
        shown({"image/png": PIXEL}, {"image/png": {"alt": TOLD, "artefact": "fig"}}),
        shown({WIDGET: {}, "text/html": page(f"<b>goal</b>{ATTACK}", "viewer")}),
        shown({WIDGET: {}, "text/plain": "Loading weights: 100%"}),
        shown({"text/html": table(["a", "b"], [(1, "x"), (2, ATTACK)]) + ATTACK, "application/javascript": "harm()"}),
        shown({"image/png": f'"><script>harm()</script>{PIXEL}'}),
        new_output("stream", name="stderr", text="tuned: 100%|██| 8/8\n<script>harm()</script>"),
    ]
    cells = [
        new_markdown_cell("# 1 · First: a *chapter*\n\nIt opens the book:\n\nmore"),
        new_markdown_cell(
            f"## What is it worth?\n\nIts loss $\\theta_t$ </script> {ATTACK}\n\n[next](02_second.ipynb)"
        ),
        new_code_cell("print('quokka < wombat')", outputs=outputs, execution_count=1),
        new_markdown_cell(f"[the paper]({AWAY}/paper), [lost](../docs/lost.md) ![remote]({AWAY}/remote.png)"),
    ]
    made = tmp_path / "runs/tiny/notebooks/01_first.ipynb"
    made.parent.mkdir(parents=True)
    states = {"application/vnd.jupyter.widget-state+json": {"state": {"a": {"state": {"body": "a state"}}}}}
    nbformat.write(new_notebook(cells=cells, metadata={"widgets": states}), made)
    books = [Notebook(name, Path(f"{name}.ipynb"), [], [], {}, {}) for name in ("01_first", "02_second")]
    return Profile("tiny", tmp_path, tmp_path / "runs/tiny", tmp_path / "runs/tiny/figures", books)


def test_the_book_says_what_it_shows(profile):
    index = build(profile)
    start, chapter = (
        BeautifulSoup((index.parent / n).read_text(), "html.parser") for n in ("index.html", "01_first.html")
    )
    assert start.select_one(".chapter h2").text == "1 · First: a chapter"
    assert "It opens the book" in start.select_one(".chapter p").text
    assert "Not executed in this run: 02_second" in start.text
    figure, widget, other = chapter.select("main figure")
    assert (figure.img["alt"], figure.figcaption.text) == (TOLD, "A figure of <ours>")
    assert "make lab, then open 01_first.ipynb" in widget.figcaption.text and widget.b.text == "goal"
    assert other.figcaption.text == "A figure of 01_first.ipynb"
    assert "Loading weights" not in chapter.text and "a state" not in chapter.text
    assert chapter.select_one("img.formula")["alt"] == r"\theta_t"
    assert [cell.text for cell in chapter.select("thead th")] == ["a", "b"]
    assert chapter.select_one("details pre").text == "<script>harm()</script>"  # and the bar is gone
    found = json.loads(
        BeautifulSoup((index.parent / "search.html").read_text(), "html.parser").select_one(".index").text
    )
    assert [(entry[0], entry[2]) for entry in found][1] == ("01_first.html#What-is-it-worth?", "What is it worth?")
    assert "quokka < wombat" in found[1][3]


def test_the_book_fetches_nothing_and_runs_no_script_but_ours(profile):
    script = (HERE / "book.js").read_text()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    pages = {path.name: BeautifulSoup(path.read_text(), "html.parser") for path in build(profile).parent.iterdir()}
    assert set(pages) == {"index.html", "search.html", "01_first.html"}
    for soup in pages.values():
        policy = soup.select_one("meta[http-equiv='Content-Security-Policy']")["content"]
        assert policy.startswith("default-src 'none'") and f"script-src 'sha256-{digest}'" in policy
        assert [s.string for s in soup.select("script:not([type='application/json'])")] == [script]
        assert soup.select("main :is(svg, iframe, style, link, base, meta, form, input, object)") == []
        for node in soup.find_all(True):
            assert not [name for name in node.attrs if name.startswith("on")]
            assert node.get("src", "data:").startswith("data:") and "url(" not in node.get("style", "")
        for link in soup.select("a[href]"):
            name, _, anchor = link["href"].partition("#")
            if name != f"{AWAY}/paper":
                assert not anchor or pages[name or "01_first.html"].find(id=anchor) or anchor == "main"
                assert name in pages or name in ("", "02_second.html"), link


def test_the_first_page_says_what_the_run_found(profile):
    profile.figures_dir.mkdir()
    for path in (*FIGURES.glob("*.csv"), FIGURES / "manifest.json", FIGURES / "fig1_overall.png"):
        shutil.copy(path, profile.figures_dir)
    shutil.copy(FIGURES.parent / "params/artefacts.yaml", profile.root / "params")
    start = BeautifulSoup(build(profile).read_text(), "html.parser")
    rows = [tuple(cell.text for cell in row.select("td")) for row in start.select("main tbody tr")]
    assert rows == compared(FIGURES, FIGURES.parent) and len(rows) > 5
    picture = start.select_one("main figure img")["src"].partition("base64,")[2]
    assert base64.b64decode(picture) == (FIGURES / "fig1_overall.png").read_bytes()
    assert told_run(FIGURES, profile.root).replace("`", "") in " ".join(start.text.split())


def test_without_an_executed_chapter_the_command_that_makes_one_is_named(profile):
    (profile.run_dir / "notebooks/01_first.ipynb").unlink()
    with pytest.raises(FileNotFoundError, match=r"runs/tiny/notebooks: .* run make reproduce PROFILE=tiny"):
        build(profile)
