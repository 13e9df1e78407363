"""The widgets in a real JupyterLab: what is clicked and typed has its effect, and no key reaches the notebook."""

import time

import pytest

from agentrefine_lib.schema import Trajectory, write_jsonl

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def many(lab, trajectories) -> str:
    """10,000 trajectories of 30 turns."""

    def stretched(number: int) -> Trajectory:
        first, *rest = trajectories[number % len(trajectories)].turns
        turns = [first, *(rest * 30)[:29]]
        turns = [turn.model_copy(update={"turn": n}) for n, turn in enumerate(turns)]
        return trajectories[number % len(trajectories)].model_copy(update={"id": f"many-{number:05d}", "turns": turns})

    write_jsonl(lab.folder / "many.jsonl", map(stretched, range(10_000)))
    return "many.jsonl"


def test_ten_thousand_trajectories_load_and_page(open_notebook, many, lab):
    book = open_notebook(
        "import time\nfrom agentrefine_lib.viewers import TrajectoryViewer",
        f"began = time.time(); viewer = TrajectoryViewer({many!r}); print(time.time() - began); viewer",
    )
    book.run_all(25)
    page = book.page
    viewer = page.locator(".ar-viewer")
    viewer.locator(".ar-row").nth(3).get_by_text("many-00003").wait_for()
    took = float(page.locator("[data-mime-type='application/vnd.jupyter.stdout']").inner_text())
    assert took < 2, f"loaded in {took:.2f} s"
    book.shoot("trajectory_viewer")
    cells = page.locator(".jp-Cell").count()

    viewer.locator(".ar-row").nth(1).click()
    times = []
    for number in range(2, 22):
        began = time.perf_counter()
        page.keyboard.press("j")
        page.wait_for_function(f"document.querySelector('.ar-detail').dataset.shown == {number}", polling=5)
        times.append(time.perf_counter() - began)
    print(f"loaded in {took:.2f} s; a page in {sorted(times)[10] * 1000:.0f} ms, slowest {max(times) * 1000:.0f} ms")
    assert sorted(times)[10] < 0.1
    assert "many-00021" in viewer.locator(".ar-detail").inner_text()

    page.keyboard.press("n")  # an error of this record, then of a later one
    assert "✗" in viewer.locator(".ar-here").inner_text()
    for _ in range(12):
        page.keyboard.press("n")
    page.wait_for_function("document.querySelector('.ar-detail').dataset.shown > 21")
    for key in ("k", "x", "a", "b", "d", "d", "m", "Enter", "z", "0", "0"):  # commands of JupyterLab, all of them
        page.keyboard.press(key)
    assert page.locator(".jp-Cell").count() == cells
    assert page.locator(".jp-CodeCell").count() == cells
    assert page.locator(".jp-Dialog").count() == 0
    assert viewer.locator("[data-tick]", has_text="☑").count() == 1

    viewer.locator(".ar-list").evaluate("list => list.scrollTop = 48 * 9990")
    viewer.get_by_text("many-09995").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("djk")
    page.keyboard.press("Enter")
    viewer.get_by_text("0 of 10000 records").wait_for()
    viewer.get_by_label("search").fill("")
    page.keyboard.press("Enter")
    viewer.get_by_label("error", exact=True).select_option("place error")
    viewer.get_by_label("tags").fill("odd, loop")
    viewer.get_by_label("note", exact=True).fill("look again")
    viewer.get_by_role("button", name="Save note").click()
    viewer.get_by_text("noted on many-").wait_for()
    assert "look again" in (lab.folder / "notes.jsonl").read_text()
    viewer.get_by_role("button", name="Export JSONL").click()
    viewer.get_by_text("written: selection.jsonl").wait_for()
    assert len((lab.folder / "selection.jsonl").read_text().splitlines()) == 1  # the one that was ticked
    assert book.complaints == []
