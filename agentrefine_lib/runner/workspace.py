"""For a notebook opened by hand: its run folder from wherever it was started, and its inputs made when missing."""

import csv
import shutil
import tarfile
from pathlib import Path

from agentrefine_lib.runner.attempt import MAKING, execute
from agentrefine_lib.runner.parameters import declared_parameters
from agentrefine_lib.runner.profile import CHAPTERS, Entry, read_chapters

READING = "runs/reading"  # where chapters that read a run work when they are opened by hand
MODELS = "models/models.csv"
PACKED = "run.tar.xz"  # in the folder of figures: the committed run
ADAPTERS = "params/adapters"
SOURCES = ("runs/laptop", f"figures/{PACKED}", "runs/interactive")  # what it starts from: the first that is there
NOT_COPIED = shutil.ignore_patterns("checkpoint-*", "notebooks", "book", "figures", ".*")


def repository() -> Path:
    """The checkout that the package lies in; where it lies in none, the current folder."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() else Path.cwd()


def workspace(run_dir: str, root: Path | None = None) -> Path:
    """The folder of that name in the repository, made if missing: the same from JupyterLab and from the runner.

    READING starts as a copy of the first of SOURCES that has models, and a line says so.
    """
    root = root or repository()
    folder, reading = root / run_dir, root / READING
    made = next((name for name in SOURCES if (root / name).is_file() or (root / name / MODELS).exists()), "")
    if made and folder.is_relative_to(reading) and not reading.exists():
        part = reading.with_name("reading.part")
        shutil.rmtree(part, ignore_errors=True)
        if (root / made).is_file():
            unpack(root / made, part, root)
        else:
            shutil.copytree(root / made, part, ignore=NOT_COPIED)
        part.rename(reading)
        print(f"{READING} starts as a copy of {made}; delete it to start from a newer one", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def unpack(packed: Path, folder: Path, root: Path) -> None:
    """A packed run as a run folder, with the released adapters as its models."""
    from agentrefine_lib.tuning.base import base_folder
    from agentrefine_lib.tuning.released import place

    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    with open(folder / MODELS, encoding="utf-8", newline="") as table:
        models = {row["policy"]: row["base"] for row in csv.DictReader(table)}
    for policy, base in models.items():
        if (released := root / ADAPTERS / policy).exists():
            place(released, folder / "models" / policy, base_folder(base))


def upstream(*paths: Path, root: Path | None = None) -> None:
    """Make the inputs that are missing by running the notebooks that write them, with their own defaults.

    Which one that is stands in params/notebooks.yaml; it works in the same run folder, or figures folder, as the path.
    One that was stopped, or failed, while it made them leaves a mark, and goes on the next time.
    Raises FileNotFoundError for a path that no notebook writes, or that is not in a folder which one has written,
    NotebookFailedError when the notebook fails.
    """
    root = root or repository()
    for path in paths:
        try:
            entry, folder, place, output = maker(root / path, root)
        except FileNotFoundError:
            if path.exists():
                continue
            raise
        source = root / "notebooks" / f"{entry.name}.ipynb"
        declared = declared_parameters(source, [])
        shown = str(place.relative_to(root)) if place.is_relative_to(root) else str(place)
        run_dir = root / (shown if folder == "run_dir" else declared["run_dir"].default)
        mark = run_dir / MAKING / entry.name
        if not path.exists() and output.is_dir() and not mark.exists():  # its defaults would write over what is there
            there = ", ".join(sorted(file.name for file in output.iterdir()))
            raise FileNotFoundError(f"{path}: {entry.name} made only {there}; run it with values that make this, too")
        if not path.exists() or mark.exists():
            found = "was left half-made" if path.exists() else "is missing"
            print(f"{path.name} {found}: running {entry.name} with its defaults to make it …", flush=True)
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
            execute(source, run_dir / "notebooks" / source.name, {folder: shown}, root)
            mark.unlink(missing_ok=True)
            if not path.exists():
                raise FileNotFoundError(f"{path} is missing, and {entry.name} did not write it")


def maker(path: Path, root: Path) -> tuple[Entry, str, Path, Path]:
    """The notebook that declares the path as its output, which of run_dir and figures_dir has which place, and that
    output, a file or a folder with the path."""
    for entry in read_chapters(root):
        for output in entry.outputs:
            folder, _, rest = output.removeprefix("{").partition("}/")
            parts = Path(rest).parts
            for candidate in (path, *path.parents) if folder in ("run_dir", "figures_dir") else ():
                if candidate.parts[-len(parts) :] == parts:
                    return entry, folder, candidate.parents[len(parts) - 1], candidate
    raise FileNotFoundError(f"{path} is missing, and no notebook of params/{CHAPTERS} writes it")
