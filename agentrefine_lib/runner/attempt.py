"""One notebook: executed in a fresh kernel, and accepted only when it wrote the outputs that it declares."""

import logging
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentrefine_lib.runner.fingerprint import Digests, State, Verdict, files_in
from agentrefine_lib.runner.manifest import git_state
from agentrefine_lib.runner.profile import Notebook, Profile
from agentrefine_lib.runner.sections import nested

MAKING = ".making"  # in run_dir: the names of notebooks that ``upstream`` began, and that did not come to their end


class NotebookFailedError(Exception):
    """A notebook stopped with an error or did not write what it declares; the message says where to look."""


def attempt(notebook: Notebook, profile: Profile, digests: Digests, verdict: Verdict) -> State:
    """Execute one notebook and check its outputs. The state on disk tells at any moment how far it came."""
    executed = profile.run_dir / "notebooks" / notebook.source.name
    if not verdict.resumable:
        set_aside([*notebook.outputs, executed, State.file(profile, notebook)], profile)
    commit, dirty = git_state(profile.root, profile.run_dir, profile.figures_dir)
    before, began = stamps(notebook), time.monotonic()
    state = State(
        status="running",
        fingerprint=verdict.now,
        given=notebook.given,
        defaulted=notebook.defaulted,
        commit=commit,
        dirty=dirty,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        resumed=any(path.exists() for path in notebook.outputs if not path.is_relative_to(profile.figures_dir)),
        kept=verdict.kept,
    )
    state.save(profile, notebook)
    state.status = "failed"
    try:
        execute(notebook.source, executed, notebook.given, profile.root)
        refuse_unwritten(notebook, profile, before, state.resumed)
        state.status, state.outputs = "done", digests.of_all(notebook.outputs)
        (profile.run_dir / MAKING / notebook.name).unlink(missing_ok=True)
    except NotebookFailedError as error:
        where = f"executed notebook: {profile.shown(executed)}"
        raise NotebookFailedError(f"{notebook.name} failed: {error}\n{where}") from None
    except KeyboardInterrupt:
        state.status = "running"
        raise
    finally:
        state.wall_s = round(time.monotonic() - began, 1)
        state.save(profile, notebook)
    return state


def set_aside(paths: Sequence[Path], profile: Profile) -> None:
    """Move what belongs to an earlier attempt out of the way; nothing is lost. Figures stay and are overwritten."""
    folder = profile.run_dir / ".superseded" / datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    for path in paths:
        inside = path.is_relative_to(profile.run_dir) and not path.is_relative_to(profile.figures_dir)
        if path.exists() and inside:
            target = folder / path.relative_to(profile.run_dir)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
    if folder.exists():
        print(f"    what an earlier attempt wrote is now in {profile.shown(folder)}", flush=True)


def execute(source: Path, executed: Path, values: dict[str, Any], root: Path) -> None:
    """Run one notebook with papermill in a fresh kernel; what the cells print goes to this process's terminal.

    Raises NotebookFailedError with the cell, the error and the end of its traceback.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError, strip_color

    os.environ.setdefault("OMP_NUM_THREADS", "1")  # on few noisy cores one thread in each process is faster, measured
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if os.environ["HF_HUB_OFFLINE"] == "1":  # no bar for every reading of weights; downloads keep theirs
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ["PYTHONHASHSEED"] = "0"
    logging.getLogger("papermill").setLevel(logging.ERROR)  # it takes `x: int | None` for an unknown name, and warns
    executed.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            source,
            executed,
            nested(values),
            kernel_name="python3",
            language="python",
            cwd=root,
            progress_bar=sys.stderr.isatty(),
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
            request_save_on_cell_execute=True,
            coalesce_streams=True,  # of a progress bar, the notebook keeps the last state
            extra_arguments=["--log-level=CRITICAL"],  # or each kernel warns of plain TCP, and of being told to end
        )
    except PapermillExecutionError as error:
        tail = "\n".join(strip_color("\n".join(error.traceback)).splitlines()[-12:])
        raise NotebookFailedError(f"cell In [{error.exec_count}]: {error.ename}: {error.evalue}\n{tail}") from None
    except RuntimeError as error:  # the kernel did not start, or died: DeadKernelError is a RuntimeError
        raise NotebookFailedError(f"the kernel died, perhaps out of memory: {error}") from None


def stamps(notebook: Notebook) -> dict[Path, list[int]]:
    """When the files of each output were last written; nothing where there is none. No clock is asked: it may jump."""
    return {
        path: [file.stat().st_mtime_ns for file in (path, *files_in(path)) if file.exists()]
        for path in notebook.outputs
    }


def refuse_unwritten(
    notebook: Notebook, profile: Profile, before: dict[Path, list[int]], resumed: bool = False
) -> None:
    """Raise NotebookFailedError for outputs that are missing, or as they were ``before``.

    But not for data that an attempt which was ``resumed`` found whole: figures are drawn anew, data are not made again.
    """
    problems = []
    for path, now in stamps(notebook).items():
        whole = resumed and not path.is_relative_to(profile.figures_dir)
        if not now or (now == before[path] and not whole):
            problems.append(f"output {profile.shown(path)} was {'left untouched' if now else 'not written'}")
    if problems:
        raise NotebookFailedError("it ran to its end, but " + "; ".join(problems))
