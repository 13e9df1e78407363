"""What the run found, as a short table in the README: ``python -m agentrefine_lib.results.readme``."""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from scipy.stats import false_discovery_control

from agentrefine_lib.results.artefacts import load_artefacts, read_claims
from agentrefine_lib.results.claims import difference, told_claims
from agentrefine_lib.runner import repository
from agentrefine_lib.runner.manifest import played_before, wall_seconds
from agentrefine_lib.schema import atomic_write_text

BEGIN, END = "<!-- findings: made by make reproduce, do not edit -->", "<!-- end of findings -->"
COMPARED = {  # claim: what its difference is between
    "fig1_overall": "Progress on table 1's five engines, AgentRefine minus the untuned model",
    "chance": "Progress on table 1's five engines, AgentRefine minus random valid actions",
    "tab2_no_refinement": "Progress on table 1's five engines, AgentRefine minus its twin without refinement data",
    "tab2_no_refinement_loss": (
        "Progress on table 1's five engines, AgentRefine minus its twin without loss on refinements"
    ),
    "tab2_all_turns": "Progress on table 1's five engines, AgentRefine minus its twin with loss on errors as well",
    "diversity": "Progress on table 1's five engines, AgentRefine minus a model tuned on one kind of world",
    "unseen_worlds": "Progress in new worlds of AgentRefine's own teacher, AgentRefine minus expert only",
    "tab1_main": "Progress on the engines that neither was trained on, AgentRefine minus expert only",
    "fig3_perturbation": (
        "Progress lost on the held-in engine by the paper's renamings that were played, expert only minus AgentRefine"
    ),
    "recovery_no_refinement_loss": (
        "Accepted after a refusal (asking for help counts), AgentRefine minus the twin without loss on refinements"
    ),
    "mask_refinements": "Log-likelihood of refinements in the training data, AgentRefine minus the same twin",
    "fig_thoughts": "Vendi score of half of the thoughts trained on, AgentRefine minus expert only",
}


class Finding(NamedTuple):
    """A comparison in words: what is compared, its numbers, and the verdict with what would decide."""

    compared: str
    numbers: str
    verdict: str


def findings(figures: Path, root: Path) -> str:
    """Markdown, from the CSVs and the manifest of a run: tasks won, some comparisons, and how many claims hold."""
    rows = [f"| {' | '.join(row)} |".replace("  ", " ") for row in compared(figures, root)]
    return "\n".join(["| | this run | verdict |", "|---|---|---|", *rows, "", told_run(figures, root)])


def compared(figures: Path, root: Path) -> list[Finding]:
    """The tasks that were won, and those of ``COMPARED`` that the run measured."""
    claims, rows = read_claims(figures), [_won(pd.read_csv(figures / "tab1_main.csv"))]
    units = {claim.id: claim.unit for artefact in load_artefacts(root) for claim in artefact.claims}
    for name, between in COMPARED.items():
        if name in claims["difference"].dropna().index:
            row = claims.loc[name].to_dict()
            needed = f" (about n = {row['needed']:,.0f} would decide)" if pd.notna(row.get("needed")) else ""
            rows.append(Finding(between, difference(row, units[name]), f"{row['verdict']}{needed}"))
    return rows


def told_run(figures: Path, root: Path) -> str:
    """Which run it was, how long it took, and how many claims have which verdict."""
    manifest = json.loads((figures / "manifest.json").read_text(encoding="utf-8"))
    done = [record for record in manifest["notebooks"].values() if record]
    minutes = f"{wall_seconds(done) / 60:.0f} minutes"
    if going_on := [name[:2] for name, record in manifest["notebooks"].items() if record and record["resumed"]]:
        minutes += f" (chapters {', '.join(going_on)} went on from episodes that were there)"
    claims = read_claims(figures)
    verdicts = Counter(claim["verdict"] for claim in told_claims(load_artefacts(root), claims))
    told = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    run = f"Profile `{manifest['profile']}`, {minutes}, commit `{(manifest['commit'] or 'none')[:7]}`"
    run = " ".join(filter(None, [f"{run}.", played_before(manifest)]))
    meant = "Yes: above zero by its test; no: below. Intervals are 95 %."
    return " ".join(filter(None, [f"{run} All {verdicts.total()} claims: {told}. {meant}", corrected(claims)]))


def corrected(claims: pd.DataFrame) -> str:
    """How many "yes" stay when their p are corrected for the number of tests (Benjamini and Hochberg 1995)."""
    tested = claims.dropna(subset="p")
    yes = tested["verdict"] == "yes"
    if not yes.any():
        return ""
    kept = (yes & (false_discovery_control(tested["p"].astype(float)) <= 0.05)).sum()
    told = f"Left when the {len(tested)} tests that give a p are corrected for their number (Benjamini-Hochberg, 5 %)"
    return f"{told}: {kept} of their {yes.sum()} yes."


def _won(table: pd.DataFrame) -> Finding:
    """Success over all tasks, whatever their engine, of the methods that frame the question."""
    ours = table[(table["source"] != "paper") & (table["metric"] == "success")].copy()
    ours["won"] = ours["value"] * ours["n"] / ours["n"].groupby(ours["method"]).transform("sum")
    share = ours.groupby("method", sort=False)["won"].sum()
    shown = [
        name
        for name in ("AgentRefine", "expert only", "untuned", "random valid action", "scripted expert")
        if name in share
    ]
    if not shown:
        return Finding("Tasks won", "none of the methods that frame the question has played", "")
    seeds = ours.groupby("method")["seeds"].max()
    tasks = ours.loc[ours["method"] == shown[-1], "n"].sum() / seeds[shown[-1]]
    told = [f"{n} {share[n]:.0f} %" + (f" (mean of {seeds[n]:.0f} seeds)" if seeds[n] > 1 else "") for n in shown]
    return Finding(f"Tasks won, of {tasks:.0f}", ", ".join(told), "")


def fill_in(readme: Path, text: str) -> None:
    """Replace what stands between the two marks. Raises ValueError where they are missing."""
    before, begin, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{readme}: the marks {BEGIN} and {END} are missing")
    atomic_write_text(readme, f"{before}{begin}\n{text}\n{end}{after}")


if __name__ == "__main__":
    argparse.ArgumentParser(prog="readme", description="Write into README.md what the default run found.").parse_args()
    fill_in(repository() / "README.md", findings(repository() / "figures", repository()))
