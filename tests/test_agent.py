"""Reading replies and building chats."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrefine_lib.agent import build_chat, parse_reply, truncate
from agentrefine_lib.schema import Step


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thought: I see it.\nAction: take cup", ("I see it.", "take cup", True)),
        ("thought: a\naction:  'take cup.'", ("a", "take cup", True)),
        ("Action: take cup.\nAction: put cup", ("", "take cup", True)),
        ("take cup\nbecause I want to", ("", "take cup", False)),
        ("Thought: none\nAction:", ("none", "", True)),
        ("", ("", "", False)),
    ],
)
def test_replies_are_taken_apart(text, expected):
    assert tuple(parse_reply(text)) == expected


@given(st.text(max_size=400))
def test_any_reply_is_read(text):
    assert len(parse_reply(text).action) <= 200


def test_truncation_keeps_the_first_message_and_the_latest_turns():
    steps = [Step(reply=f"r{i}", thought="", action="", observation=f"o{i}", progress=0) for i in range(6)]
    chat = build_chat(["go"], "goal", "first", steps)
    short, dropped = truncate(chat, lambda c: len(c) <= 6)
    assert (short[0], dropped) == (chat[0], 4)
    assert [m["content"] for m in short[1:]] == ["r4", "Observation: o4", "r5", "Observation: o5"]
    assert truncate(chat, lambda c: False)[0] == [chat[0]]
