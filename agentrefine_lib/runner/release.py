"""Writes a tuned adapter of a run to ``params/adapters``, where profiles find it: ``released`` in ``models``.

python -m agentrefine_lib.runner.release runs/overnight agentrefine-0 agentrefine --hours 1.4 --device "a Xeon core"
"""

import argparse
from pathlib import Path

from agentrefine_lib.runner.manifest import git_state
from agentrefine_lib.runner.workspace import repository
from agentrefine_lib.schema import Conversation, read_jsonl
from agentrefine_lib.tuning.released import release


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the run folder")
    parser.add_argument("policy", help="a folder of its models")
    parser.add_argument("variant", help="the training set of chapter 2 that it was tuned on")
    parser.add_argument("--device", required=True, help="what it was trained on, in words")
    parser.add_argument("--hours", required=True, type=float, help="how long that took")
    parser.add_argument("--conversations", type=int, help="how many of the set's first ones (default: all)")
    asked = parser.parse_args()
    commit, dirty = git_state(repository(), asked.run.resolve())
    if dirty or commit is None:
        parser.error("commit everything first: the release names the commit that makes its data")
    data = list(read_jsonl(asked.run / "conversations" / f"{asked.variant}.jsonl", Conversation))[: asked.conversations]
    folder = repository() / "params" / "adapters" / asked.policy
    made = {"commit": commit, "device": asked.device, "hours": asked.hours}
    print(f"{folder}: {release(asked.run / 'models' / asked.policy, data, folder, **made)}")


if __name__ == "__main__":
    main()
