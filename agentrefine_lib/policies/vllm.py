"""vLLM, started for whoever plays on a GPU and stopped again: one server for the adapters of a run."""

import atexit
import gc
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoConfig, GenerationConfig

from agentrefine_lib.policies.generation import Sampling, TokenIds, Written, stop_ids, without_end

BASE = "base"  # the name that the model without an adapter is served under
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # that vLLM takes as the largest one
START_S, ANSWER_S = 600.0, 600.0  # seconds that a server may take to load a model, and to answer
SHARE = 0.9  # of the memory that is free
# Starts what it is told to, and ends it and all its children once its own input closes: also where we are killed.
KEEPER = """
import os, signal, subprocess, sys, threading
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
threading.Thread(target=lambda: (sys.stdin.buffer.read(), child.terminate()), daemon=True).start()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = child.wait()
print(f"vllm ended with exit code {code}", flush=True)
os.killpg(0, signal.SIGKILL)
"""
_LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy lies before loopback


def vllm_command() -> str | None:
    """The program, beside this Python or on the PATH; None where vLLM is not installed."""
    return shutil.which("vllm", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


class Adapter(NamedTuple):
    """An adapter as it lies on disk; ``changed`` tells one that was tuned anew from the one before."""

    folder: Path
    rank: int
    changed: int  # nanoseconds


def adapters_beside(model: Path | str) -> tuple[str, dict[str, Adapter]]:
    """The base of a model, and the adapters in its folder's neighbours on the same base: those of the run, by name."""
    own = Path(model).absolute()
    if not (own / "adapter_config.json").is_file():
        return str(model), {}
    files = sorted(own.parent.glob("*/adapter_config.json"))
    configs = {file.parent.name: json.loads(file.read_text(encoding="utf-8")) for file in files}
    base, adapters = configs[own.name]["base_model_name_or_path"], dict[str, Adapter]()
    for name, config in configs.items():
        weights = own.parent / name / "adapter_model.safetensors"
        if weights.is_file() and config["base_model_name_or_path"] == base:
            adapters[name] = Adapter(weights.parent, config["r"], weights.stat().st_mtime_ns)
    return base, adapters


@contextmanager
def vllm_server(
    base: str, adapters: Mapping[str, Adapter], context: int, dtype: str = "auto", *, start_s: float = START_S
) -> Iterator[str]:
    """``vllm serve`` on loopback with these adapters, for as long as the block runs; its URL.

    It takes a share of the memory that is free. Raises RuntimeError with the end of what it said where it does not
    answer within ``start_s`` seconds. It is stopped whatever happens here, a kill included.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [vllm_command() or "vllm", "serve", base, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--served-model-name", BASE, "--max-model-len", str(context), "--dtype", dtype, *_memory()]
    if adapters:
        largest = max(adapter.rank for adapter in adapters.values())
        command += ["--enable-lora", "--max-loras", "1", "--max-cpu-loras", str(len(adapters))]  # one model at a time
        command += ["--max-lora-rank", str(next((rank for rank in RANKS if rank >= largest), largest))]
        command += ["--lora-modules", *(f"{name}={adapter.folder}" for name, adapter in adapters.items())]
    with tempfile.TemporaryFile() as said:
        keeper = [sys.executable, "-c", KEEPER, *command]
        process = subprocess.Popen(
            keeper, stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _wait(f"http://127.0.0.1:{port}", process, said, start_s)
            yield f"http://127.0.0.1:{port}"
        finally:
            assert process.stdin is not None
            process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=15)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _memory() -> list[str]:
    if not torch.cuda.is_available():
        return []
    gc.collect()  # models and their caches hold on to each other
    torch.cuda.empty_cache()
    free, whole = torch.cuda.mem_get_info()
    return ["--gpu-memory-utilization", f"{SHARE * free / whole:.2f}"]


def _wait(url: str, process: subprocess.Popen[bytes], said: Any, start_s: float) -> None:
    until = time.monotonic() + start_s
    while process.poll() is None and time.monotonic() < until:
        with suppress(OSError), _LOCAL.open(f"{url}/health", timeout=5):
            return
        time.sleep(0.2)
    why = "ended" if process.poll() is not None else f"did not answer within {start_s:g} s"
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - 3_000))
    end = said.read().decode(errors="replace")
    raise RuntimeError(f"vllm serve {why}; set device to cuda to play in this process instead.\n…{end}")


class _Running(NamedTuple):
    serves: tuple[str, int, str]  # base, context, dtype
    adapters: dict[str, Adapter]
    url: str
    stop: ExitStack


_running: _Running | None = None  # one at a time: a card has room for one


def stop_vllm() -> None:
    """End the server, if one runs, and give its memory back."""
    global _running
    if _running:
        _running.stop.close()
        _running = None


def _url_of(serves: tuple[str, int, str], adapters: dict[str, Adapter]) -> str:
    """Of the server that runs, where it serves this; else of a new one in its place, which runs until we end."""
    global _running
    if _running and _running.serves == serves and adapters.items() <= _running.adapters.items():
        return _running.url
    stop_vllm()
    stop = ExitStack()
    base, context, dtype = serves
    _running = _Running(serves, adapters, stop.enter_context(vllm_server(base, adapters, context, dtype)), stop)
    atexit.register(stop.close)
    return _running.url


class Vllm:
    """A model of a run behind vLLM, asked in token ids. The server is shared by the run's models on the same base."""

    together: int | None = None

    def __init__(self, model: Path | str, tokenizer: Any, context: int, dtype: str = "auto") -> None:
        base, self._adapters = adapters_beside(model)
        self._name = Path(model).name if self._adapters else BASE
        self._serves = (base, context, dtype)
        try:
            settings = GenerationConfig.from_pretrained(base, trust_remote_code=False)
        except OSError:  # a model may come without
            settings = GenerationConfig()
        self._stop = stop_ids(settings, tokenizer)
        config = AutoConfig.from_pretrained(base, trust_remote_code=False)
        self.longest: int = getattr(config, "max_position_embeddings", 2**62)

    def restart(self) -> None:
        """Its cache of prompts is its own business."""

    def generate(self, prompts: TokenIds, tokens: int, sampling: Sampling, seeds: list[int]) -> list[Written]:
        ask = partial(self._ask, _url_of(self._serves, self._adapters), tokens, sampling)
        try:
            with ThreadPoolExecutor(len(prompts)) as pool:  # they wait; vLLM batches
                return list(pool.map(ask, prompts, seeds))
        except (OSError, HTTPException) as error:
            stop_vllm()
            told = f"{self._name}: vLLM does not answer any more ({error})"
            raise RuntimeError(f"{told}; run this again: a new server is started") from None

    def _ask(self, url: str, tokens: int, sampling: Sampling, prompt: list[int], seed: int) -> Written:
        body = {"model": self._name, "prompt": prompt, "max_tokens": tokens, "stop_token_ids": sorted(self._stop)}
        body |= {"temperature": sampling.temperature, "top_p": 1.0, "seed": seed, "return_token_ids": True}
        request = urllib.request.Request(f"{url}/v1/completions", json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        try:
            with _LOCAL.open(request, timeout=ANSWER_S) as answer:
                choice = json.load(answer)["choices"][0]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{self._name}: vLLM answered {error.code}: {error.read()[:500]!r}") from None
        if choice.get("token_ids") is None:
            raise RuntimeError("vLLM gave no token_ids, which it does from version 0.10.2 on; or set device to cuda")
        return Written(without_end(choice["token_ids"], self._stop), choice["finish_reason"] == "stop")
