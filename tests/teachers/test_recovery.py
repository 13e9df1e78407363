"""JSON recovery: never raises, leaves valid JSON alone, and takes nothing half-written or broken for an answer."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrefine_lib.teachers.recovery import MAX_CHARS, MAX_DEPTH, recover_json

leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
tricky = st.text('aé"\\{}[],:/\n\t<think> ', max_size=12) | st.text(max_size=12)
values = st.recursive(leaves | tricky, lambda v: st.lists(v, max_size=4) | st.dictionaries(tricky, v, max_size=4))
turns = st.lists(st.fixed_dictionaries({"turn": st.integers(0, 99), "role": tricky, "Observation": tricky}), max_size=5)


@given(st.text(st.characters()) | st.text('{}[]",:\\ntrue1 </think>`', max_size=200))
def test_it_never_raises(text):
    recover_json(text)
    recover_json(text, partial=False)


@given(values, st.sampled_from([None, 2]), st.booleans())
def test_valid_json_comes_back_unchanged(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert json.dumps(recover_json(text)) == json.dumps(value)
    assert json.dumps(recover_json(text, partial=False)) == json.dumps(value)


@given(st.lists(values, min_size=1) | st.dictionaries(tricky, values, min_size=1))
def test_fences_prose_and_reasoning_around_it_are_dropped(value):
    text = json.dumps(value)
    for dressed in (
        f"```json\n{text}\n```",
        f"Sure [as asked, {{nearly}}]:\n{text}\nNote [1].",
        f"<think>perhaps {{}} or [1, 2, 3, 4, 5, 6, 7, 8, 9]</think>\n{text}",
        f"thoughts of a server that drops the first tag: {{}}</think>{text}",
    ):
        if "</think>" not in text and len(text) > 4:  # "[1]" is no longer than the prose's own
            assert json.dumps(recover_json(dressed)) == text


@settings(deadline=None)  # hundreds of prefixes
@given(turns, st.sampled_from([None, 1]), st.booleans(), st.sampled_from(["", "```json\n", "<think>{}</think>Here:\n"]))
def test_any_prefix_of_turns_gives_a_prefix_of_the_turns(turns, indent, wrapped, before):
    text = before + json.dumps({"turns": turns} if wrapped else turns, indent=indent, ensure_ascii=False)
    most = 0
    for end in range(len(before), len(text) + 1):
        value = recover_json(text[:end])
        found = (value.get("turns", []) if isinstance(value, dict) else value) or []
        assert found == turns[: len(found)]
        assert len(found) >= most  # more text never gives less
        most = len(found)
    assert most == len(turns)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2,], "b": {"c": 3 , } ,\n}', {"a": [1, 2], "b": {"c": 3}}),
        ('{"code": "^\\s*take\\s+(.+?)\\s*$",}', {"code": r"^\s*take\s+(.+?)\s*$"}),
        ('{"text": "two\nlines\tand a tab"}', {"text": "two\nlines\tand a tab"}),
        ('{"a": "\\u00e9 \\q \\\\s \\u12"} .', {"a": "é \\q \\s \\u12"}),
        ('see [1]: {"a": "the longer one"}', {"a": "the longer one"}),
        ('{"a": 1, "b": {"c": 2}, "d": {"e": 3', {"a": 1, "b": {"c": 2}}),
        ('[{"a": [1, 2]}, {"a": [3, 4', [{"a": [1, 2]}]),
        ('["a", "b\\"', ["a"]),
        ("[1, 23", [1]),
        ('Here: {"', {}),
        ("{", None),
        ("no JSON at all", None),
        ("", None),
        ('<think>should I say {"a": 1}?', None),
        ('{"a" 1, "inner": {"b": 2}}', None),  # nothing inside broken JSON counts
        ('{"a": [1, 2}', None),
        ('[{"turn": 0], {"turn": 1, "more": "of it"}]', None),
        ("[1, NaN]", None),
        ("[1e999]", None),  # no number that can be written again
        ('["\\ud800"]', None),
    ],
)
def test_by_example(text, value):
    assert recover_json(text) == value


def turn(number, thought="a"):
    return {"turn": number, "role": "Player" if number % 2 else "DM", "Thought": thought}


DRAFT, NEW = [turn(0), turn(1), turn(2, "long " * 30)], [turn(0, "new"), turn(1, "new")]
SCRIPT = {"Environment": {"a": "long " * 30}, "Goal": "g", "Completion Conditions": ["c"], "Available Actions": {}}


@pytest.mark.parametrize("between", ["\n", ", ", "\n```\nThe next turn:\n```json\n"])
@pytest.mark.parametrize("cut", [0, 10])
def test_turns_one_after_another_are_joined(between, cut):
    objects = between.join(map(json.dumps, DRAFT))
    assert recover_json(objects[: len(objects) - cut]) == DRAFT[: 2 if cut else 3]
    chunks = [DRAFT[:1], {"turns": DRAFT[1:2]}, DRAFT[2]]
    assert recover_json(between.join(map(json.dumps, chunks))) == DRAFT


@pytest.mark.parametrize("wrapped", [lambda turns: turns, lambda turns: {"turns": turns}])
def test_a_later_correction_counts_and_not_the_longer_draft(wrapped):
    def after(first, second, **how):
        return recover_json(f"Draft:\n{json.dumps(first)}\nI correct that:\n{json.dumps(second)}\nNote [1].", **how)

    assert after(wrapped(DRAFT), wrapped(NEW)) == NEW
    assert after(wrapped(DRAFT), turn(1, "new")) == [turn(0), turn(1, "new")]
    better = SCRIPT | {"Environment": {}}
    for dressed in (better, [better], {"script": better}):
        assert after(SCRIPT, dressed, partial=False) == dressed
    assert after(SCRIPT, {"note": 1}, partial=False) == SCRIPT
    assert after({"error": False}, {"error": True}) == {"error": True}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('```json\n{"a": "x </think> y", "b": 1}\n```', {"a": "x </think> y", "b": 1}),
        ('{"a": "two\nlines </think> y",}', {"a": "two\nlines </think> y"}),
        ('[{"a": "x </think> y"}, {"b": "cu', [{"a": "x </think> y"}]),
        ('{"a": 1}</think>', {"a": 1}),
        ('<think>I say {"a": "</think>"} then</think>{"b": 1}', {"b": 1}),
        ('<think>first "</think>"</think>{"a": "b </think> c"} done', {"a": "b </think> c"}),
        ('<think>perhaps {"a": [1, </think>{"a": [2]}', {"a": [2]}),
        ('<think>perhaps {"a": [1, "cut</think>{"a": "b"}', {"a": "b"}),
        ('<think>{"a": [1, 2], </think> Sorry.', None),
        ('<think>{"a": 1}</think>', None),
        ("[THINK][1][/THINK][2]", [2]),
    ],
)
def test_a_tag_inside_a_string_ends_no_reasoning(text, value):
    assert recover_json(text) == value


@pytest.mark.parametrize("text", ['{"a": {"b": 1}, "c": {"d": 2}', '[{"a": 1}', '{"a": "b'])
def test_without_partial_a_cut_off_answer_is_none(text):
    assert recover_json(text) is not None
    assert recover_json(text, partial=False) is None


def test_limits():
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert recover_json(deepest) is not None
    assert recover_json(f"[{deepest}]") is None
    assert recover_json(f"Here: [{deepest},]") is None
    assert recover_json(json.dumps(["x" * MAX_CHARS])) is None


@pytest.mark.parametrize(
    "piece", ["[", '{"a', '{"a":[1,', '"\\', '[{"\\"', '{"x"}', "<think>", "</think>", "[1 ", '[1x"', "[[],", "{ "]
)
def test_no_text_takes_long(piece):
    start = time.process_time()
    recover_json(piece * (400_000 // len(piece)))
    assert time.process_time() - start < 3
