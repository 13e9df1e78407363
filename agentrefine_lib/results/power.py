"""Is the panel large enough? ``python -m agentrefine_lib.results.power runs/development/figures laptop``, before a run.

A pilot, whose tasks are none of the panel's, says how much two methods differ on one task and how that varies. From it
and the number of tasks that the profile plays: the chance that a claim is decided there, if its tasks are like the
pilot's. ``params/power.csv`` keeps it, and the results page shows it beside what came out.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from agentrefine_lib.environments import panel
from agentrefine_lib.metrics.verdicts import POWER, Difference, power, tasks_needed
from agentrefine_lib.results.artefacts import load_artefacts, read_claims
from agentrefine_lib.runner import ProfileError, load_profile, repository

FILE = Path("params") / "power.csv"


def expected(pilot: Path, profile: str, root: Path) -> pd.DataFrame:
    """One row per claim whose ``engines`` the registry names: ``profile``, what the pilot found, ``planned`` (tasks of
    the profile's panel on these engines), ``power``, the tasks ``needed`` for a power of 80 %, and whether that
    ``suffices``.

    Raises ProfileError for a profile that is none, or plays no chapter 4.
    """
    tested = read_claims(pilot)
    given = [n.given for n in load_profile(profile, root).notebooks if n.name.startswith("04") and "panel" in n.given]
    if not given:
        raise ProfileError([f"{profile}: found no panel of chapter 4, expected one whose size is to be judged"])
    sizes = Counter(task.engine for task in panel(given[0]["panel"]))
    rows = []
    for claim in (claim for artefact in load_artefacts(root) for claim in artefact.claims if claim.engines):
        row: dict[Any, Any] = tested.loc[claim.id].dropna().to_dict() if claim.id in tested.index else {}
        found = Difference(**{name: row[name] for name in Difference._fields if name in row})
        planned = sum(sizes[engine] for engine in claim.engines)
        chance = power(found, planned)
        told = {"claim": claim.id, "profile": profile, "pilot": found.n, "differ": found.differ}
        told |= {"difference": found.difference, "planned": planned, "power": chance, "needed": tasks_needed(found)}
        rows.append(told | {"suffices": chance >= POWER})
    return pd.DataFrame(rows)


def read_power(root: Path, profile: str) -> dict[str, str]:
    """In words, for each claim that the pilot tested: the tasks that the profile plans, and the chance that they would
    decide it. Empty for a profile that nobody planned."""
    if not (root / FILE).is_file():
        return {}
    table = pd.read_csv(root / FILE).query("pilot > 0 and profile == @profile").set_index("claim")
    unseen = "the pilot saw no difference, or had several seeds"
    chances = [unseen if pd.isna(chance) else f"power {chance:.2f}" for chance in table["power"]]
    told = zip(table.index, table["planned"], chances, strict=True)
    return {str(name): f"planned: {tasks:.0f} tasks, {chance}" for name, tasks, chance in told}


def main() -> None:
    """Write the file, and say which claims this panel will hardly decide."""
    parser = argparse.ArgumentParser(prog="power", description="Which claims can a profile's panel decide?")
    parser.add_argument(
        "pilot", type=Path, help="the figures of a run on other tasks, such as runs/development/figures"
    )
    parser.add_argument("profile", nargs="?", default="laptop", help="whose panel it is (default: laptop)")
    asked, root = parser.parse_args(), repository()
    try:
        table = expected(asked.pilot, asked.profile, root)
    except (OSError, ValueError, ProfileError) as error:
        sys.exit(str(error))
    table.to_csv(root / FILE, index=False, float_format="%.3g", lineterminator="\n")
    print(table.to_string(index=False))
    few = table.loc[~table["suffices"], "claim"]
    print(f"{FILE}: {len(few)} of {len(table)} claims have less than {POWER:.0%} power: {', '.join(few)}")


if __name__ == "__main__":
    main()
