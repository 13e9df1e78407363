"""How near the client comes to the ideal: 2,560 requests, 64 at a time, a server that takes 200 ms for each.

    python benchmarks/endpoint.py

Prints one line of JSON. ``ratio`` is throughput over the ideal of concurrency / latency, the median of three rounds of
2,560 requests; ``bare_ratio`` is the same for 64 sockets and hand-written HTTP, taken in turn with the client: the most
that the machine allows at that moment. The server is a process of its own and completions are recorded as in a real
run. One request goes before the clock starts; the other 63 connections are opened within the first round.
"""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvicorn

from agentrefine_lib.endpoint import Endpoint, EndpointSettings

REQUESTS, CONCURRENCY, LATENCY_S, ROUNDS = 2560, 64, 0.2, 3
MESSAGE = {"role": "assistant", "content": "Thought: I should look around.\nAction: look " * 20}
ANSWER = json.dumps(
    {
        "choices": [{"index": 0, "finish_reason": "stop", "message": MESSAGE}],
        "usage": {"prompt_tokens": 500, "completion_tokens": 240},
    }
).encode()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """A bare ASGI application: read the request, wait, answer."""
    while (await receive()).get("more_body"):
        pass
    await asyncio.sleep(LATENCY_S)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


def serve() -> None:
    """Serve on a free port and print it."""
    # asyncio switches Nagle's algorithm off only for sockets that name their protocol; with it, each answer on a used
    # connection takes 40 ms more
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, lifespan="off", log_level="error", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


async def measure(endpoint: Endpoint, first: int) -> float:
    """Requests a second through the client."""
    prompt = {"role": "system", "content": "You are in a kitchen. " * 90}
    chats = ([prompt, {"role": "user", "content": str(first + i)}] for i in range(REQUESTS))
    started = time.perf_counter()
    await asyncio.gather(*(endpoint.complete(chat, seed=0) for chat in chats))
    return REQUESTS / (time.perf_counter() - started)


async def measure_bare(port: int) -> float:
    """Requests a second over plain sockets."""
    body = json.dumps({"messages": [{"role": "user", "content": "look " * 400}]})
    post = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()

    async def converse() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(REQUESTS // CONCURRENCY):
            writer.write(post)
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(ANSWER))
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(converse() for _ in range(CONCURRENCY)))
    return REQUESTS / (time.perf_counter() - started)


async def compare(port: int, recording: Path) -> dict[str, Any]:
    """All rounds, as the numbers to print."""
    settings = EndpointSettings(base_url=f"http://127.0.0.1:{port}/v1", model="tiny", concurrency=CONCURRENCY)
    client, bare, cpu_s, ideal = [], [], 0.0, CONCURRENCY / LATENCY_S
    async with Endpoint(settings, recording) as endpoint:
        await endpoint.complete([{"role": "user", "content": "warm up"}])  # loads TLS certificates, whatever the URL
        for number in range(ROUNDS):
            before_s = time.process_time()
            client.append(await measure(endpoint, first=number * REQUESTS))
            cpu_s += time.process_time() - before_s
            bare.append(await measure_bare(port))
    return {
        "ideal_per_s": ideal,
        "per_s": round(statistics.median(client), 1),
        "ratio": round(statistics.median(client) / ideal, 3),
        "ratios": [round(per_s / ideal, 3) for per_s in client],
        "bare_ratio": round(statistics.median(bare) / ideal, 3),
        "client_cpu_ms_per_request": round(1e3 * cpu_s / REQUESTS / ROUNDS, 2),
    }


def main() -> None:
    print(__doc__, "Writes nothing but a temporary folder.", sep="", file=sys.stderr)
    server = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(asyncio.run(compare(port, Path(folder) / "completions.jsonl"))))
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else main()
