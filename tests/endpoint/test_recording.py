"""Record and replay: paid once whatever happens, known again whatever the order of fields, offline when replayed."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrefine_lib.endpoint import Completion, Endpoint, EndpointError, EndpointSettings, NotRecordedError
from agentrefine_lib.endpoint.request import Request
from agentrefine_lib.schema import SchemaError, read_jsonl


def chat(text):
    return [{"role": "system", "content": "You answer."}, {"role": "user", "content": text}]


def ask_all(settings, texts, recording, mode="record", **kwargs):
    async def run():
        async with Endpoint(settings, recording, mode, **kwargs) as endpoint:
            return await asyncio.gather(
                *(endpoint.complete(chat(text), seed=7) for text in texts)
            ), endpoint.statistics()

    return asyncio.run(run())


def test_what_is_recorded_is_not_paid_again(server, tmp_path):
    path = tmp_path / "completions.jsonl"
    first, _ = ask_all(server.settings(), "abc", path)
    second, statistics = ask_all(server.settings(), "abcd", path)
    assert [c.cached for c in first] == [False] * 3 and [c.cached for c in second] == [True] * 3 + [False]
    assert [c.text for c in second[:3]] == [c.text for c in first]
    assert server.counts == dict.fromkeys("abcd", 1)
    assert (statistics.cached, statistics.requests, statistics.spent.requests) == (3, 1, 4)
    assert statistics.tokens == 50 and statistics.spent.tokens == 200


def test_a_replay_is_the_same_offline_and_without_a_key(server, tmp_path):
    path = tmp_path / "completions.jsonl"
    recorded, _ = ask_all(server.settings(), "abc", path)
    before = path.read_bytes()
    path.chmod(0o444)
    away = server.settings(base_url="https://nobody.invalid/v1")
    replayed, statistics = ask_all(away, "cab", path, "replay")
    assert [c.model_copy(update={"cached": False}) for c in replayed] == [recorded[2], *recorded[:2]]
    assert statistics.requests == 0 and path.read_bytes() == before and len(server.bodies) == 3
    with pytest.raises(
        NotRecordedError, match=r"completions\.jsonl: request .* is not recorded.* 3 completions .*record again"
    ):
        ask_all(server.settings(), "d", path, "replay")
    assert len(server.bodies) == 3


def test_replay_needs_a_recording(server, tmp_path):
    with pytest.raises(NotRecordedError, match="no such recording"):
        ask_all(server.settings(), "a", tmp_path / "none.jsonl", "replay")
    with pytest.raises(ValueError, match="needs a recording"):
        Endpoint(server.settings(), mode="replay")


def test_off_neither_reads_nor_writes(server, tmp_path):
    path = tmp_path / "completions.jsonl"
    ask_all(server.settings(), "a", path, "off")
    assert not path.exists()


def test_a_half_written_last_line_is_dropped(server, tmp_path):
    path = tmp_path / "completions.jsonl"
    ask_all(server.settings(), "ab", path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    replayed = whole.count(b"\n") - 1
    with pytest.raises(NotRecordedError, match=f"{replayed} completions are recorded"):
        ask_all(server.settings(), "c", path, "replay")
    ask_all(server.settings(), "ab", path)
    assert sorted(line.text for line in read_jsonl(path, Completion)) == ["echo: a", "echo: b"]
    assert sorted(server.counts.values()) == [1, 2]


def test_a_foreign_line_is_named(server, tmp_path):
    path = tmp_path / "completions.jsonl"
    path.write_text('{"key": 3}\n')
    for mode in ("replay", "record"):
        with pytest.raises(SchemaError, match=r"completions\.jsonl:1: not a Completion: field key"):
            ask_all(server.settings(), "a", path, mode)


def test_twins_in_flight_are_paid_once(server, tmp_path):
    server.latency_s = 0.1
    completions, statistics = ask_all(server.settings(), "aaaaabbb", tmp_path / "completions.jsonl")
    assert server.counts == {"a": 1, "b": 1} and statistics.cached == 6
    assert [c.cached for c in completions] == [False, True, True, True, True, False, True, True]


def test_twins_share_a_failure(server, faults):
    server.rule = lambda body: faults.status(400)

    async def run():
        async with Endpoint(server.settings()) as endpoint:
            asked = (endpoint.complete(chat("a")) for _ in range(4))
            return await asyncio.gather(*asked, return_exceptions=True)

    assert [type(error) for error in asyncio.run(run())] == [EndpointError] * 4 and len(server.bodies) == 1


def test_a_cancelled_caller_does_not_waste_what_is_on_the_wire(server, tmp_path):
    server.latency_s = 0.2

    async def run():
        async with Endpoint(server.settings(concurrency=2), tmp_path / "completions.jsonl") as endpoint:
            callers = [asyncio.create_task(endpoint.complete(chat(text))) for text in "abcd"]
            await asyncio.sleep(0.1)
            for caller in callers:
                caller.cancel()

    started = time.perf_counter()
    asyncio.run(run())
    assert time.perf_counter() - started < 2
    recorded = [line.text for line in read_jsonl(tmp_path / "completions.jsonl", Completion)]
    assert sorted(recorded) == ["echo: a", "echo: b"] and len(server.bodies) == 2


PROGRAM = """
import asyncio, sys
from pathlib import Path
from agentrefine_lib.endpoint import Endpoint, EndpointSettings
async def main():
    settings = EndpointSettings(base_url=sys.argv[1], model="tiny", concurrency=8, max_tokens=100)
    async with Endpoint(settings, Path(sys.argv[2])) as endpoint:
        chats = [[{"role": "user", "content": str(i)}] for i in range(int(sys.argv[3]))]
        await asyncio.gather(*(endpoint.complete(chat) for chat in chats))
