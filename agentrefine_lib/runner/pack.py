"""A run small enough to be committed: ``python -m agentrefine_lib.runner.pack laptop`` writes ``figures/run.tar.xz``.

It holds all episodes and the first trajectories; its models are the released ones, whose weights are not packed.
"""

import argparse
import sys
from itertools import islice
from pathlib import Path

import pandas as pd

from agentrefine_lib.runner.profile import Profile, ProfileError, load_profile
from agentrefine_lib.runner.workspace import ADAPTERS, MODELS, PACKED, repository
from agentrefine_lib.schema import write_archive
from agentrefine_lib.tuning.base import UNTUNED

WHOLE = ("episodes", "ladder", "perturbed", "mended", "sampled", "reflexion", "questions", "general")
BEGUN = ("synthesis", "conversations", "expert")
LINES: dict[str, int | None] = dict.fromkeys(WHOLE) | dict.fromkeys(BEGUN, 200)  # folder → of each file; none: all


def pack(profile: Profile) -> Path:
    """Write the run of a profile beside its figures, the same bytes for the same run; returns the path.

    Raises FileNotFoundError where no model was made.
    """
    run, packed = profile.run_dir, profile.figures_dir / PACKED
    models = pd.read_csv(run / MODELS)
    kept = models["policy"].isin([UNTUNED, *(path.name for path in (profile.root / ADAPTERS).glob("*"))])
    left = set(models.loc[~kept, "policy"])
    files = {MODELS: models[kept].to_csv(index=False).encode()}
    for folder, lines in LINES.items():
        for path in sorted((run / folder).rglob("*.jsonl")):
            if path.stem.partition("@")[0] not in left:
                with open(path, "rb") as read:
                    files[path.relative_to(run).as_posix()] = b"".join(islice(read, lines))
    write_archive(packed, files)
    return packed


def main() -> None:
    parser = argparse.ArgumentParser(prog="pack", description="Pack a run beside its figures, to be committed.")
    parser.add_argument("profile", nargs="?", default="laptop", help="whose run (default: laptop)")
    try:
        profile = load_profile(parser.parse_args().profile, repository())
        packed = pack(profile)
        print(f"{profile.shown(packed)}: {packed.stat().st_size / 2**20:.1f} MiB")
    except (FileNotFoundError, ProfileError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
