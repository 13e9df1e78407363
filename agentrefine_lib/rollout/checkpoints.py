"""Which checkpoint of a model is kept: the one that plays best on tasks for development."""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from agentrefine_lib.agent import Prompts
from agentrefine_lib.environments import panel, playable
from agentrefine_lib.policies import Decoding, LocalPolicy
from agentrefine_lib.rollout.loop import Limits, roll_out
from agentrefine_lib.schema import Episode, Section, atomic_write, read_jsonl

if TYPE_CHECKING:
    import pandas as pd

WEIGHTS = ("*.safetensors", "*.safetensors.index.json")


class Selection(Section):
    """How a checkpoint is chosen: the section ``selection`` of chapter 3."""

    panel: dict[str, dict[str, list[int]]]  # tasks for development, none of the evaluation's
    prompts: Prompts = Prompts()
    decoding: Decoding = Decoding()
    limits: Limits = Limits()


async def keep_best(folder: Path, how: Selection, root: Path) -> pd.DataFrame:
    """Play every checkpoint in a tuned model's folder and put the best one's weights in the place of the last one's.

    Best has the highest mean of success and progress over the tasks; of equals the later. Episodes and the table that
    is returned (step, success, progress, kept) stay in ``folder/selection``, the checkpoints go. A run that was stopped
    continues; one that was finished is read. ``root``: where the folder of examples counts from.
    """
    import pandas as pd

    told = folder / "selection" / "selection.csv"
    if told.exists():
        return pd.read_csv(told)
    tasks, rows = playable(panel(how.panel)), []
    for checkpoint in folder.glob("checkpoint-*"):
        for file in [*folder.glob("tokenizer*"), *folder.glob("chat_template*")]:
            shutil.copyfile(file, checkpoint / file.name)
        reads = {"prompting": how.prompts.prompting(root), **how.decoding.model_dump()}
        policy = LocalPolicy(checkpoint, checkpoint.name, **reads)
        path = await roll_out(policy, tasks, folder / "selection" / f"{checkpoint.name}.jsonl", how.limits)
        played = list(read_jsonl(path, Episode))
        scores = fmean(e.success for e in played), fmean(e.progress for e in played)
        rows.append((int(checkpoint.name.split("-")[1]), *scores))
    table = pd.DataFrame(sorted(rows), columns=["step", "success", "progress"])
    best = max(rows, key=lambda row: (row[1] + row[2], row[0]))[0]
    for file in (file for pattern in WEIGHTS for file in (folder / f"checkpoint-{best}").glob(pattern)):
        shutil.copyfile(file, folder / file.name)
    table = table.assign(kept=table["step"] == best)
    with atomic_write(told) as part:
        table.to_csv(part, index=False)
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)
    return table
