"""A teacher behind an OpenAI-compatible URL on this machine, with faults on demand: the endpoint path without a model.

``python -m agentrefine_lib.teachers.server --port 8765 --fault too_many_requests=0.1 --fault latency_s=0.2`` serves the
embedded teacher until interrupted; ``with serve(make_app(EmbeddedTeacher())) as base_url`` does it in this process.
"""

import argparse
import asyncio
import copy
import hashlib
import json
import random
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import Any, NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

from agentrefine_lib.schema import Script, Turn, explain
from agentrefine_lib.teachers.embedded import EmbeddedTeacher
from agentrefine_lib.teachers.faults import IN_THE_ANSWER, ON_THE_WAY, SPOIL, Faults, read_faults
from agentrefine_lib.teachers.protocol import Brief, Teacher

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route
    from starlette.types import Receive, Scope, Send
except ImportError as missing:
    raise ImportError(
        f'the teacher server needs {missing.name}: .venv/bin/pip install -c constraints.txt -e ".[server]"'
    ) from missing

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
NO_FAULTS = Faults()
CHARS_PER_TOKEN = 4  # for usage counts, which are approximate


class _Message(BaseModel):
    content: str


class _Chat(BaseModel):
    """The fields of a chat completion request that matter here; all others are accepted and ignored."""

    model: str
    messages: list[_Message]

    def question(self) -> str:
        return "\n".join(message.content for message in self.messages)


class _Work(NamedTuple):
    """A question understood: a script to write, or (when there is one already) a play to write."""

    kind: str
    brief: Brief
    script: Script | None
    prefix: list[Turn]


class _Answer(NamedTuple):
    text: str
    finish_reason: str = "stop"


_TURNS: TypeAdapter[list[Turn]] = TypeAdapter(list[Turn])


def read_work(question: str) -> _Work | None:
    """What the prompts of ``EndpointTeacher`` ask for, or None for any other question."""

    def last(pattern: str) -> re.Match[str] | None:
        return next(reversed([*re.finditer(pattern, question, re.MULTILINE)]), None)

    persona, variation = last(r"^Persona: (.*)$"), last(r"^Variation: (-?\d+)\.(\d+)$")
    script, turns = last(r"^Script: (\{.*\})$"), last(r"^Turns so far: (\[.*\])$")
    if not persona or not variation:
        return None
    brief = Brief(persona[1], int(variation[1]), int(variation[2]))
    if not script or not turns:
        return _Work("script", brief, None, [])
    try:
        return _Work("play", brief, Script.model_validate_json(script[1]), _TURNS.validate_json(turns[1]))
    except ValidationError:
        return None


class _Desk:
    """Where requests arrive: counts them, decides what goes wrong, has the teacher answer."""

    def __init__(self, teacher: Teacher, faults: Faults) -> None:
        self.teacher, self.faults = teacher, faults
        self.requests: Counter[str] = Counter()
        self.befallen: Counter[str] = Counter()
        self._seen: Counter[tuple[str, str]] = Counter()

    async def chat(self, request: Request) -> Response:
        """POST /v1/chat/completions"""
        raw = await request.body()
        try:
            chat = _Chat.model_validate_json(raw)
        except ValidationError as error:
            self.requests["invalid"] += 1
            return _error(400, explain(error))
        question = chat.question()
        work = read_work(question)
        self.requests[work.kind if work else "other"] += 1
        body, topic = _digest(raw), _digest(question.encode())
        fault = self.faults.draw(ON_THE_WAY, self._count("asked", topic), body, self._count("sent", body))
        if fault:
            self.befallen[fault] += 1
        await asyncio.sleep(self.faults.latency_s + (self.faults.hang_s if fault == "hang" else 0.0))
        if fault == "too_many_requests":
            return _error(429, "too many requests", {"Retry-After": f"{self.faults.retry_after_s:g}"})
        if fault == "server_error":
            return _error(500, "the server made a mistake")
        answer = _completion(chat, await self._answer(work, body, topic), body)
        return _Disconnection(answer) if fault == "disconnect" else JSONResponse(answer)

    def _count(self, *what: str) -> int:
        self._seen[what[0], what[1]] += 1
        return self._seen[what[0], what[1]] - 1

    async def _answer(self, work: _Work | None, body: str, topic: str) -> _Answer:
        """The assistant's message, with the faults that are in the answer."""
        value = await self._teach(work) if work else None
        if work is None or value is None:
            return _Answer("I write scripts for text games and play them. Please ask for one of the two.")
        fault = self.faults.draw(IN_THE_ANSWER, self._count("answered", topic), body) if value else None
        if fault:
            self.befallen[fault] += 1
        rng = random.Random(f"{self.faults.seed} answer {body}")
        if fault in ("wrong_schema", "rule_breaking"):
            value = SPOIL[fault, work.kind](rng, copy.deepcopy(value))
        text = json.dumps({"turns": value} if work.script else value, ensure_ascii=False)
        if fault == "malformed_json":
            keys = [*re.finditer(r'"(?:turn|role|Goal|Environment|verification code|parameters)"(:)', text)]
            colon = rng.choice(keys).start(1)
            text = text[:colon] + text[colon + 1 :]
        if rng.random() < self.faults.chatty:
            text = rng.choice(_MANNERS).format(text)
        if fault == "truncated":
            return _Answer(text[: int(len(text) * rng.uniform(0.1, 0.95))], "length")
        return _Answer(text)

    async def _teach(self, work: _Work) -> Any:
        """The teacher's JSON, or None for a play of a script that the teacher does not know."""
        if work.script is None:
            return await self.teacher.write_script(work.brief)
        try:
            return await self.teacher.play(work.brief, work.script, work.prefix)
        except ValueError:
            return None


