"""Official ALFWorld games (game.tw-pddl), where the user has them: `alfworld-download` fetches them.

Such a file carries a domain and a grammar, and TextWorld runs grammars as Python. Neither is used here: a game is
played with those of the installed alfworld package, and the file's problem and goal sentence are read as data. Games
made before alfworld 0.4 thus play in the words of 0.4: "move X to Y", no longer "put X in/on Y".
"""

import re
from pathlib import Path

from pydantic import BaseModel

from agentrefine_lib.environments.alfworld.games import Game

FILE = "game.tw-pddl"


class _File(BaseModel):
    pddl_problem: str
    grammar: str


def read_game(path: Path) -> Game:
    """The game of a game.tw-pddl file, or of the folder that holds one. Raises ValueError where there is none."""
    path = path / FILE if path.is_dir() else path
    try:
        data = _File.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: no game of ALFWorld: {error}") from error
    sentence = re.search(r"Your task is to: ([^\"\n]+)", data.grammar)
    if not sentence:
        raise ValueError(f"{path}: expected a grammar with the line 'Your task is to: …'")
    return Game(data.pddl_problem, sentence[1])
