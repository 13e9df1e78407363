"""The fault matrix: what a server may do wrong × what becomes of the request."""

import asyncio
import random
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pydantic import ValidationError

from agentrefine_lib.endpoint import Completion, EmptyAnswerError, Endpoint, EndpointError
from agentrefine_lib.endpoint.failures import asked_wait
from agentrefine_lib.schema import Ending, read_jsonl

CHAT = [{"role": "user", "content": "hello"}]


def ask(settings, **kwargs):
    """One request: its outcome (a Completion or an EndpointError), the statistics, the seconds it took."""

    async def run():
        async with Endpoint(settings, **({"rng": random.Random(0)} | kwargs)) as endpoint:
            started = time.perf_counter()
            try:
                outcome = await endpoint.complete(CHAT)
            except EndpointError as error:
                outcome = error
            return outcome, endpoint.statistics(), time.perf_counter() - started

    return asyncio.run(run())


MENDED = {
    "429": ("rate_limit", lambda f: f.status(429)),
    "500": ("server_error", lambda f: f.status(500)),
    "503": ("server_error", lambda f: f.status(503)),
    "408": ("server_error", lambda f: f.status(408)),
    "slow": ("timeout", lambda f: f.slow(2)),
    "dribble": ("timeout", lambda f: f.dribble),
    "cut": ("connection", lambda f: f.cut),
    "page": ("garbage", lambda f: f.body("<html>busy</html>", media_type="text/html")),
    "empty": ("garbage", lambda f: f.body("")),
    "truncated": ("garbage", lambda f: f.body('{"choices": [{"message": {"content": "hel')),
    "no choices": ("garbage", lambda f: f.body('{"choices": []}')),
    "error in 200": ("garbage", lambda f: f.body('{"error": {"message": "overloaded"}}')),
    "null": ("empty", lambda f: f.said(None, "stop")),
    "blank": ("empty", lambda f: f.said(" \n\u200b", "stop")),
    "reasoning cut": ("empty", lambda f: f.said("<think>Let me see", "length")),
    "reasoning and no answer": ("empty", lambda f: f.said("<think>Done.</think>\n<|im_end|>", "stop")),
    "other reasoning and no answer": ("empty", lambda f: f.said("[THINK]Done.[/THINK]<eos>", "stop")),
    "only reasoning": ("empty", lambda f: f.said(None, "length", reasoning_content="Let me see")),
    "only tools": ("empty", lambda f: f.said(None, "tool_calls", tool_calls=[{"id": "1"}])),
    "filtered": ("empty", lambda f: f.said(None, "content_filter")),
    "refusal": ("empty", lambda f: f.said(None, "stop", refusal="I cannot")),
    "negative usage": ("garbage", lambda f: f.body('{"choices": [{"message": {}}], "usage": {"prompt_tokens": -5}}')),
}


@pytest.mark.parametrize("name", MENDED)
def test_a_passing_fault_is_retried_and_paid_once(server, faults, tmp_path, name):
    kind, make = MENDED[name]
    server.plan.extend([make(faults)] * 2)
    recording = tmp_path / "completions.jsonl"
    timeout_s = 0.5 if kind == "timeout" else 5.0
    completion, statistics, _ = ask(server.settings(timeout_s=timeout_s), recording=recording)
    assert completion.text == "echo: hello" and not completion.cached
    assert statistics.retries == {kind: 2} and statistics.requests == 3
    assert [line.text for line in read_jsonl(recording, Completion)] == ["echo: hello"]


@pytest.mark.parametrize("name", MENDED)
def test_a_lasting_fault_ends_in_an_error_with_its_history(server, faults, name):
    kind, make = MENDED[name]
    server.rule = lambda body: make(faults)
    timeout_s = 0.2 if kind == "timeout" else 5.0
    error, statistics, took = ask(server.settings(timeout_s=timeout_s, retries=2))
    assert took < 3  # a dribbling server takes 3 s for one answer
    assert isinstance(error, EndpointError)
    for part in ("3 attempts", f"3 × {kind}", server.url, "'tiny'", "What to do"):
        assert part in str(error)
    assert len(server.bodies) == statistics.requests == 3
    if name == "error in 200":
        assert "overloaded" in str(error)


