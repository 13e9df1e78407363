"""The widgets in a real JupyterLab: what is clicked and typed has its effect, and no key reaches the notebook."""

import pytest

from agentrefine_lib.schema import Episode, Step, Task, Trajectory, write_jsonl

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
CLOCK = """window.times = [];
addEventListener('keydown', () => { window.pressed = performance.now() }, true);
new MutationObserver(() => requestAnimationFrame(() => times.push(performance.now() - pressed)))
  .observe(document.querySelector('.ar-detail'), {attributeFilter: ['data-shown']})"""  # from a key to the next frame
COMMANDS_OF_LAB = ("a", "b", "d", "d", "m", "z", "0", "0", "Enter", "Shift+M", "x")  # they add, delete, change cells


@pytest.fixture(scope="module")
def few(lab, trajectories) -> str:
    write_jsonl(lab.folder / "few.jsonl", trajectories)
    return "few.jsonl"


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


def unharmed(book, cells: int) -> None:
    """No key did anything to the notebook, and nobody complained."""
    assert book.page.locator(".jp-CodeCell").count() == cells
    assert book.page.locator(".jp-Dialog").count() == 0
    assert book.complaints == []
    assert book.page.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts() == []
    assert book.nameless() == []


def test_ten_thousand_trajectories_load_and_page(open_notebook, many):
    book = open_notebook(
        "import time\nfrom agentrefine_lib.viewers import TrajectoryViewer\nbegan = time.process_time()",
        f"viewer = TrajectoryViewer({many!r}); print(time.process_time() - began); viewer",
    )
    book.run_all()
    page, viewer = book.page, book.page.locator(".ar-viewer")
    took = float(page.locator("[data-mime-type='application/vnd.jupyter.stdout']").inner_text())
    viewer.locator(".ar-row").nth(1).click()
    viewer.locator(".ar-detail[data-shown='1']").wait_for()
    page.evaluate(CLOCK)
    for number in range(2, 22):
        page.keyboard.press("j")
        page.wait_for_function(f"times.length == {number - 1}", polling=20)
    times = sorted(page.evaluate("times"))
    print(f"loaded in {took:.2f} s; a page in {times[0]:.0f} to {times[-1]:.0f} ms, median {times[10]:.0f} ms")
    assert took < 2  # of this process: what else the machine does is not counted
    assert times[0] < 100  # the one that other work disturbed least
    assert "many-00021" in viewer.locator(".ar-detail").inner_text()
    viewer.locator(".ar-list").evaluate("list => list.scrollTop = 48 * 9990")
    viewer.get_by_text("many-09995").wait_for()
    assert viewer.locator(".ar-row").count() < 60  # a virtual list
    unharmed(book, cells=2)


def test_the_trajectory_viewer_reads_keys_and_keeps_them(open_notebook, few, lab, trajectories):
    book = open_notebook(f"from agentrefine_lib.viewers import TrajectoryViewer\nTrajectoryViewer({few!r}, out='kept')")
    book.run_all()
    page, viewer = book.page, book.page.locator(".ar-viewer")
    viewer.get_by_text(trajectories[1].id).click()
    viewer.locator(".ar-detail[data-shown='1']").wait_for()
    detail = viewer.locator(".ar-detail")
    page.keyboard.press("n")
    assert "✗" in detail.locator(".ar-here").inner_text()
    book.shoot("trajectory_viewer", viewer)  # README's picture: AGENTREFINE_SHOTS=figures pytest tests/browser -k keys
    for _ in range(detail.locator("[data-error]").count()):  # through this record's errors into the next one
        page.keyboard.press("n")
    viewer.locator(".ar-detail[data-shown='2'] .ar-here", has_text="✗").wait_for()
    page.keyboard.press("p")  # and back to the last one of the record before
    viewer.locator(".ar-detail[data-shown='1'] .ar-here", has_text="✗").wait_for()
    page.keyboard.press("k")
    page.keyboard.press("j")
    for key in COMMANDS_OF_LAB:
        page.keyboard.press(key)
    viewer.locator("[data-tick]", has_text="☑").wait_for()

    page.keyboard.press("/")
    page.keyboard.type("djk")
    page.keyboard.press("Enter")
    viewer.get_by_text("0 of 60 records", exact=True).wait_for()
    viewer.get_by_label("search").fill("")
    page.keyboard.press("Enter")
    viewer.get_by_text("60 of 60 records").wait_for()
    viewer.get_by_label("search").fill(trajectories[0].script.goal.split()[-1])  # as one types; the same record stays
    page.wait_for_function("CSS.highlights.get('ar-found')?.size > 0")
    viewer.get_by_label("search").fill("")
    page.keyboard.press("Enter")
    viewer.get_by_text("60 of 60 records").wait_for()
    viewer.get_by_label("error", exact=True).select_option("place error")
    placed = sum(any(getattr(turn, "place_error", False) for turn in t.turns) for t in trajectories)
    viewer.get_by_text(f"{placed} of 60 records").wait_for()
    viewer.get_by_label("tags").fill("odd, loop")
    viewer.get_by_label("note", exact=True).fill("look again")
    viewer.get_by_role("button", name="Save note").click()
    viewer.get_by_text("noted on t-").wait_for()
    assert "look again" in (lab.folder / "kept" / "notes.jsonl").read_text()
    viewer.get_by_role("button", name="Export JSONL").click()
    viewer.get_by_text("written: kept/selection.jsonl").wait_for()
    assert len((lab.folder / "kept" / "selection.jsonl").read_text().splitlines()) == 1  # what was ticked
    unharmed(book, cells=1)


