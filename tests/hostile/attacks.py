"""Text that means harm, or just nobody thought of: what hypothesis draws from, for all tests of this folder."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.schema import Episode, Record, Step, Task, Trajectory

patient = settings(deadline=None, suppress_health_check=list(HealthCheck))  # how many examples: the profile says
GOOD: dict[str, Any] = {}  # a good record of each kind, by name; of the fixture: hypothesis would print it
NASTY = [
    *[
        "<script>alert(1)</script>",
        "</pre></div><img src=x onerror=alert(1)>",
        "\"'><svg onload=alert(1)>",
        "<!--",
        "]]>",
    ],
    *["</script><script>alert(1)//", "javascript:alert(1)", "[x](javascript:alert(1))", "![x](http://127.0.0.1:9/x)"],
    *[
        "$\\frac$",
        "{{7*7}}",
        "{0.__class__}",
        "%s%n",
        "\0",
        "\x1b[2J",
        "\u202egnp.exe",
        "\u200b",
        "\ufeff",
        "\U000e0041",
    ],
    *["\r\n", "\u2028", "../../etc/passwd", "/etc/passwd", "..", "~root", "a" * 3_000, "\u0300" * 400, "𒐫", "<|end|>"],
    *[
        "Action: x\nAction: y",
        "Thought:",
        "<think>",
        "</think>",
        "```",
        "NaN",
        "-0",
        "9" * 400,
        "__import__('os')",
        "!x y",
    ],
]
texts = st.text(max_size=30) | st.sampled_from(NASTY) | st.lists(st.sampled_from(NASTY), max_size=4).map("".join)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(leaves, lambda v: st.lists(v, max_size=3) | st.dictionaries(texts, v, max_size=3), max_leaves=8)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside a JSON value."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += places(item, (*path, key))
    return found


@st.composite
def spoilt(draw: st.DrawFn, record: Any, what: st.SearchStrategy[Any] = values) -> Any:
    """The JSON of a good record with one to three of its values replaced, dropped or doubled."""
    made = json.loads(json.dumps(record))
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(made) or [("x",)]))
        part = made
        for key in way:
            part = part[key]
        match draw(st.sampled_from(["replace", "replace", "drop", "double"])):
            case "replace":
                part[last] = draw(what)
            case "drop":
                del part[last]
            case "double" if isinstance(part, list):
                part.insert(last, part[last])
            case "double":
                part[f"{last}2"] = part[last]
        if not places(made):
            break
    return made


def lines_of(records: list[Any]) -> st.SearchStrategy[bytes]:
    """A file of spoilt records among bytes of any kind."""
    line = st.sampled_from(records).flatmap(spoilt).map(lambda made: json.dumps(made).encode()) | st.binary(max_size=60)
    deep = st.sampled_from([b"[" * 5_000, b'{"a":' * 5_000, b"\xef\xbb\xbf{}", b"\xff", b'"\\ud800"', b"1e999"])
    return st.tuples(st.lists(line | deep, max_size=4), st.sampled_from([b"", b"\n", b"\r\n"])).map(
        lambda drawn: b"\n".join(drawn[0]) + drawn[1]
    )


def choose_good(trajectories: list[Trajectory]) -> None:
    """Fills GOOD, from the shortest trajectory."""
    trajectory = min(trajectories, key=lambda t: len(t.to_json()))
    records: list[Record] = [trajectory, to_conversation(trajectory), make_episode("You see a door.", "go forward")]
    GOOD.update({type(record).__name__: json.loads(record.to_json()) for record in records})


def make_episode(text: str, action: str, kind: str | None = None) -> Episode:
    """One that says ``text`` wherever an episode says anything."""
    task = Task(engine=text or "x", name=text or "x", seed=1)
    step = Step(reply=text, thought=text, action=action, observation=text, progress=0.5, error=kind)
    told = {"goal": text, "observation": text, "rules": text, "commands": {text: text}, "engine_version": text}
    return Episode(id=text, policy=text, task=task, steps=[step, step], success=True, progress=0.5, **told)
