"""An endpoint that fails in the middle of a run: what is finished stays, the next run pays for the rest only."""

import asyncio
import hashlib
from collections import Counter

import pandas as pd
import pytest

from agentrefine_lib.agent import Prompting
from agentrefine_lib.endpoint import Budget, EndpointError, EndpointSettings
from agentrefine_lib.environments import panel
from agentrefine_lib.policies import Decoding, Models, Served
from agentrefine_lib.rollout import Limits, roll_out_all
from agentrefine_lib.schema import Episode, read_jsonl
from agentrefine_lib.synthesis import endpoint_teacher, synthesize
from agentrefine_lib.teachers import EmbeddedTeacher

pytest.importorskip("uvicorn")
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agentrefine_lib.teachers.server import make_app, serve

TASKS = panel({"babyai": {"GoToRedBallGrey": range(4)}})
PRICES = "local: {input: 0, output: 0, date: 2026-11-23, source: made up for a test}\n"
ANSWERS = {
    "endpoint 401": (JSONResponse({"error": {"message": "no such key"}}, 401), "401: no such key", "OPENAI_API_KEY"),
    "endpoint 429": (JSONResponse({"error": {"message": "slower"}}, 429), "2 × rate_limit", "lower concurrency"),
    "endpoint 500": (JSONResponse({"error": {"message": "oh"}}, 500), "2 × server_error", "see that the server is up"),
    "endpoint timeout": (None, "2 × timeout", "raise retries, timeout_s"),
    "endpoint garbage": (Response("<html>busy</html>", media_type="text/html"), "2 × garbage", "see that the server"),
}


class Failing:
    """An ASGI app that answers ``good`` requests, and then with the fault, until it is mended."""

    def __init__(self, app, fault, good):
        self.app, self.fault, self.left, self.asked = app, fault, good, Counter()

    async def __call__(self, scope, receive, send):
        self.left -= 1
        if self.fault is None or self.left >= 0:
            body = await Request(scope, receive).body()
            self.asked[hashlib.sha256(body).hexdigest()] += 1

            read = [{"type": "http.request", "body": body, "more_body": False}]

            async def again():
                return read.pop() if read else await receive()

            await self.app(scope, again, send)
        elif (answer := ANSWERS[self.fault][0]) is not None:
            await answer(scope, receive, send)
        else:
            await asyncio.sleep(3)


def player():
    """A model that turns and walks; what it answers depends on the question only."""

    async def chat(request):
        asked = await request.body()
        move = ("turn left", "turn right", "go forward")[hashlib.sha256(asked).digest()[0] % 3]
        message = {"role": "assistant", "content": f"Thought: on.\nAction: {move}"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1}
        return JSONResponse({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})

    return Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])


QUICK = {"concurrency": 2, "retries": 1, "backoff_s": 0.01, "timeout_s": 0.5}


def synthesis(jobs, url, folder):
    async def run():
        (folder.parent / "prices.yaml").write_text(PRICES)
        settings = EndpointSettings(base_url=url, model="embedded", **QUICK)
        source = endpoint_teacher(settings, folder, 12, folder.parent / "prices.yaml", Budget())
        async with source as (teacher, note):
            await synthesize(teacher, jobs(12), folder, concurrency=2, note=note)

    asyncio.run(run())


def rollouts(jobs, url, folder):
    served = Served(base_url=url, policies={"tuned": "embedded"}, **QUICK)
    models = Models(folder, pd.DataFrame({"policy": []}), Prompting(), Decoding(), served, record="completions")
    asyncio.run(roll_out_all(models.policies(), TASKS, folder, Limits(steps=5, in_flight=2)))


def result(folder):
    if (folder / "tuned.jsonl").exists():
        return sorted(read_jsonl(folder / "tuned.jsonl", Episode), key=lambda e: e.id)
    return [(folder / name).read_bytes() for name in ("trajectories.jsonl", "rejections.jsonl")]


WORK = {
    "synthesis": (synthesis, lambda: make_app(EmbeddedTeacher(slip_rate=0.2)), "trajectories.jsonl", 12),
    "rollouts": (rollouts, player, "tuned.jsonl", 12),
}


@pytest.fixture(scope="module")
def undisturbed(jobs, tmp_path_factory):
    found = {}
    for name, (work, app, _, _) in WORK.items():
        with serve(app()) as url:
            folder = tmp_path_factory.mktemp(name) / "run"
            work(jobs, url, folder)
        found[name] = result(folder)
    return found


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        pytest.param(
            *("synthesis", "endpoint 401"),
            marks=pytest.mark.fault("synthesis", "endpoint 401", "ends at once, the key's variable named; goes on"),
        ),
        pytest.param(
            *("synthesis", "endpoint 429"),
            marks=pytest.mark.fault("synthesis", "endpoint 429", "asked again, then ends with a way out; goes on"),
        ),
        pytest.param(
            *("synthesis", "endpoint 500"),
            marks=pytest.mark.fault("synthesis", "endpoint 500", "asked again, then ends with a way out; goes on"),
        ),
        pytest.param(
            *("synthesis", "endpoint timeout"),
            marks=pytest.mark.fault("synthesis", "endpoint timeout", "asked again, then ends with a way out; goes on"),
        ),
        pytest.param(
            *("synthesis", "endpoint garbage"),
            marks=pytest.mark.fault("synthesis", "endpoint garbage", "asked again, then ends with a way out; goes on"),
        ),
        pytest.param(
            *("rollouts", "endpoint 401"),
            marks=pytest.mark.fault("rollouts", "endpoint 401", "ends at once, the key's variable named; goes on"),
        ),
        pytest.param(
            *("rollouts", "endpoint 429"),
            marks=pytest.mark.fault("rollouts", "endpoint 429", "asked again, then ends with a way out; goes on"),
        ),
        pytest.param(
            *("rollouts", "endpoint 500"),
            marks=pytest.mark.fault("rollouts", "endpoint 500", "asked again, then ends with a way out; goes on"),
        ),
        pytest.param(
            *("rollouts", "endpoint timeout"),
            marks=pytest.mark.fault("rollouts", "endpoint timeout", "asked again, then ends with a way out; goes on"),
        ),
        pytest.param(
            *("rollouts", "endpoint garbage"),
            marks=pytest.mark.fault("rollouts", "endpoint garbage", "asked again, then ends with a way out; goes on"),
        ),
    ],
)
def test_a_run_ends_with_a_way_out_and_the_next_one_pays_for_the_rest_only(jobs, undisturbed, tmp_path, name, fault):
    work, app, file, good = WORK[name]
    desk, folder = Failing(app(), fault, good), tmp_path / "run"
    with serve(desk) as url:
        with pytest.raises(EndpointError) as caught:
            work(jobs, url, folder)
        assert not isinstance(caught.value.__context__, BaseExceptionGroup)  # of which notebooks show nothing
        _, said, advice = ANSWERS[fault]
        assert said in str(caught.value) and advice in str(caught.value) and "What to do" in str(caught.value)
        finished = (folder / file).read_bytes().splitlines()
        paid = len(next(folder.rglob("completions.jsonl")).read_bytes().splitlines())
        assert finished and paid == good
        desk.fault = None
        work(jobs, url, folder)
    assert result(folder) == undisturbed[name]
    assert set(finished) <= set((folder / file).read_bytes().splitlines())
    assert max(desk.asked.values()) == 1  # no answer was paid for twice
