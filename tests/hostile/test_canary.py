"""A key that every stage has in its environment, before a server that echoes it: it is in no file, log or notebook."""

import asyncio
import logging
import traceback
from pathlib import Path

import pandas as pd
import pytest

from agentrefine_lib.agent import Prompting
from agentrefine_lib.endpoint import Endpoint, EndpointError, EndpointSettings
from agentrefine_lib.endpoint.embeddings import embed_by_endpoint
from agentrefine_lib.environments import panel
from agentrefine_lib.policies import Decoding, Models, Served
from agentrefine_lib.rollout import Limits, roll_out_all
from agentrefine_lib.runner.attempt import NotebookFailedError, execute
from agentrefine_lib.teachers import EmbeddedTeacher
from agentrefine_lib.verify.judge import EndpointJudge, judge_turns

pytest.importorskip("uvicorn")
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agentrefine_lib.teachers.server import make_app, serve

ROOT = Path(__file__).parents[2]
CANARY = "sk-canary-2c9e71d04fb8"
VARIABLES = [
    *["OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MY_KEY"],
    *["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "WANDB_API_KEY", "MLFLOW_TRACKING_PASSWORD"],
]


@pytest.fixture(autouse=True)
def _everywhere(monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, CANARY)


def echo(status):
    """A server that says the key back in whatever it answers, as JSON of the right form or with an error's status."""

    async def answer(request):
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        message = {"role": "assistant", "content": f"Thought: my key is {key}\nAction: {key} {key[:9]}\\{key[9:]}"}
        said = {"choices": [{"message": message, "finish_reason": key}], "error": {"message": f"bad key {key}"}}
        return JSONResponse(said if status != 200 else said | {"data": [{"embedding": key}]}, status)

    async def page(request):
        return Response(f"<html>{request.headers.get('authorization')}</html>", media_type="text/html")

    app = Starlette(routes=[Route("/{path:path}", page if status == 0 else answer, methods=["POST", "GET"])])
    return app


def settings(url):
    return EndpointSettings(base_url=url, model="m", retries=1, backoff_s=0.01, timeout_s=5, key_variable="MY_KEY")


async def judge(url, folder, trajectories):
    async with Endpoint(settings(url), folder / "judge.jsonl") as endpoint:
        return await judge_turns(EndpointJudge(endpoint), trajectories[:1])


async def play(url, folder, trajectories):
    tasks, limits = panel({"babyai": {"GoToDoor": [1]}}), Limits(steps=2)
    served = Served(**settings(url).model_dump() | {"model": "", "policies": {"served": "m"}})
    models = Models(folder, pd.DataFrame({"policy": []}), Prompting(), Decoding(), served)
    return await roll_out_all(models.policies(), tasks, folder, limits)


async def embed(url, folder, trajectories):
    return await embed_by_endpoint(settings(url), ["a", "b"], folder / "embeddings.jsonl")


def chain(error):
    while error is not None:
        yield from [str(error), repr(vars(error)), *traceback.format_exception(error)]
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("stage", [judge, play, embed])
@pytest.mark.parametrize("status", [200, 0, 401, 500])
def test_no_stage_writes_or_says_the_key(stage, status, trajectories, tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    shown = []
    with serve(echo(status)) as url:
        try:
            shown.append(repr(asyncio.run(stage(url, tmp_path, trajectories))))
        except* EndpointError as errors:
            shown += [part for error in errors.exceptions for part in chain(error)]
            assert any("What to do" in part for part in shown)
    shown += [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    shown += [caplog.text, *capfd.readouterr()]
    assert CANARY[:9] not in "\n".join(shown)


@pytest.mark.slow
def test_chapter_1_leaves_no_key_behind_whether_it_succeeds_or_fails(tmp_path, capfd):
    source, shown = ROOT / "notebooks" / "01_synthesis.ipynb", []
    for name, app in (("good", make_app(EmbeddedTeacher())), ("bad", echo(401))):
        run = tmp_path / name
        with serve(app) as url:
            values = {"run_dir": str(run), "teacher": {"base_url": url, "model": "embedded"}, "n_trajectories": 6}
            try:
                execute(source, run / "notebooks" / source.name, values, ROOT)
                assert name == "good"
            except NotebookFailedError as error:
                assert name == "bad" and "What to do" in str(error)
                shown.append(str(error))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"01_synthesis.ipynb", "completions.jsonl", "trajectories.jsonl"} <= {path.name for path in files}
    assert any("bad key [key]" in part for part in shown)
    shown += [path.read_bytes().decode(errors="replace") for path in files] + [*capfd.readouterr()]
    assert CANARY[:9] not in "\n".join(shown)