def test_the_mask_view_shows_turns_and_tokens(open_notebook, few, tiny):
    book = open_notebook(
        "from transformers import AutoTokenizer\nfrom agentrefine_lib.viewers import MaskView\n"
        f"MaskView({few!r}, {{'tiny': AutoTokenizer.from_pretrained({str(tiny)!r})}})"
    )
    book.run_all()
    panel = book.page.locator(".ar-panel")
    panel.get_by_text("✗ masked: read, not trained").first.wait_for()
    panel.get_by_label("strategy").select_option("all_turns")
    panel.get_by_text("✗ masked: read, not trained").first.wait_for(state="detached")
    panel.get_by_label("strategy").select_option("refinement")
    panel.get_by_label("show").select_option("tiny")
    panel.get_by_text("tokens trained").wait_for()
    panel.locator(".ar-tokens s").first.wait_for()
    book.shoot("mask_view")
    unharmed(book, cells=1)


def play(policy: str, seed: int, *actions: str) -> Episode:
    task = Task(engine="babyai", name="GoToDoor", seed=seed)
    steps = [
        Step(reply=a, thought=f"I {a}.", action=a, observation="You see a door.", progress=0.5, error=None)
        for a in actions
    ]
    told = {"goal": "go to the door", "observation": "A room.", "engine_version": "1", "success": "go" in actions}
    return Episode(id=f"{policy}/{task.id}", policy=policy, task=task, steps=steps, progress=0.5, **told)


def test_a_cell_of_the_matrix_opens_two_episodes(open_notebook, lab):
    episodes = [
        play("ours", 1, "look", "go"),
        play("ours", 2, "go"),
        play("base", 1, "look", "wait"),
        play("base", 2, "go"),
    ]
    write_jsonl(lab.folder / "episodes" / "all.jsonl", episodes)
    book = open_notebook("from agentrefine_lib.viewers import CompareViewer\nCompareViewer('episodes')")
    book.run_all()
    panel = book.page.locator(".ar-panel")
    panel.get_by_text("they part here, at step 2").wait_for()  # where they differ most comes first
    book.shoot("compare_viewer")
    panel.get_by_role("button", name="base, babyai/GoToDoor/2").click()
    panel.get_by_text("they do the same to the end").wait_for()
    for key in COMMANDS_OF_LAB:
        book.page.keyboard.press(key)
    unharmed(book, cells=1)


def test_an_action_is_tried_against_its_code(open_notebook, few, trajectories):
    book = open_notebook(f"from agentrefine_lib.viewers import ScriptExplorer\nScriptExplorer({few!r})")
    book.run_all()
    panel = book.page.locator(".ar-panel")
    action = next(turn.action for turn in trajectories[0].turns if turn.role == "Player")
    panel.get_by_label("try").fill(action)
    panel.get_by_text("✓ accepted as").wait_for()
    panel.get_by_text("every code").click()
    book.shoot("script_explorer")
    panel.get_by_label("try").fill("fly to the moon")
    panel.get_by_text("✗ format error").wait_for()
    unharmed(book, cells=1)


