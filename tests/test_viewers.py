"""What notebooks show: everything is there, and nothing that a model wrote becomes markup."""

from transformers import AutoTokenizer

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.schema import Episode, Step, Task
from agentrefine_lib.tuning import encode
from agentrefine_lib.viewers import MAX_CHARS, show_episode, show_mask, show_script, show_trajectory

ATTACK = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def test_errors_carry_a_word_and_every_turn_is_shown(three_turns):
    page = show_trajectory(three_turns).data
    assert "2 · DM · ✗ parameter error" in page
    assert all(text in page for text in ("grab cup", "take cup", "heat cup", "Then take it.", "The task is completed."))


def test_markup_in_texts_stays_text(three_turns):
    evil = [turn.model_copy() for turn in three_turns.turns]
    evil[1] = evil[1].model_copy(update={"thought": ATTACK, "action": ATTACK})
    evil[2] = evil[2].model_copy(update={"observation": ATTACK})
    script = three_turns.script.model_copy(update={"goal": ATTACK, "environment": {ATTACK: ATTACK}})
    step = Step(reply=ATTACK, thought=ATTACK, action=ATTACK, observation=ATTACK, progress=0.0, error="format")
    task = Task(engine="babyai", name=ATTACK)
    episode = Episode(
        id=ATTACK,
        policy=ATTACK,
        task=task,
        goal=ATTACK,
        observation=ATTACK,
        steps=[step],
        success=False,
        progress=0.0,
        engine_version="",
    )
    trajectory = three_turns.model_copy(update={"turns": evil, "script": script, "persona": ATTACK})
    for page in (show_trajectory(trajectory), show_script(script), show_episode(episode)):
        assert "<script" not in page.data
        assert "<img" not in page.data
        assert "&lt;script&gt;" in page.data


def test_long_texts_wait_behind_more(three_turns):
    long = three_turns.turns[2].model_copy(update={"observation": "x" * (MAX_CHARS + 100)})
    page = show_trajectory(three_turns.model_copy(update={"turns": [*three_turns.turns[:2], long]})).data
    assert "more (100 characters)" in page


def test_the_mask_view_marks_trained_and_masked_tokens(three_turns, nano):
    tokenizer = AutoTokenizer.from_pretrained(nano)
    page = show_mask(encode(to_conversation(three_turns), tokenizer), tokenizer).data
    assert page.count("<s style") > 3  # the erroneous turn's tokens are struck through
    assert "trained" in page
    assert "&lt;|end|&gt;" in page