def test_a_reset_connection_is_retried(resetting_url, server):
    error, statistics, _ = ask(server.settings(base_url=resetting_url, retries=2))
    assert "3 × connection" in str(error) and statistics.requests == 3


def test_nobody_listening_is_told_and_not_billed(server):
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    error, statistics, _ = ask(server.settings(base_url=url, retries=1))
    assert "2 × connection" in str(error) and "ConnectError" in str(error) and url in str(error)
    assert statistics.tokens == 0


@pytest.mark.parametrize(
    ("code", "advice"),
    [(400, "change the request"), (401, "OPENAI_API_KEY"), (403, "OPENAI_API_KEY"), (404, "/v1"), (422, "change")],
)
def test_a_refusal_is_final_at_once(server, faults, code, advice):
    server.rule = lambda body: faults.status(code, "the server's reason")
    error, statistics, _ = ask(server.settings())
    assert isinstance(error, EndpointError)
    for part in (str(code), "the server's reason", server.url, "'tiny'", advice):
        assert part in str(error)
    assert len(server.bodies) == 1 and statistics.retries == {} and statistics.tokens == 0


def test_an_account_without_credit_is_not_asked_again(server, faults):
    server.rule = lambda body: faults.status(429, code="insufficient_quota")
    error, _, _ = ask(server.settings())
    assert "out of credit" in str(error) and len(server.bodies) == 1


@pytest.mark.parametrize("headers", [{"retry-after": "0.5"}, {"retry-after-ms": "500", "retry-after": "9"}])
def test_retry_after_is_honoured_by_all_requests(server, faults, headers):
    server.plan.append(faults.status(429, headers=headers))

    async def run():
        async with Endpoint(server.settings()) as endpoint:
            first = asyncio.create_task(endpoint.complete(CHAT, seed=1))
            await asyncio.sleep(0.1)  # the first has been told to wait
            started = time.perf_counter()
            await endpoint.complete(CHAT, seed=2)
            await first
            return time.perf_counter() - started

    assert 0.3 < asyncio.run(run()) < 2


