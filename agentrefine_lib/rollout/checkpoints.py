"""The checkpoints of a training at play: the one that plays best is kept; one task at each of them."""

import shutil
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from agentrefine_lib.agent import Prompts
from agentrefine_lib.environments import panel, playable
from agentrefine_lib.policies import Decoding, LocalPolicy
from agentrefine_lib.policies.vllm import stop_vllm
from agentrefine_lib.rollout.loop import Limits, all_played, roll_out
from agentrefine_lib.schema import Episode, Section, Task, atomic_write, read_jsonl

if TYPE_CHECKING:
    import pandas as pd

WEIGHTS = ("*.safetensors", "*.safetensors.index.json")


class Selection(Section):
    """How a checkpoint is chosen: the section ``selection`` of chapter 3."""

    panel: dict[str, dict[str, list[int]]]  # tasks for development, none of the evaluation's
    prompts: Prompts = Prompts()
    decoding: Decoding = Decoding()
    limits: Limits = Limits()
    device: str = "auto"  # what plays; see policies.generation.pick_device


def kept_checkpoints(folder: Path) -> dict[int, Path]:
    """Step → checkpoint in a tuned model's folder, in order, each with the tokenizer that training leaves out of it."""
    found = {int(path.name.partition("-")[2]): path for path in folder.glob("checkpoint-*")}
    for path in found.values():
        for file in [*folder.glob("tokenizer*"), *folder.glob("chat_template*")]:
            shutil.copyfile(file, path / file.name)
    return dict(sorted(found.items()))


async def replay(base: Path | str, model: Path, task: Task, folder: Path, limits: Limits, **how: Any) -> list[Episode]:
    """Let the base and each checkpoint in a tuned model's folder play the same task.

    Returns an episode each, in order. They go to ``folder``, and what was played is not played again; ``how`` goes to
    ``LocalPolicy``.
    """
    episodes = list[Episode]()
    try:
        for step, place in {0: base, **kept_checkpoints(model)}.items():
            path = folder / f"step-{step}.jsonl"
            if not all_played(path, [task]):
                await roll_out(LocalPolicy(place, f"step-{step}" if step else "untuned", **how), [task], path, limits)
            episodes += [episode for episode in read_jsonl(path, Episode) if episode.task.id == task.id]
    finally:
        stop_vllm()
    return episodes


async def keep_best(folder: Path, how: Selection, root: Path) -> "pd.DataFrame":
    """Play every checkpoint in a tuned model's folder and put the best one's weights in the place of the last one's.

    Best has the highest mean of success and progress over the tasks; of equals the later. Episodes and the table that
    is returned (step, success, progress, kept) stay in ``folder/selection``, the checkpoints go. A run that was stopped
    continues; one that was finished is read. ``root``: where the folder of examples counts from. Raises ValueError
    where no checkpoint was kept.
    """
    import pandas as pd

    told = folder / "selection" / "selection.csv"
    if told.exists():
        _remove_checkpoints(folder)  # a kill may have left some
        return pd.read_csv(told)
    tasks, rows, kept = playable(panel(how.panel)), [], kept_checkpoints(folder)
    if not kept:
        mend = "leave out `selection`, or tune the model instead of taking a released one, which has none"
        raise ValueError(f"selection: {folder.name} has no checkpoint to choose from; {mend}")
    wanted = {task.id for task in tasks}
    try:
        for step, checkpoint in kept.items():
            reads = {"prompting": how.prompts.prompting(root), "device": how.device, **how.decoding.model_dump()}
            policy = LocalPolicy(checkpoint, checkpoint.name, **reads)
            path = await roll_out(policy, tasks, folder / "selection" / f"{checkpoint.name}.jsonl", how.limits)
            played = [e for e in read_jsonl(path, Episode) if e.task.id in wanted]  # the panel may have changed
            rows.append((step, fmean(e.success for e in played), fmean(e.progress for e in played)))
    finally:
        stop_vllm()  # what comes next in this kernel may need the card
    table = pd.DataFrame(rows, columns=["step", "success", "progress"])
    best = max(rows, key=lambda row: (row[1] + row[2], row[0]))[0]
    for file in (file for pattern in WEIGHTS for file in (folder / f"checkpoint-{best}").glob(pattern)):
        with atomic_write(folder / file.name) as part:
            shutil.copyfile(file, part)
    table = table.assign(kept=table["step"] == best)
    with atomic_write(told) as part:
        table.to_csv(part, index=False)
    _remove_checkpoints(folder)
    return table


def _remove_checkpoints(folder: Path) -> None:
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)
