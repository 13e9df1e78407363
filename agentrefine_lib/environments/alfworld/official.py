"""Official ALFWorld games (game.tw-pddl), where the user has them: `alfworld-download` fetches them.

Such a file carries a domain and a grammar, and TextWorld runs grammars as Python. Neither is used here: a game is
played with those of the installed alfworld package, and the file's problem and goal sentence are read as data. Games
made before alfworld 0.4 thus play in the words of 0.4: "move X to Y", no longer "put X in/on Y".
"""

import json
import re
from pathlib import Path
from typing import Any

from agentrefine_lib.environments.alfworld.games import Game

FILE = "game.tw-pddl"


def read_game(path: Path) -> Game:
    """The game of a game.tw-pddl file, or of the folder that holds one. Raises ValueError where there is none."""
    path = path / FILE if path.is_dir() else path
    data = _load(path)
    sentence = re.search(r"Your task is to: ([^\"\n]+)", str(data.get("grammar")))
    problem = data.get("pddl_problem")
    if not sentence or not isinstance(problem, str):
        raise ValueError(f"{path}: expected a pddl_problem, and a grammar with the line 'Your task is to: …'")
    return Game(problem, sentence[1])


def _load(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: no game of ALFWorld: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path}: no game of ALFWorld: expected a JSON object, found {type(data).__name__}")
    return data
