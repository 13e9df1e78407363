"""A process of a distributed training, see ``launch``: ``python -m agentrefine_lib.tuning BASE DATA FOLDER RECIPE``."""

import argparse
import os
from pathlib import Path

from agentrefine_lib.schema import Conversation, read_jsonl
from agentrefine_lib.tuning import Recipe
from agentrefine_lib.tuning.train import train

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="tuning", description="A process of a distributed training.")
    parser.add_argument("base", help="the model that is tuned: a folder or a hub name")
    parser.add_argument("data", help="conversations, JSONL")
    parser.add_argument("folder", type=Path, help="where the tuned model goes")
    parser.add_argument("recipe", type=Path, help="tuning.Recipe as JSON")
    asked = parser.parse_args()
    if os.environ.get("RANK", "0") == "0":
        print(f"tunes {asked.base} on {asked.data} by {asked.recipe}; writes to {asked.folder}", flush=True)
    recipe = Recipe.model_validate_json(asked.recipe.read_text(encoding="utf-8"))
    train(asked.base, list(read_jsonl(asked.data, Conversation)), asked.folder, recipe)
