"""Writes the episodes of released models beside their adapters, where profiles find them: ``played`` in ``models``.

python -m agentrefine_lib.runner.played runs/all-played agentrefine-1 no_refinement-0
"""

import argparse
from pathlib import Path

from agentrefine_lib.rollout.released import release_episodes
from agentrefine_lib.runner.manifest import git_state, processor
from agentrefine_lib.runner.workspace import ADAPTERS, repository


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the run folder")
    parser.add_argument("policies", nargs="+", help="models that it played, as they are called in params/adapters")
    parser.add_argument("--commit", help="that played them (default: this one)")
    asked = parser.parse_args()
    commit = asked.commit or git_state(repository(), asked.run.resolve())[0] or "none"
    for policy in asked.policies:
        try:
            archive = release_episodes(asked.run, policy, repository() / ADAPTERS / policy, commit, processor())
        except FileNotFoundError as error:
            parser.error(str(error))
        print(f"{archive}: {archive.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
