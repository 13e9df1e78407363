"""What the alfworld wheel brings along: domain, grammar, vocabulary, floor plans. Nothing is downloaded or written."""

import os
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

with patch.dict(os.environ):  # put back afterwards: alfworld sets the variable, and commands started later would see it
    os.environ.setdefault("ALFWORLD_DATA", tempfile.gettempdir())  # else the import makes a folder under ~/.cache
    import alfworld.gen
    from alfworld import ALFRED_PDDL_PATH, ALFRED_TWL2_PATH
    from alfworld.agents.utils.misc import Demangler
    from alfworld.gen import constants
    from alfworld.gen.goal_library import gdict

VERSION = f"alfworld {version('alfworld')}, textworld {version('textworld')}, grammar 0.4 (move X to Y)"
DOMAIN = Path(ALFRED_PDDL_PATH).read_text(encoding="utf-8")
GRAMMAR = Path(ALFRED_TWL2_PATH).read_text(encoding="utf-8")
LAYOUTS = Path(alfworld.gen.__file__).parent / "layouts"
GOALS: dict[str, dict[str, Any]] = gdict  # task type → "pddl" and "templates", with the slots {obj}, {recep}, {toggle}

__all__ = ["DOMAIN", "GOALS", "GRAMMAR", "LAYOUTS", "VERSION", "Demangler", "constants"]
