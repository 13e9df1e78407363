"""The provenance record beside the figures: what they were made from, by what, where and when.

``outputs`` holds the sha256 of every file that a notebook declares, and of every file in a folder that it declares but
for hidden ones. A notebook that was skipped keeps the record of the run that made its outputs.
"""

import json
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import joblib

from agentrefine_lib.runner.doctor import version
from agentrefine_lib.runner.fingerprint import LOCK, State, models_of
from agentrefine_lib.runner.profile import Profile
from agentrefine_lib.schema import atomic_write_text


def git_state(root: Path, *written_by_runs: Path) -> tuple[str | None, bool | None]:
    """The commit, and whether anything but what runs write differs from it; None, None without a repository or git."""
    folders = [folder for folder in written_by_runs if folder.is_relative_to(root)]
    written = [f":(exclude){folder.relative_to(root)}" for folder in folders]
    try:
        answers = [
            subprocess.run(["git", *command], cwd=root, capture_output=True, text=True, check=True).stdout
            for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "--", ".", *written])
        ]
    except (OSError, subprocess.CalledProcessError):
        return None, None
    return answers[0].strip(), bool(answers[1].strip())


def versions(names: list[str]) -> dict[str, str]:
    """The installed versions of those of the packages that are installed."""
    return {name: found for name in names if (found := version(name)) is not None}


def record(state: State) -> dict[str, Any]:
    """What is told of one notebook."""
    values = state.given | state.defaulted
    seeds = {name: value for name, value in values.items() if re.search(r"(^|[_.])seeds?$", name)}
    seeds |= {f"models.{name}": model["seeds"] for name, model in models_of(values).items() if "seeds" in model}
    told = state.model_dump(exclude={"status", "fingerprint", "given", "defaulted"})
    return {"parameters": {"given": state.given, "defaulted": state.defaulted}, "seeds": seeds, **told}


def wall_seconds(records: Sequence[Mapping[str, Any]]) -> float:
    """How long at least one of the notebooks ran: those side by side count once, a pause between two does not."""
    total = until = 0.0
    for one in sorted(records, key=lambda one: one["started"]):
        begun = datetime.fromisoformat(one["started"]).timestamp()
        ended = begun + one["wall_s"]
        total += max(0.0, ended - max(begun, until))
        until = max(until, ended)
    return total


def played_before(told: Mapping[str, Any]) -> str:
    """A sentence on the models of a manifest whose episodes were taken with them; "" where all have played."""
    taken = told.get("played_before") or {}
    if not taken:
        return ""
    places = [", ".join(sorted({told[key] for told in taken.values()})) for key in ("commit", "processor")]
    return f"{len(taken)} models played before, at {places[0]} ({places[1]}): their episodes are released with them."


def processor() -> str:
    """Its name, and whether it multiplies in bfloat16: on another kind a model's replies may differ."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    name = re.search(r"^model name\s*: (.+)$", told, re.MULTILINE)
    bfloat16 = re.search(r"\b(avx512_bf16|amx_bf16|bf16)\b", told)
    return f"{name[1] if name else platform.machine()}{', bfloat16' if bfloat16 else ''}"


def manifest(profile: Profile) -> dict[str, Any]:
    """The record of a run; a notebook that is not done has None."""
    from agentrefine_lib.environments import engines  # seconds, wanted only here
    from agentrefine_lib.rollout.released import TAKEN

    states = {notebook.name: State.load(profile, notebook) for notebook in profile.notebooks}
    lock = profile.root / LOCK
    pinned = re.findall(r"^[A-Za-z0-9][\w.-]*", lock.read_text(), re.MULTILINE) if lock.exists() else []
    commit, dirty = git_state(profile.root, profile.run_dir, profile.figures_dir)
    taken = profile.run_dir / "episodes" / TAKEN
    return {
        "profile": profile.name,
        "commit": commit,
        "dirty": dirty,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cpu_count": joblib.cpu_count(),  # that this process may use: on one, models play in float32
        "engines": versions([package for engine in engines().values() for package in engine.packages]),
        "packages": versions(pinned),
        "played_before": json.loads(taken.read_text(encoding="utf-8")) if taken.exists() else {},
        "notebooks": {name: record(s) if s and s.status == "done" else None for name, s in states.items()},
    }


def write_manifest(profile: Profile) -> Path:
    """Write ``<figures_dir>/manifest.json``, unless it already tells of the same runs. Returns its path."""
    file, content = profile.figures_dir / "manifest.json", manifest(profile)
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        told = {}
    now = json.loads(text)
    if any(told.get(key) != now[key] for key in ("profile", "notebooks")):
        atomic_write_text(file, text)
    return file
