"""vLLM is started, asked in token ids, and stopped whatever happens; a program of ours stands in for it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from agentrefine_lib.policies import LocalPolicy, Sampling, vllm
from agentrefine_lib.policies.generation import pick_device

STAND_IN = """#!{python}
import json, os, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

worker = subprocess.Popen(["sleep", "600"])  # as vLLM's engine is a process of its own
with open({folder!r} + "/started", "a") as file:
    file.write(json.dumps([os.getpid(), worker.pid, sys.argv[1:]]) + "\\n")
if {how!r} == "dies":
    sys.exit("no kernel image is available")
if {how!r} == "hangs":
    time.sleep(600)

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open({folder!r} + "/asked", "a") as file:
            file.write(json.dumps(asked) + "\\n")
        cut = asked["model"] == "base"
        ids = asked["prompt"][-3:] + ([] if cut else [asked["stop_token_ids"][0]])
        body = json.dumps({{"choices": [{{"token_ids": ids, "finish_reason": "length" if cut else "stop"}}]}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Answer).serve_forever()
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    def install(how="works"):
        program = tmp_path / "bin" / "vllm"
        program.parent.mkdir()
        program.write_text(STAND_IN.format(python=sys.executable, folder=str(tmp_path), how=how))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        return tmp_path

    yield install
    vllm.stop_vllm()


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def gone(folder, within=20.0):
    """Whether all processes of all servers are over."""
    pids = [pid for server, worker, _ in lines(folder / "started") for pid in (server, worker)]
    until = time.monotonic() + within
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(alive, pids))


@pytest.fixture
def run(tiny, tmp_path):
    """Two adapters of a run, as chapter 3 leaves them."""
    for name, rank in (("agentrefine-0", 4), ("expert_only-0", 12)):
        torch.manual_seed(rank)
        lora = LoraConfig(r=rank, target_modules="all-linear", task_type="CAUSAL_LM")
        get_peft_model(AutoModelForCausalLM.from_pretrained(tiny), lora).save_pretrained(tmp_path / "models" / name)
        AutoTokenizer.from_pretrained(tiny).save_pretrained(tmp_path / "models" / name)
    return tmp_path / "models"


def test_one_server_plays_a_run_and_is_asked_in_token_ids(stand_in, run, tiny, start):
    folder, episodes = stand_in(), [start("GoToDoor"), start("Pickup")]
    players = [(run / "agentrefine-0", "a"), (run / "expert_only-0", "e"), (tiny, "untuned")]
    for model, name in players:
        policy = LocalPolicy(model, name, context=2048, reply_tokens=7, device="vllm", sampling=Sampling(0.5, seed=3))
        assert policy.batch_size is None  # as many as are in flight
        replies = asyncio.run(policy.act(episodes))
        assert replies == [policy.tokenizer.decode(policy._read(e)[-3:], skip_special_tokens=True) for e in episodes]
        assert [e.ending.cut for e in episodes] == [name == "untuned"] * 2
    ((server, _, command),) = lines(folder / "started")  # one for all three
    assert alive(server) and command[:2] == ["serve", str(tiny)]
    modules = command.index("--lora-modules")
    assert command[modules + 1 :] == [f"{name}={run / name}" for name in ("agentrefine-0", "expert_only-0")]
    assert command[command.index("--max-lora-rank") + 1] == "16" and "--enable-lora" in command
    asked = lines(folder / "asked")
    assert [one["model"] for one in asked] == ["agentrefine-0"] * 2 + ["expert_only-0"] * 2 + ["base"] * 2
    assert asked[-1]["max_tokens"] == 7 and asked[-1]["temperature"] == 0.5 and len({one["seed"] for one in asked}) == 2


def test_an_adapter_that_was_tuned_anew_is_served_anew(stand_in, run, start):
    folder = stand_in()
    for _ in range(2):
        policy = LocalPolicy(run / "agentrefine-0", "a", context=2048, device="vllm")
        asyncio.run(policy.act([start("GoToDoor")]))
        os.utime(run / "agentrefine-0" / "adapter_model.safetensors", ns=(1, 1))
    (first, *_), (second, *_) = lines(folder / "started")
    assert not alive(first) and alive(second)


def test_a_server_is_stopped_when_its_block_ends_and_when_it_raises(stand_in, tiny):
    folder = stand_in()
    with vllm.vllm_server(str(tiny), {}, 2048) as url:
        assert url.startswith("http://127.0.0.1:") and not gone(folder, within=0)
    assert gone(folder)
    with pytest.raises(KeyError), vllm.vllm_server(str(tiny), {}, 2048):
        raise KeyError
    assert gone(folder)


def test_a_server_goes_with_a_process_that_is_killed(stand_in, tiny):
    folder = stand_in()
    program = "import sys, time; from agentrefine_lib.policies.vllm import vllm_server\n"
    program += "with vllm_server(sys.argv[1], {}, 2048): print('up', flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", program, str(tiny)], stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout.readline() == "up\n"
        user.send_signal(signal.SIGKILL)
    assert gone(folder)


@pytest.mark.parametrize("how, told", [("dies", "ended.*no kernel image is available"), ("hangs", "within 3 s")])
def test_a_server_that_does_not_come_up_is_told_with_its_last_words(stand_in, tiny, how, told):
    folder = stand_in(how)
    with pytest.raises(RuntimeError, match=f"(?s){told}"), vllm.vllm_server(str(tiny), {}, 2048, start_s=3):
        pass
    if (folder / "started").exists():
        assert gone(folder)


def test_auto_is_vllm_where_there_is_a_gpu_and_vllm(monkeypatch):
    assert pick_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu") or torch.backends.mps.is_available()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for command, device in ((None, "cuda"), ("/bin/vllm", "vllm")):
        monkeypatch.setattr(vllm, "vllm_command", lambda command=command: command)
        assert pick_device("auto") == device
    with pytest.raises(ValueError, match="device: found 'gpu', expected one of auto, cpu, cuda, mps, vllm"):
        pick_device("gpu")