asyncio.run(main())
"""


@pytest.mark.slow
def test_kill_9_repeats_no_finished_request(server, tmp_path):
    server.latency_s, path, count, rng = 0.02, tmp_path / "completions.jsonl", 160, random.Random(0)
    path.touch()
    kills, asked_when_recorded = 0, {}
    while True:
        run = subprocess.Popen([sys.executable, "-c", PROGRAM, server.url, str(path), str(count)])
        enough = path.read_bytes().count(b"\n") + rng.randint(1, 25)
        while run.poll() is None and path.read_bytes().count(b"\n") < enough:
            time.sleep(0.002)
        if run.poll() is not None:
            break
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        kills += 1
        lines = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
        for line in lines:
            text = line["text"].removeprefix("echo: ")
            asked_when_recorded.setdefault(text, server.counts[text])
    assert run.returncode == 0 and kills >= 5
    assert all(server.counts[text] == asked for text, asked in asked_when_recorded.items())
    texts = [line.text for line in read_jsonl(path, Completion)]
    assert sorted(texts) == sorted(f"echo: {i}" for i in range(count))


SETTINGS = EndpointSettings(base_url="http://127.0.0.1:1/v1", model="tiny")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=5), VALUES, max_size=5)


def reordered(value):
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(list(value))}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@given(st.lists(OBJECTS, max_size=3), OBJECTS, st.integers())
def test_the_key_does_not_depend_on_the_order_of_fields(messages, schema, seed):
    again = Request(SETTINGS, reordered(messages), seed, reordered(schema))
    assert Request(SETTINGS, messages, seed, schema).key == again.key


@given(st.lists(OBJECTS, max_size=3), st.lists(OBJECTS, max_size=3))
def test_the_key_depends_on_the_content(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (Request(SETTINGS, one, 0, None).key == Request(SETTINGS, other, 0, None).key) is same


def test_the_key_depends_on_all_sampling_and_on_nothing_else():
    def key(seed=0, schema=None, **changes):
        return Request(EndpointSettings(**(SETTINGS.model_dump() | changes)), chat("a"), seed, schema).key

    differ = [{"model": "other"}, {"temperature": 0.5}, {"top_p": 0.5}, {"max_tokens": 5}, {"extra": {"n": 1}}]
    differ += [{"temperature": None}, {"seed": 1}, {"seed": None}, {"schema": {}}]
    assert len({key(), *(key(**change) for change in differ)}) == len(differ) + 1
    for change in [
        {"base_url": "https://b.example/v1"},
        {"key_variable": "OTHER"},
        {"concurrency": 1},
        {"temperature": 1},
    ]:
        assert key(**change) == key()


@given(st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_a_prompt_has_at_most_as_many_tokens_as_its_bound(texts):
    messages = [{"role": "user", "content": text} for text in texts]
    assert Request(SETTINGS, messages, 0, None).prompt_bound >= sum(len(text.encode("utf-8")) for text in texts)
