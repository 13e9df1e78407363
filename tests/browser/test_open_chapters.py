"""The real notebooks in a real JupyterLab: every cell runs, and what it shows is fit to be seen."""

from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter

pytestmark = [pytest.mark.slow, pytest.mark.timeout(480)]
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SHORT = "limits, decoding = {'steps': 3}, {'reply_tokens': 8}"
SMALL = {  # in this order: each finds in the run folder what the ones before it made
    "01_synthesis": "n_trajectories = 12",
    "00_walkthrough": "lesson_plays, lesson_steps, lesson_turns = 12, 3, 4",
    "02_verification": "n_judged = 4",
    "03_finetuning": "recipe = {'train_steps': 2}",
    **dict.fromkeys(("04_evaluation", "05_robustness"), SHORT),
    "06_diversity": f"{SHORT}; texts = {{'thoughts': 40, 'environments': 12}}",
    "07_ablation": "ablated = ['untuned', 'agentrefine']",
    "08_reasoning": SHORT,
}


@pytest.fixture
def chapter(open_notebook, lab):
    """Open a notebook with small values, run all of its cells, and look for complaints."""

    def ran(name, **looks):
        cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
        given = next(cell for cell in cells if "parameters" in cell.metadata.get("tags", []))
        run = lab.folder / "run"
        given.source += f"\nrun_dir, figures_dir = {str(run)!r}, {str(run / 'figures')!r}\n{SMALL[name]}"
        book = open_notebook(*cells, **looks)
        book.run_all()
        assert book.complaints == []
        assert book.nameless() == []
        return book

    return ran


def test_chapter_1_and_its_file_show_the_same_trajectory(chapter):
    book = chapter("01_synthesis")
    page = book.page
    page.locator(".ar-viewer .ar-row").nth(7).wait_for()
    page.locator(".ar-panel").get_by_label("try").fill("fly to the moon")
    page.get_by_text("✗ format error").wait_for()
    told = page.locator(".jp-RenderedHTML .ar[aria-label^='trajectory t-']").inner_text()
    page.locator("[data-jp-item-name='save']").click()
    page.locator(".jp-mod-dirty").first.wait_for(state="detached")
    html, _ = HTMLExporter().from_filename(str(book.path))
    bare = page.context.browser.new_context(java_script_enabled=False).new_page()
    bare.set_content(html)
    assert bare.locator(".ar[aria-label^='trajectory t-']").inner_text() == told
    book.shoot("chapter_1_as_a_page", bare.locator(".ar[aria-label^='trajectory t-']"))
    bare.context.close()


def test_the_walkthrough_shows_every_stage(chapter):
    book = chapter("00_walkthrough", dark=True)
    for number, stage in enumerate(("script", "trajectory lesson", "conversation", "tokens", "episode")):
        shown = book.page.locator(f".jp-RenderedHTML .ar[aria-label^='{stage}']")
        shown.wait_for()
        book.shoot(f"walkthrough_{number}", shown)
    book.page.locator(".jp-RenderedMarkdown summary", has_text="Solution").first.click()
    book.page.locator(".jp-RenderedMarkdown", has_text="check_turns(script, spoilt)").last.wait_for()
    book.shoot("walkthrough_exercise")


@pytest.mark.parametrize("name", ["02_verification", "03_finetuning", "04_evaluation"])
def test_a_chapter_with_viewers_runs(chapter, name):
    assert chapter(name).page.locator(".ar").count()


@pytest.mark.parametrize("name", ["05_robustness", "06_diversity", "07_ablation", "08_reasoning"])
def test_a_chapter_with_figures_runs(chapter, name):
    assert chapter(name).page.locator(".jp-RenderedImage img").count()
