"""``python -m agentrefine_lib.tuning BASE DATA FOLDER RECIPE``: a process of a distributed training, see ``launch``."""

import os
import sys
from pathlib import Path

from agentrefine_lib.schema import Conversation, read_jsonl
from agentrefine_lib.tuning import Recipe
from agentrefine_lib.tuning.train import train

if __name__ == "__main__":
    base, data, folder, recipe_file = sys.argv[1:]
    if os.environ.get("RANK", "0") == "0":
        print(f"tunes {base} on {data} by {recipe_file}; writes to {folder}", flush=True)
    train(
        base,
        list(read_jsonl(data, Conversation)),
        Path(folder),
        Recipe.model_validate_json(Path(recipe_file).read_text(encoding="utf-8")),
    )
