"""The key comes from the environment and appears nowhere else."""

import asyncio
import logging
import traceback

import pytest
from pydantic import ValidationError

from agentrefine_lib.endpoint import Endpoint, EndpointError, EndpointSettings
from agentrefine_lib.endpoint.failures import scrubber

CANARY = "sk-canary/7f3a9b51c2d8e604"
CHAT = [{"role": "user", "content": "what is my key?"}]


def everything(error):
    """All that a traceback, a debugger or a pickle of an exception could show, with its whole chain."""
    seen = []
    while error is not None:
        seen += [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
        error = error.__cause__ or error.__context__
    return "\n".join(seen)


@pytest.mark.parametrize("status", [200, 400, 401, 403, 422, 429, 500, 503])
def test_a_server_that_echoes_the_key(server, faults, tmp_path, monkeypatch, caplog, capfd, status):
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    caplog.set_level(logging.DEBUG)
    server.rule = lambda body: faults.echo_key(status)
    shown = []

    async def run():
        async with Endpoint(server.settings(retries=1), tmp_path / "completions.jsonl") as endpoint:
            try:
                completion = await endpoint.complete(CHAT, json_schema={"type": "object"})
                shown.append(repr(completion))
            except EndpointError as error:
                shown.append(everything(error))
            shown.extend([repr(endpoint), repr(vars(endpoint)), str(endpoint.statistics()), repr(endpoint.settings)])

    asyncio.run(run())
    assert server.bodies and "[key]" in shown[0]
    shown += [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    shown += [caplog.text, *capfd.readouterr()]
    assert CANARY[:8] not in "\n".join(shown)


def test_a_missing_key_is_asked_for_by_name(monkeypatch):
    away = EndpointSettings(base_url="https://nobody.invalid/v1", model="m", key_variable="MY_KEY")
    for bad in (None, "", "  ", f"{CANARY}\n{CANARY}", f"{CANARY}é"):
        if bad is not None:
            monkeypatch.setenv("MY_KEY", bad)
        with pytest.raises(EndpointError, match="environment variable MY_KEY") as caught:
            asyncio.run(_ask(away))
        assert "nobody.invalid" in str(caught.value)
        assert CANARY[:8] not in everything(caught.value)


def test_loopback_needs_no_key_and_the_variable_is_read_where_it_is_set(server, monkeypatch, faults):
    assert asyncio.run(_ask(server.settings())).text == "echo: what is my key?"
    monkeypatch.setenv("MY_KEY", CANARY + "\n")
    server.rule = lambda body: faults.echo_key(401)
    with pytest.raises(EndpointError, match=r"Incorrect API key: \[key\].* MY_KEY"):
        asyncio.run(_ask(server.settings(key_variable="MY_KEY")))


@pytest.mark.parametrize(
    "wrong",
    [
        {"key_variable": CANARY},
        {"base_url": f"https://user:{CANARY}@api.example/v1"},
        {"base_url": f"https://api.example/v1?api-key={CANARY}"},
        {"base_url": "api.example/v1"},
    ],
)
def test_settings_hold_no_key_and_do_not_print_one(wrong):
    with pytest.raises(ValidationError) as caught:
        EndpointSettings(**({"base_url": "https://api.example/v1", "model": "m"} | wrong))
    assert CANARY[:8] not in str(caught.value)


def test_scrubbing():
    assert scrubber(CANARY)(f"a {CANARY} b {CANARY.replace('/', chr(92) + '/')}") == "a [key] b [key]"
    assert scrubber("EMPTY")("EMPTY") == "EMPTY"


async def _ask(settings):
    async with Endpoint(settings) as endpoint:
        return await endpoint.complete(CHAT)
