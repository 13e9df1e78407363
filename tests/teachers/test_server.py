"""The teacher server, seen through the real client: what it answers, and each fault on the wire."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import openai
import pytest

from agentrefine_lib.schema import COMPLETED, Script
from agentrefine_lib.teachers import Brief, EmbeddedTeacher, embedded_persona
from agentrefine_lib.teachers.faults import Faults, read_faults
from agentrefine_lib.teachers.recovery import recover_json
from agentrefine_lib.teachers.server import make_app, serve
from agentrefine_lib.verify import check_script, check_turns, parse_turns

PERSONA = embedded_persona(0)
SCRIPT_REQUEST = f"Write a script.\nPersona: {PERSONA}\nVariation: 0.0"


@contextmanager
def client_of(faults=Faults(), **options):  # noqa: B008
    """A client that does not retry, and the app."""
    app = make_app(EmbeddedTeacher(), faults)
    options = {"max_retries": 0, "timeout": 5.0} | options
    with serve(app) as url, openai.OpenAI(base_url=url, api_key="unused", **options) as client:
        yield client, app


def ask(client, text=SCRIPT_REQUEST, **options):
    return client.chat.completions.create(
        model="tiny", messages=[{"role": "system", "content": "Rules."}, {"role": "user", "content": text}], **options
    )


def text_of(completion):
    return completion.choices[0].message.content


def play_request(script: Script, turns="[]", variation="0.0"):
    return f"Persona: {PERSONA}\nVariation: {variation}\nScript: {script.to_json()}\nTurns so far: {turns}\nGo on."


@pytest.fixture(scope="module")
def script():
    return EmbeddedTeacher().game(Brief(PERSONA, 0)).script


@pytest.fixture(scope="module")
def plain():
    """A server without faults, for all tests that only ask."""
    with client_of() as pair:
        yield pair


# Answers


def test_a_script_and_its_play(plain, script):
    client, _ = plain
    completion = ask(client, response_format={"type": "json_object"}, seed=3, temperature=0.5)
    assert check_script(json.loads(text_of(completion))) == script
    assert (completion.model, completion.choices[0].finish_reason) == ("tiny", "stop")
    assert completion.usage.completion_tokens == -(-len(text_of(completion)) // 4)
    assert completion.usage.prompt_tokens == -(-len("Rules.\n" + SCRIPT_REQUEST) // 4)
    turns, malformed = parse_turns(json.loads(text_of(ask(client, play_request(script))))["turns"])
    assert (malformed, check_turns(script, turns)) == (None, None)
    rest = json.loads(text_of(ask(client, play_request(script, json.dumps([t.model_dump() for t in turns[:3]])))))
    assert rest["turns"][0]["turn"] == 3
    assert rest["turns"][-1]["Observation"].endswith(COMPLETED)


@pytest.mark.parametrize("question", ["Hello!", "Variation: 1.0", "another script", "another brief"])
def test_other_questions_get_a_plain_answer(plain, script, question):
    client, app = plain
    if question == "another script":
        question = play_request(script.model_copy(update={"goal": "Rest."}))
    if question == "another brief":
        question = play_request(script, variation="7.0")
    before = app.state.requests.total()
    answer = ask(client, question)
    assert "{" not in text_of(answer)
    assert answer.choices[0].finish_reason == "stop"
    assert app.state.requests.total() == before + 1


def test_models_statistics_and_bad_requests():
    with client_of() as (client, app):
        assert [model.id for model in client.models.list()] == ["embedded"]
        ask(client)
        ask(client, "Hello!")
        with pytest.raises(openai.BadRequestError, match="messages"):
            client.chat.completions.create(model="tiny", messages="no list")
        counts = client.get("/../stats", cast_to=object)
        assert counts == {"requests": {"script": 1, "other": 1, "invalid": 1}, "faults": {}}
        assert counts == {"requests": app.state.requests, "faults": app.state.faults}


# Faults on the way


def test_too_many_requests():
    with client_of(Faults(too_many_requests=1.0, retry_after_s=7)) as (client, app):
        with pytest.raises(openai.RateLimitError) as caught:
            ask(client)
        assert caught.value.response.headers["retry-after"] == "7"
        assert app.state.faults == {"too_many_requests": 1}


def test_server_error():
    with client_of(Faults(server_error=1.0)) as (client, _), pytest.raises(openai.InternalServerError):
        ask(client)


def test_disconnect():
    with client_of(Faults(disconnect=1.0)) as (client, _):
        with pytest.raises(Exception, match=r"peer closed|Connection error") as caught:
            ask(client)
        assert "Remote" in repr([caught.value, caught.value.__cause__])


def test_hang():
    with client_of(Faults(hang=1, hang_s=0.6), timeout=0.3) as (client, _):
        with pytest.raises(openai.APITimeoutError):
            ask(client)
        assert text_of(ask(client))  # a count: the second time it answers at once
    with client_of(Faults(hang=1.0, hang_s=0.3)) as (client, _):
        start = time.monotonic()
        assert text_of(ask(client))  # after hang_s comes the answer
        assert time.monotonic() - start > 0.3


def test_latency_before_every_answer():
    with client_of(Faults(latency_s=0.2)) as (client, _):
        start = time.monotonic()
        ask(client, "Hello!")
        assert time.monotonic() - start > 0.2


# Faults in the answer


def test_truncated():
    with client_of(Faults(truncated=1.0)) as (client, _):
        completion = ask(client)
        assert completion.choices[0].finish_reason == "length"
        assert recover_json(text_of(completion), partial=False) is None


def test_malformed_json(script):
    with client_of(Faults(malformed_json=1.0)) as (client, _):
        for question in (SCRIPT_REQUEST, play_request(script)):
            for seed in range(5):
                assert recover_json(text_of(ask(client, question, seed=seed))) is None


def test_wrong_schema(script):
    with client_of(Faults(wrong_schema=1.0)) as (client, _):
        for seed in range(12):
            assert check_script(json.loads(text_of(ask(client, seed=seed)))).reason == "script_malformed"
            play = json.loads(text_of(ask(client, play_request(script), seed=seed)))
            assert parse_turns(play["turns"])[1].reason == "turn_malformed"


def test_rule_breaking(script):
    reasons = set()
    with client_of(Faults(rule_breaking=1.0)) as (client, _):
        for seed in range(12):
            reasons.add(check_script(json.loads(text_of(ask(client, seed=seed)))).reason)
            turns, malformed = parse_turns(json.loads(text_of(ask(client, play_request(script), seed=seed)))["turns"])
            assert malformed is None
            reasons.add(check_turns(script, turns).reason)
    assert reasons == {"code_misses_signature", "error_unflagged", "goal_not_reached"}


def test_a_play_that_has_ended_is_continued_by_nothing_whatever_the_fault(script):
    with client_of(Faults(malformed_json=1.0)) as (client, _):
        turns = EmbeddedTeacher().play(Brief(PERSONA, 0), script, [])
        whole = json.dumps(asyncio.run(turns))
        assert json.loads(text_of(ask(client, play_request(script, whole)))) == {"turns": []}


def test_chatty_answers_differ_but_hold_the_same_json(script):
    with client_of(Faults(chatty=1.0)) as (client, _):
        texts = [text_of(ask(client, seed=seed)) for seed in range(20)]
    assert len(set(texts)) == 4
    assert {check_script(recover_json(text)).to_json() for text in texts} == {script.to_json()}


# Chances and counts


def test_chance_is_the_same_in_every_run_and_as_frequent_as_asked_for():
    def outcomes(seed):
        with client_of(Faults(too_many_requests=0.2, server_error=0.2, malformed_json=0.25, seed=seed)) as (
            client,
            app,
        ):
            found = []
            for number in range(60):
                try:
                    found.append(text_of(ask(client, seed=number)))
                except openai.APIStatusError as error:
                    found.append(error.status_code)
            return found, dict(app.state.faults)

    first, counts = outcomes(0)
    assert outcomes(0) == (first, counts)
    assert outcomes(1)[0] != first
    assert 5 <= counts["too_many_requests"] <= 20
    assert 5 <= counts["server_error"] <= 20
    assert 3 <= counts["malformed_json"] <= 15


def test_a_retry_may_fare_better_but_an_answer_stays_what_it_is():
    with client_of(Faults(server_error=0.5, truncated=0.5)) as (client, _):
        for number in range(8):
            found = set()
            for _ in range(10):
                try:
                    found.add(text_of(ask(client, seed=number)))
                except openai.InternalServerError:
                    found.add(500)
            assert len(found) == 2
            assert 500 in found


def test_counts_take_their_turns_per_question():
    with client_of(Faults(too_many_requests=2, server_error=1, malformed_json=1, retry_after_s=0.05)) as (client, app):
        for question in (SCRIPT_REQUEST, SCRIPT_REQUEST.replace("0.0", "0.1")):
            found = []
            for seed in range(5):  # the seed does not make it another question
                try:
                    found.append(recover_json(text_of(ask(client, question, seed=seed))) is not None)
                except openai.APIStatusError as error:
                    found.append(error.status_code)
            assert found == [429, 429, 500, False, True]
        patient = client.with_options(max_retries=3)
        assert recover_json(text_of(ask(patient, SCRIPT_REQUEST.replace("0.0", "0.2")))) is None
    assert app.state.faults == {"too_many_requests": 6, "server_error": 3, "malformed_json": 3}


def test_impossible_faults_are_refused():
    with pytest.raises(ValueError, match="add up to at most 1"):
        Faults(hang=0.6, disconnect=0.6)
    with pytest.raises(ValueError, match="expected counts"):
        Faults(truncated=-1)
    with pytest.raises(ValueError, match=r"hanging=1: expected NAME=NUMBER with one of chatty, disconnect"):
        read_faults(["hanging=1"])
    with pytest.raises(ValueError, match="--fault hang: expected NAME=NUMBER"):
        read_faults(["hang"])
    assert read_faults(["hang=2", "truncated=0.5", "latency_s=1"]) == Faults(hang=2, truncated=0.5, latency_s=1)
    assert isinstance(read_faults(["hang=1.0"]).hang, float)


# Serving


def test_it_stops_and_a_taken_port_is_an_error():
    with serve(make_app(EmbeddedTeacher())) as url:
        port = int(re.search(r":(\d+)/v1$", url)[1])
        with pytest.raises(OSError), serve(make_app(EmbeddedTeacher()), port):
            pass
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_it_stops_while_a_request_hangs():
    with client_of(Faults(hang=1.0, hang_s=30.0), timeout=0.2) as (client, _):
        with pytest.raises(openai.APITimeoutError):
            ask(client)
        start = time.monotonic()
    assert time.monotonic() - start < 4


def test_the_command_serves_until_interrupted():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = [
        sys.executable,
        "-m",
        "agentrefine_lib.teachers.server",
        "--port",
        str(port),
        "--fault",
        "server_error=1",
    ]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as run:
        try:
            assert f"http://127.0.0.1:{port}/v1" in run.stdout.readline()
            client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="unused", max_retries=6, timeout=5.0)
            assert check_script(json.loads(text_of(ask(client)))).goal
            run.send_signal(signal.SIGINT)
            run.wait(timeout=10)
        finally:
            run.kill()


def test_a_wrong_switch_is_explained():
    program = [sys.executable, "-m", "agentrefine_lib.teachers.server", "--fault", "hanging=1"]
    run = subprocess.run(program, capture_output=True, text=True, timeout=30)
    assert run.returncode == 2
    assert "expected NAME=NUMBER with one of chatty" in run.stderr


def test_without_the_extra_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "agentrefine_lib.teachers.server")
    with pytest.raises(ImportError, match=r'uvicorn: .*pip install -c constraints.txt -e ".\[server\]"'):
        import agentrefine_lib.teachers.server  # noqa: F401
