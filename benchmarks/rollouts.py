"""Episodes a minute with SmolLM2: this suite's rollouts against one episode at a time, one call a step.

    python benchmarks/rollouts.py [--model FOLDER] [--tasks 48] [--alone 6] [--steps 10]

The other way is AgentBoard's: the next episode starts when the last has ended, every step decodes by itself, and the
whole prompt is read anew (transformers' ``generate`` in bfloat16; its cache lives for one reply). Same model, prompts
and greedy decoding, two threads each, in one process, one way after the other; our engines run in processes of their
own. The other way plays the first ``--alone`` of the tasks only: it takes as long for each. One line of JSON:
``ratio`` is episodes/min of ours over the other's, loading left out; ``tokens_per_s`` counts what was written.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from agentrefine_lib.agent import Prompting
from agentrefine_lib.environments import make_environment, panel
from agentrefine_lib.environments.process import Opening
from agentrefine_lib.policies import LocalPolicy
from agentrefine_lib.rollout import Limits, roll_out
from agentrefine_lib.schema import Episode, Step, Task, parse_reply, read_jsonl
from agentrefine_lib.tuning import SMOLLM2, base_folder
from agentrefine_lib.tuning.export import load_merged

LEVELS = ("GoToRedBallGrey", "GoToObj", "PickupLoc", "GoToDoor")
REPLY_TOKENS, CONTEXT = 40, 4096


@torch.inference_mode()
def play_alone(model: Any, tokenizer: Any, task: Task, limit: int) -> tuple[int, int]:
    """Steps played and tokens written."""
    environment, steps, written = make_environment(task), [], 0
    observation = environment.reset(task)
    opening = Opening(observation, environment.goal, environment.rules, environment.commands, environment.version)
    for _ in range(limit):
        chat = Prompting().chat(task, opening, steps)
        ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True, return_tensors="pt")
        out = model.generate(**ids, do_sample=False, max_new_tokens=REPLY_TOKENS)[0, ids["input_ids"].shape[1] :]
        written += len(out)
        text = tokenizer.decode(out, skip_special_tokens=True)
        read = parse_reply(text)
        result = environment.step(read.action)
        observed = {"observation": result.observation, "progress": result.progress, "error": result.error}
        steps.append(Step(reply=text, thought=read.thought, action=read.action, **observed))
        if result.done:
            break
    environment.close()
    return len(steps), written


def play_together(policy: LocalPolicy, tasks: list[Task], steps: int) -> tuple[int, int]:
    with tempfile.TemporaryDirectory() as folder:
        path = asyncio.run(roll_out(policy, tasks, Path(folder) / "episodes.jsonl", Limits(steps=steps)))
        played = [step for episode in read_jsonl(path, Episode) for step in episode.steps]
    return len(played), sum(len(policy.tokenizer(step.reply)["input_ids"]) for step in played)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--model", default=SMOLLM2)
    options.add_argument("--tasks", type=int, default=48)
    options.add_argument("--alone", type=int, default=6)
    options.add_argument("--steps", type=int, default=10)
    chosen = options.parse_args()
    print(__doc__, "Writes nothing but a temporary folder.", sep="", file=sys.stderr)
    print(json.dumps(compare(base_folder(chosen.model), chosen.tasks, chosen.alone, chosen.steps)))


def compare(model: str, count: int, alone: int, steps: int) -> dict[str, Any]:
    """Play tasks both ways."""
    tasks = panel({"babyai": {level: range(-(-count // len(LEVELS))) for level in LEVELS}})[:count]
    policy = LocalPolicy(model, "model", context=CONTEXT, reply_tokens=REPLY_TOKENS)
    play_together(policy, tasks[:1], 1)  # loads
    plain = load_merged(model, dtype=torch.bfloat16).eval()
    torch.set_num_threads(2)
    begun = time.perf_counter()
    _, written_together = play_together(policy, tasks, steps)
    middle = time.perf_counter()
    each = [play_alone(plain, policy.tokenizer, task, steps) for task in tasks[:alone]]
    ours, theirs = middle - begun, time.perf_counter() - middle
    written_alone = sum(written for _, written in each)
    return {
        "ratio": round(theirs / alone / (ours / len(tasks)), 1),
        "episodes_per_minute": {"ours": round(60 * count / ours, 1), "one at a time": round(60 * alone / theirs, 1)},
        "tokens_per_s": {"ours": round(written_together / ours), "one at a time": round(written_alone / theirs)},
    }


if __name__ == "__main__":
    main()
