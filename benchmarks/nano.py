"""Is the nano model worth tuning? Worlds solved before and after three minutes of tuning on two cores: a line of JSON.

    python benchmarks/nano.py [--seeds 0 1 2] [--worlds 60] [--steps 370] [--out FOLDER]

2,000 verified trajectories of the embedded teacher from plain worlds of all kinds but five, half of the names invented;
two processes of one thread tune the model on them. It then plays plain worlds that are in no training set, with real
names: of the kinds that it was tuned on, and of the five others, whose things, verbs and spellings it has never seen.
``seconds`` is the wall clock of a tuning; aim for 180.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.environments import panel
from agentrefine_lib.metrics import success_interval
from agentrefine_lib.policies import LocalPolicy
from agentrefine_lib.rollout import Limits, roll_out
from agentrefine_lib.schema import Conversation, Episode, Trajectory, read_jsonl
from agentrefine_lib.synthesis import Job, synthesize
from agentrefine_lib.teachers import EmbeddedTeacher, embedded_persona, load_domains
from agentrefine_lib.tuning import Recipe, launch
from agentrefine_lib.tuning.nano import NANO

HELD_OUT = ("theatre", "shell", "farm", "observatory", "kitchen")
TUNED_ON = tuple(sorted(set(load_domains()) - set(HELD_OUT)))
TWO_PROCESSES = str(Path(__file__).parents[1] / "params" / "accelerate" / "ddp_cpu.yaml")
FIRST_WORLD = 7_000  # seed; no panel of a profile has it, and nothing was chosen by them


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options.add_argument("--worlds", type=int, default=60, help="of each of the two kinds")
    options.add_argument("--steps", type=int, default=370, help="of the optimiser, four trajectories each")
    options.add_argument("--out", type=Path, default=Path("runs/nano_benchmark"))
    chosen = options.parse_args()
    conversations = make_data(chosen.out)
    result: dict[str, Any] = {"untuned": solved(NANO, "untuned", chosen.worlds, chosen.out), "tuned": []}
    recipe = {"train_steps": chosen.steps, "batch_size": 4, "learning_rate": 1e-3, "max_tokens": 1600}
    for seed in chosen.seeds:
        folder, begun = chosen.out / f"seed{seed}", time.perf_counter()
        log = launch(NANO, conversations, folder, Recipe(**recipe, save_every=10**6, seed=seed), TWO_PROCESSES)
        row = {"seed": seed, "seconds": round(time.perf_counter() - begun), "loss": round(log["loss"].iloc[-1], 3)}
        result["tuned"].append(row | solved(folder, f"seed{seed}", chosen.worlds, chosen.out))
    print(json.dumps(result))


def make_data(out: Path) -> list[Conversation]:
    jobs = [Job(f"n-{seed:04d}", embedded_persona(seed, TUNED_ON), seed) for seed in range(2_000)]
    teacher = EmbeddedTeacher(TUNED_ON, errors=(1, 2), plain=True, invented=True)
    path = asyncio.run(synthesize(teacher, jobs, out / "synthesis"))
    return [to_conversation(trajectory) for trajectory in read_jsonl(path, Trajectory)]


def solved(model: Path, name: str, worlds: int, out: Path) -> dict[str, str]:
    """Worlds won in 15 steps, of both kinds: k/n and Wilson's interval."""
    found = {}
    for kind, domains in {"kinds tuned on": TUNED_ON, "unseen kinds": HELD_OUT}.items():
        each = range(FIRST_WORLD, FIRST_WORLD + worlds // len(domains))
        policy = LocalPolicy(model, name, context=2048, reply_tokens=200)
        tasks, path = panel({"embedded": {f"plain-{domain}": each for domain in domains}}), out / f"{name} {kind}.jsonl"
        asyncio.run(roll_out(policy, tasks, path, Limits(steps=15)))
        won = [episode.success for episode in read_jsonl(path, Episode)]
        low, high = success_interval(sum(won), len(won))
        found[kind] = f"{sum(won)}/{len(won)} [{low:.2f}, {high:.2f}]"
    return found


if __name__ == "__main__":
    main()
