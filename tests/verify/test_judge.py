"""The judge study: hand-worked agreement, a judge that reads, and one that is asked over HTTP."""

import asyncio

import pandas as pd
import pytest

from agentrefine_lib.endpoint import Endpoint, EndpointSettings
from agentrefine_lib.verify.judge import EndpointJudge, ReaderJudge, agreement, judge_turns


def table(pairs):
    return pd.DataFrame([{"trajectory": i // 2, "labelled": a, "judged": b} for i, (a, b) in enumerate(pairs)])


def test_agreement_and_kappa_by_hand():
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    result = agreement(table(pairs), seed=0)
    assert result.agreement == pytest.approx(0.7)
    assert result.kappa == pytest.approx(0.4)  # chance: 0.5 · 0.6 + 0.5 · 0.4 = 0.5
    assert result.agreement_low < 0.7 < result.agreement_high
    assert agreement(table([*pairs, (True, None)]), seed=0).unanswered == 1
    with pytest.raises(ValueError, match="no usable answer"):
        agreement(table([(True, None)]), seed=0)


def test_the_reader_judges_from_the_transcript_alone(three_turns):
    rows = asyncio.run(judge_turns(ReaderJudge(), [three_turns]))
    assert rows["labelled"].tolist() == [True, False, False]
    assert rows["judged"].tolist() == [True, False, False]  # "grab cup" is no command; the cup was seen


def test_the_reader_is_better_than_chance_on_generated_plays(trajectories):
    result = agreement(asyncio.run(judge_turns(ReaderJudge(), trajectories)), seed=0)
    assert result.kappa_low > 0.2
    assert result.agreement < 1


@pytest.mark.parametrize(("answer", "judged"), [('{"error": true}', True), ("I am not sure.", None)])
def test_a_model_is_asked_over_http(three_turns, answer, judged):
    pytest.importorskip("uvicorn")
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from agentrefine_lib.teachers.server import serve

    async def reply(request):
        prompt = (await request.json())["messages"][0]["content"]
        assert "Last command:" in prompt
        assert "is hot" not in prompt  # the answer to the last command is not shown
        message = {"role": "assistant", "content": answer}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
        body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
        return JSONResponse(body)

    async def ask(url):
        async with Endpoint(EndpointSettings(base_url=url, model="m")) as endpoint:
            return await judge_turns(EndpointJudge(endpoint), [three_turns])

    with serve(Starlette(routes=[Route("/v1/chat/completions", reply, methods=["POST"])])) as url:
        assert asyncio.run(ask(url))["judged"].tolist() == [judged] * 3