def test_retry_after_as_a_date_or_nonsense():
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 57 < asked_wait({"retry-after": in_a_minute}) < 61
    assert asked_wait({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    for nonsense in ({}, {"retry-after": "soon"}, {"retry-after": "nan"}, {"retry-after": "-3"}, {"retry-after": ""}):
        assert asked_wait(nonsense) == 0


def test_a_server_that_asks_for_an_hour_is_given_up(server, faults):
    server.rule = lambda body: faults.status(429, headers={"retry-after": "3600"})
    error, _, took = ask(server.settings())
    assert "asks to wait 3,600 s" in str(error) and took < 1 and len(server.bodies) == 1


class Spy(random.Random):
    """Notes between which bounds it was asked to draw; draws the lower one."""

    def __init__(self):
        super().__init__(0)
        self.bounds = []

    def uniform(self, low, high):
        self.bounds.append((low, high))
        return low


def test_backoff_is_drawn_from_doubling_bounds(server, faults):
    server.rule = lambda body: faults.status(500)
    ask(server.settings(retries=5, backoff_s=1.0, backoff_max_s=8.0), rng=(spy := Spy()))
    assert spy.bounds == [(0, 1), (0, 2), (0, 4), (0, 8), (0, 8)]


def test_schemas_fall_back_and_the_endpoint_remembers(server, faults, caplog):
    def rule(body):
        wanted = body.get("response_format", {}).get("type")
        return faults.status(400, f"response_format {wanted} is not supported") if wanted else None

    server.rule = rule
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}

    async def run():
        async with Endpoint(server.settings(retries=0)) as endpoint:
            ask_for = [endpoint.complete(CHAT, seed=seed, json_schema=schema) for seed in range(8)]
            texts = [completion.text for completion in await asyncio.gather(*ask_for)]
            asked = len(server.bodies)
            await endpoint.complete(CHAT, seed=99, json_schema=schema)
            return texts, len(server.bodies) - asked, endpoint.statistics()

    texts, after, statistics = asyncio.run(run())
    assert texts == ["echo: hello"] * 8 and after == 1
    assert statistics.response_format == "text" and statistics.retries == {} and statistics.limit == 16
    assert server.bodies[0]["response_format"]["json_schema"]["schema"] == schema
    assert {"type": "json_object"} in [body.get("response_format") for body in server.bodies]
    assert [record.message.count("asking for") for record in caplog.records] == [1, 1]


def test_a_server_that_counts_no_tokens_gets_upper_bounds(server):
    server.usage = None
    completion, statistics, _ = ask(server.settings())
    assert completion.estimated and completion.completion_tokens == len("echo: hello")
    assert statistics.tokens == completion.tokens > len("hello")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("only reasoning", "raise max_tokens"),
        ("only tools", "without tools"),
        ("refusal", "change the prompt"),
        ("filtered", "change the prompt"),
        ("null", "chat template"),
    ],
)
def test_an_answer_without_text_says_what_to_do(server, faults, tmp_path, name, advice):
    server.rule = lambda body: MENDED[name][1](faults)
    error, statistics, _ = ask(server.settings(retries=1), recording=tmp_path / "c.jsonl")
    assert advice in str(error) and "max_tokens=100" in str(error)
    assert isinstance(error, EmptyAnswerError) is (name in ("refusal", "filtered"))  # the model may never have spoken
    assert (tmp_path / "c.jsonl").read_bytes() == b"" and statistics.retries == {"empty": 1}


def test_an_empty_answer_in_an_older_recording_is_asked_again(server, tmp_path):
    path = tmp_path / "completions.jsonl"
    ask(server.settings(), recording=path)
    path.write_text(path.read_text().replace("echo: hello", ""))
    completion, statistics, _ = ask(server.settings(), recording=path)
    assert completion.text == "echo: hello" and (statistics.requests, statistics.spent.requests) == (1, 2)
    assert ask(server.settings(), recording=path)[0].cached


@pytest.mark.parametrize(("reason", "written"), [("length", 40), ("stop", 100), ("MAX_TOKENS", 3)])
def test_cut_answers_are_counted_and_told_in_one_line(server, faults, tmp_path, caplog, reason, written):
    server.usage = {"prompt_tokens": 20, "completion_tokens": written}
    server.plan.append(faults.said("Action: g", reason, usage=server.usage))
    server.usage = {"prompt_tokens": 20, "completion_tokens": 30}

    async def run():
        async with Endpoint(server.settings(), tmp_path / "c.jsonl") as endpoint:
            first = await endpoint.complete(CHAT, seed=1)
            second = await endpoint.complete(CHAT, seed=2)
            return first, second, endpoint.statistics()

    for cached in (False, True):
        caplog.clear()
        first, second, statistics = asyncio.run(run())
        assert first.ending == Ending(reason=reason, tokens=written, cut=True) and first.cached is cached
        assert not second.ending.cut and statistics.cut == 1
        (told,) = [record.message for record in caplog.records]
        assert "of 2 answers 1 end at max_tokens=100: raise it" in told


def test_a_model_that_answers_may_have_nothing_to_say_to_a_prompt(server, faults, tmp_path, caplog):
    server.rule = lambda body: faults.said(None, "length", reasoning_content="hm") if body["seed"] == 2 else None

    async def run():
        async with Endpoint(server.settings(retries=1), tmp_path / "c.jsonl") as endpoint:
            with pytest.raises(EndpointError if first else EmptyAnswerError) as caught:
                await endpoint.complete(CHAT, seed=2)
            await endpoint.complete(CHAT, seed=1)
            return caught.value

    first = True
    assert not isinstance(asyncio.run(run()), EmptyAnswerError)  # nothing was ever answered: something is wrong
    first = False
    caplog.clear()
    assert asyncio.run(run()).ending == Ending(reason="length", cut=True)  # the recording knows that it answers
    assert "of 2 answers 1 end at max_tokens=100: raise it" in caplog.text and "1 have no text" in caplog.text


