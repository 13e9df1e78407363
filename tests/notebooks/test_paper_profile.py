"""The paper profile end to end: a teacher and all models behind URLs, tiny ones, on this machine."""

import json
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

pytest.importorskip("uvicorn")
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from agentrefine_lib.teachers import EmbeddedTeacher
from agentrefine_lib.teachers.server import make_app, serve

ROOT = Path(__file__).parents[2]
POLICIES = ["untuned", "agentrefine-0", "expert_only-0"]
SMALL = {
    "n_trajectories": 10, "n_judged": 5, "synthesis.personas": "",
    "expert_panel": {"babyai": {"PickupLoc": [0, 1, 2, 3]}}, "held_in": {"expert_only": ["babyai"]},
    "models": {"agentrefine": {"seeds": [0]}, "expert_only": {"seeds": [0]}}, "ablated": ["untuned", "agentrefine"],
    "compared": "agentrefine",
    "recipe": {"epochs": 2, "checkpoints": 2, "batch_size": 4, "accumulation": 1, "precision": "float32",
               "optimizer": "adamw_torch", "gradient_checkpointing": False, "max_tokens": 2000},
    "accelerate_config": None,
    "selection": {"panel": {"embedded": {"places": [50]}}, "limits": {"steps": 2},
                  "decoding": {"context": 2048, "reply_tokens": 8}},
    "panel": {"babyai": {"GoToDoor": [1]}, "hotpotqa": {"same-press": [0]}, "embedded": {"places": [0]}},
    "limits": {"steps": 3}, "decoding": {"context": 2048, "reply_tokens": 12},
    "perturbations": ["synonyms", "nonsense"], "robust_panel": {"babyai": {"GoToDoor": [1]}},
    "mended_panel": {"embedded": {"places": [0]}},
    "sampled_panel": {"babyai": {"GoToDoor": [1]}}, "n_samples": 2, "general": {"questions": 4, "reply_tokens": 12},
    "texts": {"thoughts": 40, "environments": 10},
}  # fmt: skip


class ModelServer:
    """Chat completions of whatever causal model lies in ``folder/<name>`` when it is first asked for."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.folders = {name: folder / name for name in POLICIES} | {"untuned": base}
        self.asked: dict[str, int] = dict.fromkeys(POLICIES, 0)
        self.lock = threading.Lock()
        self.load = cache(lambda name: (AutoModelForCausalLM.from_pretrained(self.folders[name]), self.tokenizer(name)))
        self.app = Starlette(routes=[Route("/v1/chat/completions", self.chat, methods=["POST"])])

    def tokenizer(self, name: str):
        return AutoTokenizer.from_pretrained(self.folders[name])

    async def chat(self, request: Request) -> JSONResponse:
        body = await request.json()
        with self.lock:
            self.asked[body["model"]] += 1
            text = self.answer(**{k: body[k] for k in ("model", "messages", "max_tokens", "temperature", "seed")})
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        return JSONResponse(
            {"id": "1", "object": "chat.completion", "created": 0, "model": body["model"], "choices": [choice]}
        )

    def answer(self, model: str, messages: list[dict], max_tokens: int, temperature: float, seed: int) -> str:
        torch.manual_seed(seed)
        network, tokenizer = self.load(model)
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        sampling = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
        out = network.generate(**ids, max_new_tokens=max_tokens, pad_token_id=tokenizer.pad_token_id, **sampling)
        text = tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
        return text if text.strip() else "Hm."  # an endpoint that never says anything ends the run


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_paper_profile_runs_with_everything_behind_urls(tiny, tmp_path):
    run = tmp_path / "run"
    models = ModelServer(run / "models", tiny)
    teacher = make_app(EmbeddedTeacher(slip_rate=0.1))
    with serve(teacher) as teacher_url, serve(models.app) as url:
        places = {"run_dir": str(run), "figures_dir": str(run / "figures"), "base_model": str(tiny)}
        served = {"teacher": {"base_url": teacher_url, "model": "embedded"}}
        served["endpoint"] = {"base_url": url, "policies": {name: name for name in POLICIES}}
        values = [f"{name}={json.dumps(value)}" for name, value in (SMALL | places | served).items()]
        command = [sys.executable, "-m", "agentrefine_lib.runner", "paper", "-p", *values]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=850, check=False)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
    assert min(models.asked.values()) > 5
    assert teacher.state.requests["play"] >= 10
    table = pd.read_csv(run / "figures" / "tab1_main.csv")
    ours = table[(table["source"] == "this run") & (table["engine"] == "babyai")]
    assert {"untuned", "AgentRefine", "expert only"} <= set(ours["method"])
    chosen = pd.read_csv(run / "models" / "agentrefine-0" / "selection" / "selection.csv")
    assert len(chosen) == 2 and chosen["kept"].sum() == 1
    episode = json.loads((run / "episodes" / "agentrefine-0.jsonl").read_text().splitlines()[0])
    recorded = {json.loads(line)["text"] for line in (run / "recorded" / "evaluation.jsonl").read_text().splitlines()}
    assert {step["reply"] for step in episode["steps"]} <= recorded
    page = (run / "figures" / "index.html").read_text()
    assert "Not made in this run" not in page
