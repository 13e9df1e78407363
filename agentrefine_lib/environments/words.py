"""The sentences of an engine, kept as YAML beside the module that says them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml


@cache
def load_words(module: str, name: str = "thoughts") -> Any:
    """The contents of ``<name>.yaml`` beside a module's ``__file__``; no caller changes what it gets."""
    return yaml.safe_load(Path(module).with_name(f"{name}.yaml").read_text(encoding="utf-8"))