def test_a_server_that_cuts_prompts_is_named_once(server, caplog):
    def watched(tokens_of):
        caplog.clear()

        async def run():
            async with Endpoint(server.settings()) as endpoint:
                for chars in (2_705, 3_000, 4_000, 9_579, 20_000):
                    server.usage = {"prompt_tokens": tokens_of(chars), "completion_tokens": 3}
                    await endpoint.complete([{"role": "user", "content": "x" * chars}])

        asyncio.run(run())
        return [record.message for record in caplog.records]

    assert watched(lambda chars: chars // 4) == []
    assert len(watched(lambda chars: min(chars // 4, 1_030))) == 1
    (told,) = watched(lambda chars: 300)
    for part in ("'tiny'", "from 2,705 to 4,000 characters", "300 and then 300 prompt tokens", "What to do"):
        assert part in told


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (422, "Unprocessable Entity"),
        (501, "not implemented"),
        (400, "The provided JSON contains features not supported by xgrammar."),
        (500, "failed to parse grammar"),
    ],
)
def test_a_form_that_is_refused_in_any_words_falls_back(server, faults, status, words):
    server.rule = lambda body: faults.status(status, words) if "response_format" in body else None

    async def run():
        async with Endpoint(server.settings(retries=0)) as endpoint:
            texts = [(await endpoint.complete(CHAT, seed=seed, json_schema=SCHEMA)).text for seed in range(4)]
            return texts, endpoint.statistics()

    texts, statistics = asyncio.run(run())
    assert texts == ["echo: hello"] * 4 and statistics.response_format == "text"
    assert len(server.bodies) == 3 + 3 + 1 + 1 and statistics.retries == {}


@pytest.mark.parametrize("lasting", [True, False])
def test_one_request_that_is_refused_for_another_reason_changes_no_other(server, faults, lasting):
    words = "maximum context length is 900 tokens; response_format json_schema takes 400"

    def rule(body):
        return faults.status(400, words) if body["seed"] == 1 and (lasting or "response_format" in body) else None

    server.rule = rule

    async def run():
        async with Endpoint(server.settings(retries=0)) as endpoint:
            asked = (endpoint.complete(CHAT, seed=seed, json_schema=SCHEMA) for seed in (1, 2, 3))
            outcomes = [outcome for each in asked for outcome in await asyncio.gather(each, return_exceptions=True)]
            return outcomes, endpoint.statistics()

    outcomes, statistics = asyncio.run(run())
    assert isinstance(outcomes[0], EndpointError if lasting else Completion)
    assert not lasting or "refused with 400: maximum context length" in str(outcomes[0])
    assert statistics.response_format == "json_schema"
    assert all(body["response_format"]["type"] == "json_schema" for body in server.bodies if body["seed"] > 1)


@pytest.mark.parametrize("name", ["temperature", "max_tokens", "max_completion_tokens", "messages", "response_format"])
def test_what_extra_says_twice_is_refused(server, name):
    with pytest.raises(ValidationError, match=f"extra\n.*{name} is set by"):
        server.settings(extra={"top_k": 5, name: 1})


def test_what_is_sent(server):
    changes = {"temperature": None, "max_tokens_name": "max_completion_tokens", "extra": {"reasoning_effort": "low"}}
    ask(server.settings(**changes))
    want = {"model": "tiny", "messages": CHAT, "top_p": 1.0, "max_completion_tokens": 100, "reasoning_effort": "low"}
    assert server.bodies == [want]
