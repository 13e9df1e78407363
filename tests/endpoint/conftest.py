"""A real HTTP server on loopback that speaks just enough of the chat completions API, and misbehaves on request."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from agentrefine_lib.endpoint import EndpointSettings

Fault = Callable[[Request], Awaitable[Response]]


class Server:
    """``plan`` holds the faults of the next requests; when it is empty, ``rule`` may still choose one."""

    def __init__(self) -> None:
        app = Starlette(routes=[Route("/v1/chat/completions", self.handle, methods=["POST"])])
        config = uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="off", log_level="critical", access_log=False)
        self._uvicorn = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._uvicorn.run, daemon=True)
        self._thread.start()
        while not self._uvicorn.started:
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self._uvicorn.servers[0].sockets[0].getsockname()[1]}/v1"
        self.reset()

    def reset(self) -> None:
        self.plan: deque[Fault | None] = deque()
        self.rule: Callable[[dict], Fault | None] = lambda body: None
        self.latency_s = 0.0
        self.usage: dict | None = {"prompt_tokens": 20, "completion_tokens": 30, "total_tokens": 50}
        self.bodies: list[dict] = []
        self.active = self.peak = 0

    @property
    def counts(self) -> Counter[str]:
        """How often each chat was asked for, by its last message."""
        return Counter(body["messages"][-1]["content"] for body in self.bodies)

    def settings(self, **changes: Any) -> EndpointSettings:
        fast = {"backoff_s": 0.01, "retries": 3, "timeout_s": 5.0, "concurrency": 16, "max_tokens": 100}
        return EndpointSettings(**({"base_url": self.url, "model": "tiny"} | fast | changes))

    async def handle(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        fault = self.plan.popleft() if self.plan else self.rule(body)
        self.active += 1
        self.peak = max(self.peak, self.active)
        try:
            await asyncio.sleep(self.latency_s)
            return await fault(request) if fault else self.answer(f"echo: {body['messages'][-1]['content']}")
        finally:
            self.active -= 1

    def answer(self, text: str | None) -> Response:
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        content = {"id": "1", "object": "chat.completion", "created": 0, "model": "tiny", "choices": [choice]}
        return JSONResponse(content | ({"usage": self.usage} if self.usage else {}))

    def stop(self) -> None:
        self._uvicorn.should_exit = self._uvicorn.force_exit = True
        self._thread.join(timeout=5)


class Faults:
    """The ways to misbehave."""

    @staticmethod
    def status(status: int, message: str = "no", headers: dict[str, str] | None = None, **error: str) -> Fault:
        async def fault(request: Request) -> Response:
            return JSONResponse({"error": {"message": message, **error}}, status, headers)

        return fault

    @staticmethod
    def body(content: str, code: int = 200, media_type: str = "application/json") -> Fault:
        async def fault(request: Request) -> Response:
            return Response(content, code, media_type=media_type)

        return fault

    @staticmethod
    def said(text: str | None, finish_reason: str, usage: dict | None = None, **more: Any) -> Fault:
        async def fault(request: Request) -> Response:
            message = {"role": "assistant", "content": text} | more
            choice = {"index": 0, "finish_reason": finish_reason, "message": message}
            return JSONResponse({"choices": [choice]} | ({"usage": usage} if usage else {}))

        return fault

    @staticmethod
    def slow(seconds: float) -> Fault:
        async def fault(request: Request) -> Response:
            await asyncio.sleep(seconds)
            return JSONResponse({})

        return fault

    @staticmethod
    async def dribble(request: Request) -> Response:
        async def drops():
            for _ in range(60):
                yield b" "
                await asyncio.sleep(0.05)

        return StreamingResponse(drops(), media_type="application/json")

    @staticmethod
    async def cut(request: Request) -> Response:
        async def half():
            yield b'{"choices": [{"mess'
            raise ConnectionAbortedError

        return StreamingResponse(half(), media_type="application/json", headers={"content-length": "1000"})

    @staticmethod
    def echo_key(code: int) -> Fault:
        async def fault(request: Request) -> Response:
            key = request.headers["authorization"].removeprefix("Bearer ")
            choice = {"finish_reason": key, "message": {"content": f"your key is {key}, {key[:9]}\\{key[9:]}"}}
            return JSONResponse({"error": {"message": f"Incorrect API key: {key}"}, "choices": [choice]}, code)

        return fault


@pytest.fixture(scope="session")
def _running() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def server(_running: Server) -> Server:
    """Answers "echo: …" to the last message until told otherwise."""
    _running.reset()
    return _running


@pytest.fixture(scope="session")
def faults() -> type[Faults]:
    return Faults


@pytest.fixture
def resetting_url() -> Iterator[str]:
    """A server that reads a request and resets the connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.recv(1000)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture(autouse=True)
def _no_real_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
