"""One value after the other, and then all of them side by side.

``python -m agentrefine_lib.results.sweep smoke -p "recipe.train_steps=[10,20]"``: the runner's command line, where one
value is a list although its parameter takes none (or a list of lists). Each gets a run folder of its own, in the
profile's; after a stop, the same command goes on.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from agentrefine_lib.results.compare import report
from agentrefine_lib.runner import ProfileError, load_profile
from agentrefine_lib.runner.__main__ import arguments, run_profile
from agentrefine_lib.runner.profile import read_overrides


def plan(profile: str, root: Path, given: Sequence[str]) -> dict[Path, list[str]]:
    """Run folder → the overrides of its run. Raises ProfileError where not one is swept or a value is wrong."""
    problems: list[str] = []
    values = {text: one for text in given for one in read_overrides([text], problems)}
    lists = [text for text, one in values.items() if isinstance(one.value, list)]
    swept = [text for text in lists if not fits(profile, root, text)]
    if len(swept) != 1 or problems:
        plain = [f"{values[text].name} is itself a list: it takes one value" for text in lists if text not in swept]
        found = f"found {' and '.join(swept) or 'none'}, expected one -p NAME=[…] whose parameter is no list"
        raise ProfileError([*problems, found, *plain])
    rest, (_, name, several) = [text for text in given if text not in swept], values[swept[0]]
    base = load_profile(profile, root, rest)
    runs = {}
    for value in several:
        folder = Path(base.shown(base.run_dir / "sweep" / re.sub(r"[^\w.+=-]+", "_", f"{name}={value}")))
        own = [f"{name}={json.dumps(value)}", f"run_dir={folder}", f"figures_dir={folder / 'figures'}"]
        load_profile(profile, root, [*rest, *own])
        runs[folder] = [*rest, *own]
    if len(runs) < max(2, len(several)):
        raise ProfileError([f"{swept[0]}: expected two values or more that are not the same"])
    return runs


def fits(profile: str, root: Path, override: str) -> bool:
    """Whether a parameter takes this value as it is."""
    try:
        load_profile(profile, root, [override])
    except ProfileError:
        return False
    return True


def sweep(words: Sequence[str] | None = None) -> int:
    """Run all, then compare. Returns the exit code of the first run that did not go well, else 0."""
    asked = arguments(words)
    root = asked.root.resolve()
    try:
        runs = plan(asked.profile, root, asked.p)
    except ProfileError as error:
        print(error, file=sys.stderr)
        return 2
    for folder, overrides in runs.items():
        print(f"sweep: {folder.name}", flush=True)
        if code := run_profile(argparse.Namespace(**vars(asked) | {"p": overrides})):
            return code
    if not (asked.dry_run or asked.why):
        print(report(list(runs), root, root / next(iter(runs)).parent / "compared.html"))
    return 0


if __name__ == "__main__":
    sys.exit(sweep())
