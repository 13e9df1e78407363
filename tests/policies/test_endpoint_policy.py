"""The endpoint policy against a real HTTP server on loopback that answers, refuses long prompts, and fails."""

import asyncio
import threading
import time

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from agentrefine_lib.agent import Prompting
from agentrefine_lib.endpoint import Budget, BudgetExceededError, Endpoint, EndpointError, EndpointSettings
from agentrefine_lib.policies import EndpointPolicy
from agentrefine_lib.rollout import Limits, roll_out
from agentrefine_lib.schema import Ending, Episode, Task, read_jsonl

REFUSALS = {
    "vllm": "This model's maximum context length is 900 tokens. However, you requested 1000 tokens. Please reduce …",
    "vllm_v1": "The decoder prompt (length 1000) is longer than the maximum model length of 900.",
    "vllm_old": "max_tokens must be at least 1, got -186.",
    "sglang": "The input (1000 tokens) is longer than the model's context length (900 tokens).",
    "llama_cpp": "the request exceeds the available context size. try increasing the context size",
    "openai": "Your input exceeds the context window of this model. Please adjust your input and try again.",
    "tgi": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 900.",
}


class Server:
    """Answers "turn left" under the seed it got; refuses with ``refusal`` what is longer than ``limit`` characters."""

    def __init__(self):
        app = Starlette(routes=[Route("/v1/chat/completions", self.complete, methods=["POST"])])
        config = uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="off", log_level="critical")
        self.uvicorn = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.uvicorn.run, daemon=True)
        self.thread.start()
        while not self.uvicorn.started:
            time.sleep(0.01)
        self.port = self.uvicorn.servers[0].sockets[0].getsockname()[1]
        self.reset()

    def reset(self):
        self.limit, self.refusal, self.status, self.bodies = 100_000, "", 400, []
        self.reason, self.written = "stop", 5

    async def complete(self, request):
        body = await request.json()
        self.bodies.append(body)
        if sum(len(message["content"]) for message in body["messages"]) > self.limit:
            return JSONResponse({"error": {"message": self.refusal}}, self.status)
        text = None if self.reason == "content_filter" else f"Thought: {body['seed']}\nAction: turn left"
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 10, "completion_tokens": self.written}
        return JSONResponse({"choices": [{"message": message, "finish_reason": self.reason}], "usage": usage})

    def endpoint(self, recording=None, mode="record", **options):
        url = f"http://127.0.0.1:{self.port}/v1"
        settings = EndpointSettings(base_url=url, model="tiny", temperature=0, max_tokens=50, retries=0)
        return Endpoint(settings, recording, mode if recording else "off", **options)


@pytest.fixture(scope="module")
def running():
    server = Server()
    yield server
    server.uvicorn.should_exit = server.uvicorn.force_exit = True
    server.thread.join(timeout=5)


@pytest.fixture
def server(running):
    running.reset()
    return running


def play(endpoint, episodes, advance, steps, **options):
    """The replies to each episode over some steps."""

    async def play():
        async with endpoint:
            policy, replies = EndpointPolicy(endpoint, **options), []
            for _ in range(steps):
                replies.append(await policy.act(episodes))
                for episode, reply in zip(episodes, replies[-1], strict=True):
                    advance(episode, reply)
            return replies

    return asyncio.run(play())


