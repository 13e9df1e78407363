"""The sentences of an engine, kept as YAML beside the modules that say them."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml


@cache
def load_words(module: str) -> Any:
    """The contents of wording.yaml beside a module's ``__file__``; no caller changes what it gets."""
    return yaml.safe_load(Path(module).with_name("wording.yaml").read_text(encoding="utf-8"))
