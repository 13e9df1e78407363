"""How near the client comes to the ideal: 640 requests, 64 at a time, a server that takes 200 ms for each.

    python benchmarks/endpoint.py

Prints one line of JSON. ``ratio`` is throughput over the ideal of concurrency / latency; the server is a process of
its own, completions are recorded as in a real run, and one request goes before the clock starts: 63 of the 64
connections are opened within the measured time. ``bare_ratio`` is what 64 open sockets and hand-written HTTP reach
right after it: the most that the machine allows at that moment.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvicorn

from agentrefine_lib.endpoint import Endpoint, EndpointSettings

REQUESTS, CONCURRENCY, LATENCY_S = 640, 64, 0.2
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


async def measure(url: str, recording: Path) -> dict[str, float]:
    """Run all requests; seconds of wall clock and of this process's processor time."""
    settings = EndpointSettings(base_url=url, model="tiny", concurrency=CONCURRENCY)
    prompt = "You are in a kitchen. " * 90
    async with Endpoint(settings, recording) as endpoint:
        await endpoint.complete([{"role": "user", "content": "warm up"}])  # loads TLS certificates, whatever the URL
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        chats = ([{"role": "system", "content": prompt}, {"role": "user", "content": str(i)}] for i in range(REQUESTS))
        await asyncio.gather(*(endpoint.complete(chat, seed=0) for chat in chats))
        return {"wall_s": time.perf_counter() - wall_s, "cpu_s": time.process_time() - cpu_s}


async def measure_bare(port: int) -> float:
    """Seconds for as many requests over plain sockets."""
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
    return time.perf_counter() - started


def main() -> None:
    server = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        with tempfile.TemporaryDirectory() as folder:
            took = asyncio.run(measure(f"http://127.0.0.1:{port}/v1", Path(folder) / "completions.jsonl"))
        bare_s = asyncio.run(measure_bare(port))
    finally:
        server.kill()
    per_s, ideal_per_s = REQUESTS / took["wall_s"], CONCURRENCY / LATENCY_S
    result = {"requests": REQUESTS, "concurrency": CONCURRENCY, "latency_s": LATENCY_S, "ideal_per_s": ideal_per_s}
    result |= {"per_s": round(per_s, 1), "ratio": round(per_s / ideal_per_s, 3)}
    result |= {"bare_ratio": round(REQUESTS / bare_s / ideal_per_s, 3)}
    result |= {"client_cpu_ms_per_request": round(1e3 * took["cpu_s"] / REQUESTS, 2)}
    print(json.dumps(result))


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else main()
