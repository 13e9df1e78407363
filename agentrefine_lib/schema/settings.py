"""What a folder of a run was made with, kept in it."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentrefine_lib.schema.jsonl import atomic_write_text

log = logging.getLogger(__name__)
SETTINGS = "settings.json"


def keep_settings(settings: Mapping[str, Any], *folders: Path) -> None:
    """Write the settings into each folder; warn where what is in it was made with others, and leave it as it is.

    What is on disk counts as finished by its ids alone. The runner sets old outputs aside when a value changes; a
    chapter that is opened by hand goes on from them.
    """
    now = json.loads(json.dumps(settings))  # as a file has them
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / SETTINGS
        if not file.exists() or not any(f.is_dir() or f.stat().st_size for f in folder.iterdir() if f != file):
            atomic_write_text(file, json.dumps(now, indent=1) + "\n")
            continue
        if told := changed_settings(read_settings(folder), now):
            log.warning("%s: made with %s. What is there stays; delete the folder to make it anew", folder, told)


def read_settings(folder: Path) -> dict[str, Any]:
    """What ``keep_settings`` has written into a folder."""
    return json.loads((folder / SETTINGS).read_text(encoding="utf-8"))


def changed_settings(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Which settings differ, in words; "" where none does."""
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    return "; ".join(f"{name}={then.get(name)}, now {now.get(name)}" for name in names)
