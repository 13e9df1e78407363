"""Episodes a minute with one local model: this suite's rollouts against one episode at a time, one call a step.

    python benchmarks/rollouts.py [--model FOLDER] [--shape WIDTHxLAYERS] [--tasks 48] [--steps 20]

The other way is AgentBoard's: the next episode starts when the last has ended, every step decodes by itself, and the
whole prompt is read anew (transformers' ``generate``; its cache lives for one reply). Same model, tasks, prompts and
greedy decoding, in turns in one process, one thread; engines of ours run in processes of their own. ``--shape`` puts
random weights of that size behind the model's tokenizer: the time does not depend on what is said. One line of JSON:
``ratio`` is episodes/min of ours over the other's; ``same`` counts episodes whose actions and outcome are identical.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from agentrefine_lib.agent import Prompting, parse_reply
from agentrefine_lib.environments import make_environment, panel
from agentrefine_lib.environments.process import Opening
from agentrefine_lib.policies import LocalPolicy
from agentrefine_lib.rollout import Limits, roll_out
from agentrefine_lib.schema import Episode, Step, Task, read_jsonl
from agentrefine_lib.tuning.nano import NANO, build_model

LEVELS = ("GoToRedBallGrey", "GoToObj", "PickupLoc", "GoToDoor")
REPLY_TOKENS, CONTEXT = 40, 4096
Play = tuple[list[str], bool]


def one_at_a_time(policy: LocalPolicy, tasks: list[Task], steps: int) -> dict[str, Play]:
    return {task.id: play_alone(policy, task, steps) for task in tasks}


@torch.inference_mode()
def play_alone(policy: LocalPolicy, task: Task, limit: int) -> Play:
    environment, steps, success = make_environment(task), [], False
    observation = environment.reset(task)
    opening = Opening(observation, environment.goal, environment.rules, environment.commands, environment.version)
    for _ in range(limit):
        chat = Prompting().chat(task, opening, steps)
        ids = policy.tokenizer.apply_chat_template(
            chat, add_generation_prompt=True, return_dict=True, return_tensors="pt"
        )
        if ids["input_ids"].shape[1] > CONTEXT - REPLY_TOKENS:
            break  # no episode of this panel gets here
        pad = policy.tokenizer.pad_token_id
        out = policy.model.generate(**ids, do_sample=False, max_new_tokens=REPLY_TOKENS, pad_token_id=pad)
        text = policy.tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
        thought, action, *_ = parse_reply(text)
        result = environment.step(action)
        steps.append(Step(reply=text, thought=thought, action=action, observation=result.observation, progress=0.0))
        success = result.success
        if result.done:
            break
    environment.close()
    return [step.action for step in steps], success


def together(policy: LocalPolicy, tasks: list[Task], steps: int) -> dict[str, Play]:
    with tempfile.TemporaryDirectory() as folder:
        limits = Limits(steps=steps, in_flight=2 * len(tasks))
        path = asyncio.run(roll_out(policy, tasks, Path(folder) / "episodes.jsonl", limits))
        return {e.task.id: ([s.action for s in e.steps], e.success) for e in read_jsonl(path, Episode)}


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--model", type=Path, default=NANO)
    options.add_argument("--shape", help="e.g. 512x8; empty: the model's own weights")
    options.add_argument("--tasks", type=int, default=48)
    options.add_argument("--steps", type=int, default=20)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if chosen.shape:
            chosen.model = random_weights(chosen.model, chosen.shape, Path(folder))
        print(json.dumps(compare(chosen.model, chosen.tasks, chosen.steps)))


def random_weights(model: Path, shape: str, folder: Path) -> Path:
    """A Llama of this shape behind the tokenizer of another model."""
    width, layers = map(int, shape.split("x"))
    tokenizer = AutoTokenizer.from_pretrained(model)
    build_model(tokenizer, width, layers, CONTEXT, seed=0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def compare(model: Path, count: int, steps: int) -> dict[str, Any]:
    """Play the same tasks both ways."""
    tasks = panel({"babyai": {level: range(-(-count // len(LEVELS))) for level in LEVELS}})[:count]
    policy = LocalPolicy(model, "model", context=CONTEXT, reply_tokens=REPLY_TOKENS, crew=len(tasks))
    seconds, plays = {}, {}
    for name, way in (("ours", together), ("one at a time", one_at_a_time)):
        begun = time.perf_counter()
        plays[name] = way(policy, tasks, steps)
        seconds[name] = time.perf_counter() - begun
    same = sum(plays["ours"][task.id] == plays["one at a time"][task.id] for task in tasks)
    return {
        "parameters": sum(weights.numel() for weights in policy.model.parameters()),
        "ratio": round(seconds["one at a time"] / seconds["ours"], 1),
        "episodes_per_minute": {name: round(60 * len(tasks) / taken, 1) for name, taken in seconds.items()},
        "same": f"{same}/{len(tasks)}",
        "steps": sum(len(actions) for actions, _ in plays["ours"].values()),
    }


if __name__ == "__main__":
    main()
