"""Runs the notebooks of a profile in order and skips what is up to date."""

import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from threading import Thread
from typing import Any, TextIO

from agentrefine_lib.runner.attempt import NotebookFailedError, attempt
from agentrefine_lib.runner.fingerprint import Digests, State, Verdict, judge
from agentrefine_lib.runner.manifest import write_manifest
from agentrefine_lib.runner.profile import Notebook, Profile, ProfileError, makers, overlap
from agentrefine_lib.schema import file_lock

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["papermill"])  # it takes a second to import: once for all


def run(profile: Profile, only: Sequence[str] = (), force: bool = False, keep: bool = False, jobs: int = 1) -> Path:
    """Run what is stale, ``jobs`` notebooks at a time, then write the manifest, whose path is returned.

    ``keep``: go on from the outputs that are there, whatever changed since; the manifest says what.
    Raises ProfileError before anything runs, SchemaError while another runner holds the run folder, NotebookFailedError
    at the first notebook that fails.
    """
    chosen = select(profile, only)
    profile.run_dir.mkdir(parents=True, exist_ok=True)
    with file_lock(profile.run_dir / ".lock"):
        where = " and ".join(profile.shown(folder) for folder in (profile.run_dir, profile.figures_dir))
        order = "in order" if jobs == 1 else f"{jobs} at a time"
        print(f"{profile.name}: runs what is stale of {len(chosen)} notebooks, {order}; writes to {where}", flush=True)
        _Run(profile, chosen, force, keep, jobs).all()
        return write_manifest(profile)


class Attempt:
    """A chapter that runs. ``over`` can be waited for by ``multiprocessing.connection.wait``."""

    def __init__(self, notebook: Notebook, profile: Profile, verdict: Verdict) -> None:
        self.notebook = notebook
        self.over, theirs = PROCESSES.Pipe(duplex=False)  # an answer, or the end of a process that gave none
        self._process = PROCESSES.Process(target=_attempt, args=(notebook, profile, verdict, theirs))
        self._process.start()
        theirs.close()

    def result(self) -> State:
        """How it ended. Raises what the attempt raised."""
        try:
            told = self.over.recv()
        except EOFError:
            raise NotebookFailedError(f"{self.notebook.name} failed: its process died, perhaps out of memory") from None
        if isinstance(told, BaseException):
            raise told
        return State.model_validate(told)

    def interrupt(self) -> None:
        """End it as ^C would, its kernel, too."""
        if self._process.is_alive() and self._process.pid:
            os.kill(self._process.pid, signal.SIGINT)

    def join(self) -> None:
        """Wait until it is over, however it ended; its answer is no longer wanted."""
        self.over.close()  # or one that fills the pipe would wait to be read, and this for it
        self._process.join()


class _Run:
    """The notebooks that wait and those that run. With one job there is no process but this one, and its kernel."""

    def __init__(self, profile: Profile, chosen: list[Notebook], force: bool, keep: bool, jobs: int) -> None:
        self.profile, self.force, self.keep, self.jobs = profile, force, keep, jobs
        self.steps = {one.name: f"[{number}/{len(chosen)}] {one.name}" for number, one in enumerate(chosen, start=1)}
        self.digests, self.chosen, self.waiting = Digests(profile), chosen, list(chosen)
        self.running, self.failures = list[Attempt](), list[NotebookFailedError]()

    def all(self) -> None:
        """Run them. One that fails lets those beside it go on to their end, and no other begin."""
        try:
            while (notebook := self.next()) or self.running:
                if notebook:
                    self.begin(notebook)
                    continue
                over = wait([one.over for one in self.running])
                for one in [one for one in self.running if one.over in over]:
                    self.end(one)
        except BaseException:
            for one in self.running:
                one.interrupt()
            for one in self.running:
                one.join()
            raise
        if self.failures:
            raise self.failures[0]

    def next(self) -> Notebook | None:
        """The first notebook that needs nothing of those before it that are not over; None where no job is free, or one
        has failed."""
        if self.failures or len(self.running) == self.jobs:
            return None
        not_over = list[Notebook]()
        for one in self.chosen:
            needed = [maker for path in one.inputs for maker in makers(self.profile, path)]
            if one in self.waiting and not any(maker in not_over for maker in needed):
                return one
            if one in self.waiting or any(one == other.notebook for other in self.running):
                not_over.append(one)
        return None

    def begin(self, notebook: Notebook) -> None:
        self.waiting.remove(notebook)
        verdict = judge(notebook, self.profile, self.digests, self.force, self.keep)
        print(f"{self.steps[notebook.name]} {in_words(verdict.reasons)}", flush=True)
        self.digests.save()
        if verdict.reasons and self.jobs > 1:
            self.running.append(Attempt(notebook, self.profile, verdict))
        elif verdict.reasons:
            self.tell(notebook, attempt(notebook, self.profile, self.digests, verdict))

    def end(self, one: Attempt) -> None:
        self.running.remove(one)
        try:
            self.tell(one.notebook, one.result())
        except NotebookFailedError as failure:
            self.failures.append(failure)

    def tell(self, notebook: Notebook, state: State) -> None:
        print(f"{self.steps[notebook.name]} done in {state.wall_s:.1f} s", flush=True)
        self.digests.save()


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
    names, only = [notebook.name for notebook in profile.notebooks], ",".join(only).replace(",", " ").split()
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


def _attempt(notebook: Notebook, profile: Profile, verdict: Verdict, answer: Connection) -> None:
    os.setpgrp()  # ^C in a terminal reaches the runner alone, which passes it on once
    signal.signal(signal.SIGINT, signal.default_int_handler)
    Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    tag = f"{notebook.name.partition('_')[0]} | "
    sys.stdout, sys.stderr = Tagged(sys.stdout, tag), Tagged(sys.stderr, tag)
    try:
        answer.send(attempt(notebook, profile, Digests(profile), verdict))
    except (Exception, KeyboardInterrupt) as error:
        with suppress(OSError):  # a runner that was interrupted does not listen any more
            answer.send(error)


def _end_with(runner: Any) -> None:
    """A runner that is killed takes its chapters along; their kernels end by themselves."""
    runner.join()
    os._exit(1)


class Tagged:
    """A stream in which each line begins with the chapter that wrote it; a progress bar's states are lines, too."""

    def __init__(self, stream: TextIO, tag: str) -> None:
        self._stream, self._tag, self._begins = stream, tag, True

    def write(self, text: str) -> None:
        lines = [line for line in re.split(r"(?<=[\r\n])", text) if line]
        for line in lines:
            blank = not line.strip("\r\n")
            self._stream.write(line if blank or not self._begins else self._tag + line)
            self._begins = line[-1] in "\r\n"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
