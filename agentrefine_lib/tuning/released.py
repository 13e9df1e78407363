"""Adapters that were trained before and lie with the repository: played in place of a training of hours."""

import hashlib
import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import BaseModel, ConfigDict
from safetensors.torch import load_file, save_file

from agentrefine_lib.schema import Conversation, atomic_write_text
from agentrefine_lib.tuning.base import SMOLLM2, load_tokenizer
from agentrefine_lib.tuning.batches import Order
from agentrefine_lib.tuning.mask import Example, Known
from agentrefine_lib.tuning.recipe import Job, describe, of_a_model
from agentrefine_lib.tuning.train import prepare, read_log

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)
CONFIG = "adapter_config.json"
FILES = (CONFIG, "job.json", "loss.csv", "README.md")
WEIGHTS = "adapter_model.safetensors"
PLAYED = "played.tar.xz"  # its episodes (rollout.released)
USE = """## Use

In a clone of the repository, where the base is found by its name:

```python
from pathlib import Path

from peft import AutoPeftModelForCausalLM

from agentrefine_lib.tuning import base_folder
from agentrefine_lib.tuning.released import place

place(Path("{adapter}"), Path("model"), base_folder("{base}"))  # with its base's tokenizer
model = AutoPeftModelForCausalLM.from_pretrained("model")
```
"""


class Release(BaseModel):
    """What lies beside a released adapter. ``ids_sha256``: of the ids and labels that it was trained on, in order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ids_sha256: str
    tokens: int  # read in training, those of conversations read twice counted twice
    trained_tokens: int  # of these, the tokens whose loss counted
    commit: str  # that made the data and trained on them
    device: str
    hours: float


def ids_hash(examples: Sequence[Example]) -> str:
    """SHA-256 of ids and labels: a renamed conversation changes nothing, another mask does."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(json.dumps([example.input_ids, example.labels]).encode() + b"\n")
    return digest.hexdigest()


def release(model: Path, conversations: Sequence[Conversation], folder: Path, **made: Any) -> Release:
    """Write a tuned adapter to ``folder`` in bfloat16 with its job, its loss log and what ``made`` says of the commit,
    device and hours. Its card is ``README.md`` of ``model``."""
    job = Job.model_validate_json((model / "job.json").read_text(encoding="utf-8"))
    examples, _ = prepare(conversations, load_tokenizer(model), job.recipe.max_tokens)
    recipe = job.recipe.over(len(examples))
    read = [examples[place] for place in Order(len(examples), recipe.train_steps * recipe.batch_size, recipe.seed)]
    said = Release(
        ids_sha256=ids_hash(examples),
        tokens=sum(len(example.input_ids) for example in read),
        trained_tokens=sum(sum(example.trained) for example in read),
        **made,
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(model / name, folder / name)
    told, _, _ = (folder / "README.md").read_text(encoding="utf-8").partition("## Use")
    atomic_write_text(folder / "README.md", told + USE.format(adapter=f"params/adapters/{folder.name}", base=job.base))
    _set_base(folder, job.base)
    weights = {name: value.to(torch.bfloat16) for name, value in load_file(model / WEIGHTS).items()}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    atomic_write_text(folder / "release.json", said.model_dump_json(indent=1) + "\n")
    return said


def weights_hash(folder: Path) -> str:
    """SHA-256 of an adapter's weights."""
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


def take(released: Path, folder: Path, base: Path | str, played: bool = False) -> "pd.DataFrame":
    """Copy a released adapter to ``folder`` with its base's tokenizer, and with its episodes if it is ``played``.

    Returns its loss log. Raises FileNotFoundError where there is none, ValueError where it was trained on another base,
    FileExistsError where ``folder`` holds one that was tuned there.
    """
    if missing := [
        name for name in (*FILES, "release.json", *([PLAYED] if played else [])) if not (released / name).exists()
    ]:
        raise FileNotFoundError(
            f"{released}: no {', '.join(missing)}; leave out `released` to tune the model, `played` to play it"
        )
    job = Job.model_validate_json((released / "job.json").read_text(encoding="utf-8"))
    now = describe(base, [], job.recipe)
    if now.base_version != job.base_version and not now.base == job.base == SMOLLM2:  # set-up has checked its weights
        told = f"{released} was trained on {job.base} ({job.base_version[:12]}), not on {now.base}"
        raise ValueError(f"{told}; tune models of your own: PROFILE=overnight, or models without `released`")
    if of_a_model(folder) and not (folder / "release.json").exists():
        raise FileExistsError(
            f"{folder} holds a model that was tuned there; take another run_dir, or delete the folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(released / "release.json", folder / "release.json")  # first: it says that the rest is no training's
    place(released, folder, base)
    (folder / PLAYED).unlink(missing_ok=True)
    if played:
        shutil.copyfile(released / PLAYED, folder / PLAYED)
    return read_log(folder)


def warn_of_other_data(
    released: Path, base: Path | str, conversations: Sequence[Conversation], known: Known | None = None
) -> None:
    """Warn where ``conversations`` have other ids or labels than a released adapter was trained on; ``known``: see
    ``encode_all``."""
    job = Job.model_validate_json((released / "job.json").read_text(encoding="utf-8"))
    said = Release.model_validate_json((released / "release.json").read_text(encoding="utf-8"))
    examples, _ = prepare(conversations, load_tokenizer(base), job.recipe.max_tokens, known)
    if said.ids_sha256 != ids_hash(examples):
        log.warning(
            "%s was trained on other ids or labels than this run makes: its data are those of commit %s",
            released,
            said.commit[:12],
        )


def place(released: Path, folder: Path, base: Path | str) -> None:
    """Copy a released adapter to ``folder``, with its base's tokenizer."""
    shutil.copytree(released, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(PLAYED))
    _set_base(folder, str(base))
    load_tokenizer(base).save_pretrained(folder)


def _set_base(folder: Path, base: str) -> None:
    """The adapter's own word for its base: a name where it is released, a path where it is played."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    atomic_write_text(folder / CONFIG, json.dumps(config | {"base_model_name_or_path": base}, indent=2) + "\n")
