"""Episodes that are released with a model: a run takes them where it would have played the same ones."""

import json
import logging
import re
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict

from agentrefine_lib.schema import Episode, Task, atomic_write, atomic_write_text, write_archive
from agentrefine_lib.schema.settings import changed_settings, read_settings
from agentrefine_lib.tuning.released import PLAYED, weights_hash

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)
FOLDERS = ("episodes", "ladder", "perturbed", "mended", "questions")  # of a run: what models play in step
ABOUT = "played.json"
TAKEN = "taken.json"  # in a folder of a run: the models whose episodes were taken, with their commit and processor
MEMBER = re.compile(rf"({'|'.join(FOLDERS)})(/[\w-]+)*/[\w-]+\.jsonl")
COLUMNS = ["policy", "folder", "episodes", "commit", "processor"]


class Played(BaseModel):
    """What lies beside the episodes in their archive; ``settings``: folder → what its episodes were played with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights_sha256: str  # of the adapter that played
    commit: str
    processor: str  # on another kind replies may differ
    settings: dict[str, dict[str, Any]]


def release_episodes(run: Path, policy: str, released: Path, commit: str, processor: str) -> Path:
    """Write all episodes of a run's model beside its released adapter, the same bytes for the same episodes.

    Raises FileNotFoundError where the run has none of it.
    """
    paths = {folder: sorted((run / folder).rglob(f"{policy}.jsonl")) for folder in FOLDERS}
    if not any(paths.values()):
        raise FileNotFoundError(f"{run}: no episodes of {policy}; play chapters 04, 05 and 08 first")
    about = Played(
        weights_sha256=weights_hash(released),
        commit=commit,
        processor=processor,
        settings={folder: read_settings(run / folder) for folder, found in paths.items() if found},
    )
    files = {ABOUT: about.model_dump_json(indent=1).encode()}
    files |= {path.relative_to(run).as_posix(): path.read_bytes() for found in paths.values() for path in found}
    write_archive(released / PLAYED, files)
    return released / PLAYED


def take_episodes(run: Path, tasks: Sequence[Task], *folders: Path) -> "pd.DataFrame":
    """Put the released episodes of a run's models into its folders, where they aren't; returns a row per file of them.

    Only those of ``tasks`` are taken, and only where the folder's settings (``keep_settings``) are those they were
    played with; a warning says where they aren't. What is missing then is played. Each folder keeps a list (TAKEN).
    Columns: policy, folder, episodes,
    commit, processor. Raises ValueError for an archive that is not the adapter's.
    """
    import pandas as pd  # here: models play without it

    rows, wanted = [], {task.id for task in tasks}
    archives = {path.parent.name: read_archive(path) for path in sorted((run / "models").glob(f"*/{PLAYED}"))}
    for policy, (about, files) in archives.items():
        for name, data in files.items():
            path = run / name
            folder = next((folder for folder in folders if path.is_relative_to(folder)), None)
            if not folder:
                continue
            lines = [line for line in data.splitlines(keepends=True) if _task(line) in wanted]
            if lines and _fits(about, folder, policy) and _is_there(path, b"".join(lines)):
                rows.append([path.stem, name.rpartition("/")[0], len(lines), about.commit[:7], about.processor])
    for folder in folders:
        mine = [row for row in rows if str(row[1]).partition("/")[0] == folder.name]
        if mine:
            told = {policy: {"commit": commit, "processor": processor} for policy, _, _, commit, processor in mine}
            atomic_write_text(folder / TAKEN, json.dumps(told, indent=1) + "\n")
    return pd.DataFrame(rows, columns=COLUMNS)


def read_archive(archive: Path) -> tuple[Played, Mapping[str, bytes]]:
    """What is said of the episodes, and each file of them. Raises ValueError where they are another model's."""
    with tarfile.open(archive) as opened:
        read = {m.name: cast(IO[bytes], opened.extractfile(m)).read() for m in opened if m.isfile()}
    about = Played.model_validate_json(read[ABOUT])
    if about.weights_sha256 != (found := weights_hash(archive.parent)):
        told = f"{archive}: played by weights {about.weights_sha256[:12]}, and those beside it are {found[:12]}"
        raise ValueError(f"{told}; delete the archive, so that the model plays anew")
    return about, {name: data for name, data in read.items() if MEMBER.fullmatch(name)}


def _task(line: bytes) -> str:
    return Episode.model_validate_json(line).task.id


def _fits(about: Played, folder: Path, policy: str) -> bool:
    """Whether a folder's episodes are played with what these were played with."""
    if told := changed_settings(about.settings[folder.name], read_settings(folder)):
        log.warning("%s: %s were played with %s; they are played anew", policy, folder.name, told)
    return not told


def _is_there(path: Path, episodes: bytes) -> bool:
    """Write a file of episodes where there is none; whether the file that is there begins with them."""
    if not path.exists():
        with atomic_write(path) as part:
            part.write_bytes(episodes)
    return path.read_bytes().startswith(episodes)
