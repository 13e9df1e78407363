"""Proof in a real browser: a page of hostile records runs nothing, asks nobody and shows everything."""

from urllib.parse import urlsplit

import pytest

from agentrefine_lib.schema import Episode, Step, Task, write_jsonl
from agentrefine_lib.viewers import TrajectoryViewer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
AWAY = "http://127.0.0.1:9"  # nobody listens; who asks is seen
ATTACK = f"""<script>window.harmed = 1; alert(1)</script><img src="{AWAY}/i" onerror="window.harmed = 2">
\"'></pre></div></details><svg onload="window.harmed = 3"><iframe srcdoc="<script>parent.harmed = 4</script>"></iframe>
<style>@import url({AWAY}/css)</style><link rel=stylesheet href={AWAY}/l>
<meta http-equiv=refresh content="0;url={AWAY}/m">
<form action={AWAY}/f><input autofocus onfocus="window.harmed = 5"></form><a href="javascript:window.harmed=6">go</a>
<base href={AWAY}><object data={AWAY}/o></object><video src={AWAY}/v autoplay></video>![x]({AWAY}/md)
$$\\href{{{AWAY}/t}}{{x}}$$
<details open ontoggle="window.harmed = 7">\0\u202e\u200b{{{{7*7}}}}</details> end of the attack"""
CELLS = (
    "from transformers import AutoTokenizer\n"
    "from agentrefine_lib.schema import Episode, Trajectory, read_jsonl\n"
    "from agentrefine_lib.dataset import to_conversation\n"
    "from agentrefine_lib.tuning import encode\n"
    "from agentrefine_lib.plots import style\n"
    "import pandas as pd\n"
    "from agentrefine_lib.viewers import *\n"
    "trajectory = next(read_jsonl('hostile.jsonl', Trajectory))\n"
    "episode = next(read_jsonl('played.jsonl', Episode))",
    "show_trajectory(trajectory)",
    "style()\npd.DataFrame([trajectory.id, trajectory.script.goal])",
    "show_script(trajectory.script)",
    "show_conversation(to_conversation(trajectory))",
    "show_two(episode, episode)",
    "tokenizer = AutoTokenizer.from_pretrained({tiny!r})\n"
    "show_mask(encode(to_conversation(trajectory), tokenizer), tokenizer)",
    "TrajectoryViewer('hostile.jsonl')",
    "ScriptExplorer(trajectory)",
    "MaskView('hostile.jsonl')",
)


@pytest.fixture
def hostile(three_turns):
    turns = [
        turn.model_copy(update={"thought": ATTACK, "action" if turn.role == "Player" else "observation": ATTACK})
        for turn in three_turns.turns
    ]
    spec = three_turns.script.available_actions["take {item}"]
    world = {"goal": ATTACK, "environment": {ATTACK: {ATTACK: [ATTACK]}}, "available_actions": {ATTACK: spec}}
    script = three_turns.script.model_copy(update=world)
    texts = {"id": ATTACK, "persona": ATTACK, "domain": ATTACK, "teacher": ATTACK}
    return three_turns.model_copy(update={**texts, "turns": turns, "script": script})


def listen(page):
    """Everything that a page does beyond being one."""
    seen = []
    page.on("dialog", lambda dialog: (seen.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: seen.append(request.url) if urlsplit(request.url).port == 9 else None)
    page.on("popup", lambda popup: seen.append(popup.url))
    return seen


def unharmed(page, seen):
    page.wait_for_timeout(500)
    assert seen == []
    assert page.evaluate("window.harmed") is None
    for name in ("script", "iframe", "img", "svg", "form", "object", "video", "base", "link", "meta", "a", "[onclick]"):
        assert (
            page.locator(
                f".ar {name}, .dataframe {name}, .ar-viewer .ar-detail {name}, .ar-panel .ar-block {name}"
            ).count()
            == 0
        ), name


def test_hostile_records_stay_text_in_jupyterlab(open_notebook, lab, tiny, hostile):
    step = Step(reply=ATTACK, thought=ATTACK, action=ATTACK, observation=ATTACK, progress=0.5, error=ATTACK)
    told = dict.fromkeys(("id", "policy", "rules", "goal", "observation", "engine_version"), ATTACK)
    task = Task(engine=ATTACK, name=ATTACK)
    episode = Episode(**told, task=task, commands={ATTACK: ATTACK}, steps=[step] * 2, success=False, progress=0.5)
    write_jsonl(lab.folder / "hostile.jsonl", [hostile])
    write_jsonl(lab.folder / "played.jsonl", [episode])
    book = open_notebook(*(cell.format(tiny=str(tiny)) if "{tiny" in cell else cell for cell in CELLS))
    seen = listen(book.page)
    book.run_all()
    book.page.locator(".ar-viewer .ar-detail").get_by_text("end of the attack").first.wait_for()
    unharmed(book.page, seen)
    assert book.page.locator(".jp-Dialog").count() == 0
    assert book.page.locator(".jp-RenderedHTML .ar").count() >= 5
    book.shoot("hostile", book.page.locator(".jp-RenderedHTML .ar").first)


def test_a_hostile_selection_opens_from_disk(browser, hostile, tmp_path):
    path = TrajectoryViewer([hostile], out=tmp_path).export("html")
    page = browser.new_page()
    seen = listen(page)
    page.goto(path.as_uri())
    page.locator("summary").first.click()
    assert "\\u202e\\u200b{{7*7}}" in page.locator(".ar").inner_text()
    unharmed(page, seen)
    page.close()