_MANNERS = (
    "```json\n{}\n```",
    "Here is the JSON that you asked for:\n\n{}",
    "Certainly [all rules observed]!\n\n```\n{}\n```\nLet me know if anything should change.",
    "<think>\nThe answer has to be JSON, such as {{}}.\n</think>\n\n{}",
)


class _Disconnection(JSONResponse):
    """Announces a body, sends half of it and hangs up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": bytes(self.body[: len(self.body) // 2]), "more_body": True})


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": f"error_{status}", "code": status}}, status, headers)


def _completion(chat: _Chat, answer: _Answer, body: str) -> dict[str, Any]:
    """The whole answer; its id and time depend on the request only, so that a run repeated is the same run."""
    read, written = -(-len(chat.question()) // CHARS_PER_TOKEN), -(-len(answer.text) // CHARS_PER_TOKEN)
    usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    message = {"role": "assistant", "content": answer.text}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason}
    head = {"id": f"chatcmpl-{body[:24]}", "object": "chat.completion", "created": 0, "model": chat.model}
    return head | {"choices": [choice], "usage": usage}


def make_app(teacher: Teacher, faults: Faults = NO_FAULTS) -> Starlette:
    """The ASGI app. ``app.state.requests`` and ``app.state.faults`` count what came and what befell it, as does
    GET /stats: requests by kind (script, play, other, invalid), faults by name."""
    desk = _Desk(teacher, faults)

    async def models(_: Request) -> Response:
        model = {"id": teacher.name, "object": "model", "created": 0, "owned_by": "agentrefine_lib"}
        return JSONResponse({"object": "list", "data": [model]})

    async def stats(_: Request) -> Response:
        return JSONResponse({"requests": desk.requests, "faults": desk.befallen})

    chat = Route("/v1/chat/completions", desk.chat, methods=["POST"])
    app = Starlette(routes=[chat, Route("/v1/models", models), Route("/stats", stats)])
    app.state.requests, app.state.faults = desk.requests, desk.befallen
    return app


@contextmanager
def serve(app: Starlette, port: int = 0) -> Iterator[str]:
    """Serve the app on 127.0.0.1 from a thread of this process; yields the base URL, which ends in ``/v1``.

    Port 0 takes any free one. Raises OSError when the port is taken, RuntimeError when the server does not start.
    """
    # asyncio turns off Nagle's algorithm, which costs 40 ms an answer, only on sockets that name their protocol
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        config = uvicorn.Config(app, log_config=None, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, name="teacher server", daemon=True)
        thread.start()
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while not server.started:
                if not thread.is_alive() or time.monotonic() > deadline:
                    raise RuntimeError(f"the teacher server did not start within {START_TIMEOUT_S:g} s")
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            thread.join(STOP_TIMEOUT_S)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the embedded teacher in the foreground."""
    parser = argparse.ArgumentParser(description="The embedded teacher as an OpenAI-compatible server on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=8765, help="default: %(default)s")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME=NUMBER", help="repeatable; 0.1: probability, 2: count"
    )
    chosen = parser.parse_args(arguments)
    try:
        faults = read_faults(chosen.fault)
    except ValueError as error:
        parser.error(str(error))
    url = f"http://127.0.0.1:{chosen.port}"
    print(f"{url}/v1 until you press Ctrl+C; counts at {url}/stats", flush=True)
    uvicorn.run(make_app(EmbeddedTeacher(), faults), host="127.0.0.1", port=chosen.port, log_level="warning")


if __name__ == "__main__":
    main()
