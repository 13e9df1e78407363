"""Training in several processes: the job goes to files, ``accelerate launch`` runs it, its output is passed on."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from agentrefine_lib.schema import Conversation, write_jsonl
from agentrefine_lib.tuning.recipe import Recipe, claim, describe
from agentrefine_lib.tuning.train import read_log, tune

if TYPE_CHECKING:
    import pandas as pd

# what glibc and PyTorch read when a process starts: large blocks are kept, and lie in huge pages; on a processor a step
# then takes three quarters of the time (LOG.md)
KEPT_MEMORY = {
    "THP_MEM_ALLOC_ENABLE": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
    "MALLOC_TOP_PAD_": str(2**28),
}


def launch(
    base: Path | str,
    conversations: Sequence[Conversation],
    folder: Path,
    recipe: Recipe,
    accelerate_config: str | None = None,
) -> "pd.DataFrame":
    """``tune``, in the processes that an accelerate configuration describes; without one, in this process.

    The configurations of this suite are ``params/accelerate/*.yaml``. Every process must see ``folder``. The output of
    the processes appears here as they write it. Raises RuntimeError with its end when they fail.
    """
    if not accelerate_config or (folder / "loss.csv").exists():
        return tune(base, conversations, folder, recipe)
    if not Path(accelerate_config).is_file():
        told = "expected a file like those in params/accelerate/, or none to train in this process"
        raise FileNotFoundError(f"accelerate_config: {Path(accelerate_config).absolute()} does not exist; {told}")
    claim(folder, describe(base, conversations, recipe))
    data, recipe_file = folder / "conversations.jsonl", folder / "recipe.json"
    write_jsonl(data, conversations)
    recipe_file.write_text(recipe.model_dump_json(indent=1), encoding="utf-8")
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", accelerate_config]
    command += ["--main_process_port", "0", "-m", "agentrefine_lib.tuning"]  # a free port
    processors_only = yaml.safe_load(Path(accelerate_config).read_text(encoding="utf-8")).get("use_cpu")
    # accelerate's own CPU launcher wants MPI; its GPU launcher starts processes that this variable keeps off the GPUs
    environment = {"ACCELERATE_USE_CPU": "true"} if processors_only else {}
    _stream([*command, str(base), str(data), str(folder), str(recipe_file)], environment)
    data.unlink()
    recipe_file.unlink()
    return read_log(folder)


def _stream(command: list[str], environment: dict[str, str]) -> None:
    """Run a command and print what it prints, progress bars included; end it when this cell is interrupted."""
    environment = {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"} | KEPT_MEMORY | os.environ | environment
    tail = b""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    assert process.stdout is not None
    try:
        while chunk := process.stdout.read1(65_536):  # type: ignore[attr-defined]
            tail = (tail + chunk)[-4_000:]
            print(chunk.decode(errors="replace"), end="", flush=True)
        code = process.wait()
    finally:
        process.terminate()  # accelerate ends its workers; nothing happens where it has ended already
        process.wait()  # until then the folder is locked, and the card's memory taken
        process.stdout.close()
    if code:
        told = f"training ended with exit code {code}; run this again to continue from what is kept"
        raise RuntimeError(f"{told}.\n{' '.join(command)}\n…{tail.decode(errors='replace')}")