def test_each_episode_and_step_has_a_seed_of_its_own_and_a_recording_replays(server, start, advance, tmp_path):
    def episodes():
        return [start("GoToDoor", seed) for seed in (0, 1)]

    said = play(server.endpoint(tmp_path / "r.jsonl"), episodes(), advance, 3)
    seeds = {body["seed"] for body in server.bodies}
    assert len(server.bodies) == len(seeds) == 6 and all(0 <= seed < 2**31 for seed in seeds)
    assert play(server.endpoint(tmp_path / "r.jsonl", "replay"), episodes(), advance, 3) == said
    assert len(server.bodies) == 6
    assert play(server.endpoint(), episodes(), advance, 1, seed=1) != said[:1]


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_prompt_that_the_server_finds_too_long_is_cut_and_counted(server, start, advance, tmp_path, refusal):
    first = len(Prompting().chat(start("GoToDoor").task, start("GoToDoor").opening, [])[0]["content"])
    server.limit, server.refusal = first + 250, refusal
    episode, again = start("GoToDoor"), start("GoToDoor")
    said = play(server.endpoint(tmp_path / "r.jsonl"), [episode], advance, 9)
    assert 0 < episode.dropped < 9
    sent = server.bodies[-1]["messages"]
    assert (
        sent[0]["content"].endswith(episode.opening.observation)
        and f"Goal: {episode.opening.goal}" in sent[0]["content"]
    )
    assert sent[-1]["content"] == f"Observation: {episode.steps[-2].observation}"
    assert play(server.endpoint(tmp_path / "r.jsonl", "replay"), [again], advance, 9) == said
    assert again.dropped == episode.dropped


@pytest.mark.parametrize(
    ("reason", "written", "ending"),
    [
        ("stop", 5, Ending(reason="stop", tokens=5)),
        ("length", 50, Ending(reason="length", tokens=50, cut=True)),
        ("stop", 50, Ending(reason="stop", tokens=50, cut=True)),
        ("content_filter", 0, Ending(reason="content_filter", tokens=0)),
    ],
)
def test_a_step_says_how_its_reply_ended_and_the_run_how_many_were_cut(
    server, tmp_path, caplog, reason, written, ending
):
    server.reason, server.written = reason, written
    tasks = [Task(engine="babyai", name="GoToDoor", seed=seed) for seed in range(2)]

    async def run():
        async with server.endpoint(tmp_path / "r.jsonl") as endpoint:
            await roll_out(EndpointPolicy(endpoint), tasks, tmp_path / "e.jsonl", Limits(steps=3))

    asyncio.run(run())
    steps = [step for episode in read_jsonl(tmp_path / "e.jsonl", Episode) for step in episode.steps]
    assert [step.ending for step in steps] == [ending] * 6
    told = [record.message for record in caplog.records if "end at max_tokens=50" in record.message]
    assert len(told) == ending.cut and all("of 6 answers 6 end" in message and "raise" in message for message in told)
    if reason == "content_filter":
        assert {step.action for step in steps} == {""} and (tmp_path / "r.jsonl").read_bytes() == b""


def test_other_refusals_and_a_first_message_too_long_end_the_run_with_the_servers_words(server, start, advance):
    server.limit, server.refusal = 10, REFUSALS["vllm"]
    with pytest.raises(EndpointError, match="refused with 400: This model's maximum context length is 900"):
        play(server.endpoint(), [start("GoToDoor")], advance, 1)
    server.refusal, server.status, episode = "no such model", 404, start("GoToDoor")
    advance(episode, "Action: turn left")
    with pytest.raises(EndpointError, match="refused with 404: no such model"):
        play(server.endpoint(), [episode], advance, 1)
    assert len(server.bodies) == 2 and episode.dropped == 0


def test_a_rollout_that_ran_out_of_budget_keeps_its_episodes_and_goes_on(server, tmp_path):
    tasks = [Task(engine="babyai", name="GoToDoor", seed=seed) for seed in range(4)]

    async def run(requests):
        async with server.endpoint(tmp_path / "r.jsonl", budget=Budget(requests=requests)) as endpoint:
            await roll_out(EndpointPolicy(endpoint), tasks, tmp_path / "e.jsonl", Limits(steps=5, in_flight=1))

    with pytest.raises(BudgetExceededError, match=r"budget reached: 12 of 12 requests spent.*12 completions"):
        asyncio.run(run(12))
    assert len(list(read_jsonl(tmp_path / "e.jsonl", Episode))) == 2
    asyncio.run(run(20))
    assert len(list(read_jsonl(tmp_path / "e.jsonl", Episode))) == 4 and len(server.bodies) == 20
