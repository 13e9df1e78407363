"""What notebooks show: everything is there, and nothing that a model wrote becomes markup."""

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter
from transformers import AutoTokenizer

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.schema import Conversation, Episode, Message, Step, Task
from agentrefine_lib.tuning import encode
from agentrefine_lib.viewers import (
    MAX_CHARS,
    TrajectoryViewer,
    show_change,
    show_conversation,
    show_episode,
    show_mask,
    show_script,
    show_trajectory,
    show_two,
)

ATTACK = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><b onclick=x>"


def episode(*actions: str, policy: str = "ours", text: str = "You see a door.") -> Episode:
    steps = [
        Step(reply=a, thought=text, action=a, observation=text, progress=n / len(actions), error=None)
        for n, a in enumerate(actions, start=1)
    ]
    task = Task(engine="babyai", name="GoToDoor", seed=1)
    return Episode(
        id=f"{policy}/{task.id}",
        policy=policy,
        task=task,
        goal=text,
        observation=text,
        steps=steps,
        success=True,
        progress=1.0,
        engine_version="",
    )


def test_errors_refinements_and_masks_carry_words(three_turns):
    page = show_trajectory(three_turns).data
    assert "turns 1–2 · ✗ parameter error · masked" in page
    assert "turns 3–4 · ↻ corrects the error before" in page
    assert "1 refused · 1 corrected" in page
    assert all(text in page for text in ("grab cup", "take cup", "heat cup", "Then take it.", "The task is completed."))


def test_markup_in_texts_stays_text(three_turns, tmp_path):
    evil = [turn.model_copy() for turn in three_turns.turns]
    evil[1] = evil[1].model_copy(update={"thought": ATTACK, "action": ATTACK})
    evil[2] = evil[2].model_copy(update={"observation": ATTACK})
    spec = three_turns.script.available_actions["take {item}"]
    world = {"goal": ATTACK, "environment": {ATTACK: [ATTACK]}, "available_actions": {ATTACK: spec}}
    script = three_turns.script.model_copy(update=world)
    trajectory = three_turns.model_copy(update={"id": ATTACK, "turns": evil, "script": script, "persona": ATTACK})
    played = episode(ATTACK, policy=ATTACK, text=ATTACK)
    talk = Conversation(id=ATTACK, conversations=[Message(sender="gpt", value=ATTACK, loss=False)])
    viewer = TrajectoryViewer([trajectory, played, talk], out=tmp_path)
    pages = [show_trajectory(trajectory), show_script(script), show_episode(played), show_two(played, played)]
    exported = viewer.export("html").read_text()
    for page in (*(shown.data for shown in [*pages, show_conversation(talk)]), viewer.body, exported):
        assert "&lt;script&gt;" in page
        assert not any(markup in page for markup in ("<script", "<img", "<b onclick", "\"'>"))


def test_long_texts_wait_behind_more(three_turns):
    long = three_turns.turns[2].model_copy(update={"observation": "x" * (MAX_CHARS + 100)})
    page = show_trajectory(three_turns.model_copy(update={"turns": [*three_turns.turns[:2], long]})).data
    assert "more (100 characters)" in page
    assert page.count("x" * 100) == MAX_CHARS // 100 + 1  # all of it is there, once


def test_the_mask_view_marks_trained_and_masked_tokens(three_turns, tiny):
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    example = encode(to_conversation(three_turns), tokenizer)
    page = show_mask(example, tokenizer).data
    assert page.count("<ins>") == sum(label >= 0 for label in example.labels)
    masked = sum(label < 0 <= message for label, message in zip(example.labels, example.message, strict=True))
    assert page.count("<s>") == masked > 3
    assert "&lt;|im_end|&gt;" in page


def test_tokens_that_tuning_made_likelier_are_told_from_others(three_turns, tiny):
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    example = encode(to_conversation(three_turns), tokenizer)
    own = [place for place, owner in enumerate(example.message) if owner >= 0]
    before = [3.0 if place in own else float("nan") for place in range(len(example.message))]
    after = list(before)
    after[own[0]], after[own[1]], after[own[2]] = 0.5, 4.0, 3.2
    page = show_change(example, tokenizer, before, after).data
    assert page.count('class="good strong" title="3.00 → 0.50 nats"') == 1
    assert page.count('class="bad" title="3.00 → 4.00 nats"') == 1
    assert page.count('class="" title=') == len(own) - 2


def test_messages_say_whether_they_are_trained(three_turns):
    page = show_conversation(to_conversation(three_turns)).data
    assert [page.count(word) for word in ("✓ trained", "✗ masked", "human · read")] == [2, 1, 3]
    assert "✗ masked" not in show_conversation(to_conversation(three_turns, "all_turns")).data


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (("a", "c"), "they part here, at step 2"),
        (("a",), "they part here, at step 2"),
        (("a", "b"), "the same to the end"),
    ],
)
def test_two_episodes_part_at_the_first_different_action(theirs, said):
    page = show_two(episode("a", "b"), episode(*theirs, policy="theirs")).data
    assert said in page
    assert page.count("they part here") == (said != "the same to the end")


def test_nbconvert_shows_the_same_page_and_needs_no_script(three_turns):
    """As papermill leaves it: the output of a cell, in a file."""
    page = show_trajectory(three_turns).data
    cell = nbformat.v4.new_code_cell("show_trajectory(t)")
    cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": page})]
    html, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    kept, made = (BeautifulSoup(text, "html.parser").select_one("div.ar") for text in (html, page))
    assert kept.prettify() == made.prettify()
    assert "<style>" in page
    assert "<script" not in page


def test_a_widget_without_a_kernel_is_a_page(three_turns, tmp_path):
    data, _ = TrajectoryViewer([three_turns], out=tmp_path)._repr_mimebundle_()
    cell = nbformat.v4.new_code_cell("TrajectoryViewer(path)")
    cell.outputs = [nbformat.v4.new_output("display_data", data)]
    html, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    assert "Then take it." in BeautifulSoup(html, "html.parser").select_one("div.ar").get_text()
