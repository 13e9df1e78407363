"""Where a progress bar that stays on the page is written."""

import sys
from typing import TextIO


def bar_stream() -> TextIO:
    """Standard output in a notebook, since JupyterLab prints standard error on red; elsewhere standard error."""
    return sys.stdout if "ipykernel" in sys.modules else sys.stderr