@pytest.mark.parametrize("world", ["engine", "trajectory"])
def test_a_reader_plays_with_suggestions(open_notebook, few, world):
    what = "'babyai/GoToDoor/1234'" if world == "engine" else f"next(read_jsonl({few!r}, Trajectory))"
    book = open_notebook(
        "from agentrefine_lib.schema import Trajectory, read_jsonl\nfrom agentrefine_lib.viewers import PlayGround\n"
        f"PlayGround({what})"
    )
    book.run_all()
    panel = book.page.locator(".ar-panel")
    panel.get_by_text("First observation").wait_for()
    panel.get_by_label("Action").fill("dance")
    panel.get_by_role("button", name="Act", exact=True).click()
    panel.get_by_text("✗ format error").first.wait_for()
    panel.get_by_role("button", name="Suggest").click()
    panel.get_by_text("expert suggests").wait_for()
    panel.get_by_role("button", name="Act", exact=True).click()
    panel.get_by_text("step 2").wait_for()
    book.shoot(f"play_ground_{world}")
    unharmed(book, cells=1)


def test_a_growing_file_is_followed(open_notebook, lab, trajectories):
    path = lab.folder / "growing.jsonl"
    write_jsonl(path, trajectories[:3])
    book = open_notebook(
        "from agentrefine_lib.viewers import RunMonitor\nRunMonitor('growing.jsonl', total=8, every=0.2)"
    )
    book.run_all()
    panel = book.page.locator(".ar-panel")
    panel.get_by_text("3 of 8").wait_for()
    with open(path, "a") as out:
        out.write(trajectories[3].to_json() + "\n" + trajectories[4].to_json()[:50])
    panel.get_by_text("4 of 8").wait_for()
    panel.get_by_text("the newest record").click()
    panel.get_by_text(trajectories[3].id).first.wait_for()
    book.shoot("run_monitor")
    panel.get_by_label("follow").uncheck()
    unharmed(book, cells=1)


@pytest.mark.parametrize(("width", "dark"), [(768, True), (1280, False)])
def test_every_widget_fits_a_narrow_window_and_the_dark_theme(open_notebook, few, lab, tiny, width, dark):
    write_jsonl(lab.folder / "two" / "all.jsonl", [play("ours", 1, "look", "go"), play("base", 1, "look", "wait")])
    book = open_notebook(
        "from transformers import AutoTokenizer\n"
        "from agentrefine_lib.schema import Trajectory, read_jsonl\nfrom agentrefine_lib.viewers import *",
        f"trajectory = next(read_jsonl({few!r}, Trajectory)); show_trajectory(trajectory)",
        "show_script(trajectory.script)",
        f"TrajectoryViewer({few!r})",
        f"MaskView({few!r}, {{'tiny': AutoTokenizer.from_pretrained({str(tiny)!r})}})",
        "CompareViewer('two')",
        "explorer = ScriptExplorer(trajectory); explorer._action.value = 'fly to the moon'; explorer",
        "PlayGround(trajectory)",
        f"RunMonitor({few!r}, total=60)",
        width=width,
        dark=dark,
    )
    book.run_all()
    book.page.locator(".ar-panel", has_text="First observation").last.wait_for()
    widgets = book.page.locator(".ar-viewer, .ar-panel, .jp-RenderedHTML .ar")
    assert widgets.count() == 8
    for number, widget in enumerate(widgets.all()):
        book.shoot(f"{'dark' if dark else 'light'}_{width}_{number}", widget)
        assert widget.evaluate("e => e.scrollWidth <= e.clientWidth + 1"), number
        assert widget.evaluate("e => e.offsetHeight < 950"), number  # what is longer scrolls
    for page in book.page.locator(".ar").all():
        scheme, back = page.evaluate("e => [getComputedStyle(e).colorScheme, getComputedStyle(e).backgroundColor]")
        assert scheme == ("dark" if dark else "light")
        assert (sum(map(int, back.removeprefix("rgb(").removesuffix(")").split(","))) < 150) == dark
    unharmed(book, cells=9)
