"""Runs the notebooks of a profile in order and skips what is up to date."""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agentrefine_lib.runner.attempt import attempt
from agentrefine_lib.runner.fingerprint import Digests, judge
from agentrefine_lib.runner.manifest import write_manifest
from agentrefine_lib.runner.profile import Notebook, Profile, ProfileError, makers, overlap


def run(profile: Profile, only: Sequence[str] = (), force: bool = False) -> Path:
    """Run what is stale, then write the manifest, whose path is returned.

    Raises ProfileError before anything runs, NotebookFailedError at the first notebook that fails.
    """
    chosen = select(profile, only)
    with alone(profile):
        where = " and ".join(profile.shown(folder) for folder in (profile.run_dir, profile.figures_dir))
        print(f"{profile.name}: runs what is stale of {len(chosen)} notebooks, in order; writes to {where}", flush=True)
        digests = Digests(profile)
        for number, notebook in enumerate(chosen, start=1):
            step = f"[{number}/{len(chosen)}] {notebook.name}"
            verdict = judge(notebook, profile, digests, force)
            print(f"{step} {in_words(verdict.reasons)}", flush=True)
            if verdict.reasons:
                state = attempt(notebook, profile, digests, verdict)
                print(f"{step} done in {state.wall_s:.1f} s", flush=True)
            digests.save()
        return write_manifest(profile)


def explain_plan(profile: Profile, only: Sequence[str] = (), force: bool = False, every_reason: bool = False) -> None:
    """Print what would run and why, without running or writing anything."""
    digests, to_come = Digests(profile), list[Notebook]()
    for notebook in select(profile, only):
        reasons = judge(notebook, profile, digests, force).reasons
        for path in notebook.inputs:
            first = [maker.name for maker in makers(profile, path) if maker in to_come]
            reasons += [f"input {profile.shown(path)} may change: {name} runs first" for name in first]
        to_come += [notebook] if reasons else []
        print(f"{notebook.name} {in_words(reasons, every_reason)}")


def in_words(reasons: list[str], every_reason: bool = False) -> str:
    """The reasons in one line, at most three of them unless all are wanted."""
    shown = reasons if every_reason else reasons[:3]
    more = [f"{len(reasons) - len(shown)} more, see --why"] if len(shown) < len(reasons) else []
    return f"is stale: {'; '.join(shown + more)}" if reasons else "is up to date"


def select(profile: Profile, only: Sequence[str] = ()) -> list[Notebook]:
    """All notebooks, or those chosen by name or number.

    Raises ProfileError for unknown names, and for inputs that neither exist nor are written earlier in the selection.
    """
    names = [notebook.name for notebook in profile.notebooks]
    found = {text: [name for name in names if name == text or name.startswith(f"{text}_")] for text in only}
    if unknown := [text for text in only if not found[text]]:
        raise ProfileError([f"--only {text}: no such notebook; there are: {', '.join(names)}" for text in unknown])
    chosen = [n for n in profile.notebooks if not only or any(n.name in some for some in found.values())]
    problems = []
    for i, notebook in enumerate(chosen):
        coming = [output for earlier in chosen[:i] for output in earlier.outputs]
        for path in notebook.inputs:
            if not path.exists() and not any(overlap(path, output) for output in coming):
                first = makers(profile, path)[0].name
                problems.append(f"{notebook.name}: input {profile.shown(path)} does not exist yet: run {first} first")
    if problems:
        raise ProfileError(problems)
    return chosen


@contextmanager
def alone(profile: Profile) -> Iterator[None]:
    """Hold the run folder for this process. Raises ProfileError while another runner holds it."""
    profile.run_dir.mkdir(parents=True, exist_ok=True)
    with open(profile.run_dir / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            where = profile.shown(profile.run_dir)
            raise ProfileError([f"another run is at work in {where}: wait for it or give another run_dir"]) from None
        yield
