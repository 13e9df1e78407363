"""Questions for the next step: the answer can be found in what was told, and is the step that is needed."""

import random
import re

from agentrefine_lib.tuning.pretraining.decisions import Stand, step_towards, write_decisions
from agentrefine_lib.tuning.pretraining.scene import Command, Scene


def scene(told: list[str]) -> Scene:
    """A hall between a yard and a loft; a cup on a rack in the hall, a rope in a closed bin in the yard."""
    drawn = Scene(random.Random(0), told=told)
    drawn.ways = {"yard": ["hall"], "hall": ["yard", "loft"], "loft": ["hall"]}
    drawn.room_of = {"bin": "yard", "rack": "hall", "shelf": "loft"}
    drawn.at, drawn.state = {"cup": "rack", "rope": "bin"}, {"bin": "closed"}
    spelled = {
        "go": "{v} to {place}",
        "take": "{v} {item} from {store}",
        "put": "{v} {item} in {store}",
        "open": "{v} {store}",
    }
    drawn.commands = {operation: Command(operation, operation, shape) for operation, shape in spelled.items()}
    return drawn


def next_command(told: list[str], here: str, item: str, target: str, held: bool = False) -> str:
    drawn = scene(told)
    _, operation, names = step_towards(Stand(drawn, here, item if held else ""), item, target, "put", "")
    return drawn.commands[operation].fill(**{"item": "", "store": "", "place": ""} | names)


def test_the_step_is_the_one_that_is_needed():
    everywhere = ["yard", "hall", "loft"]
    assert next_command(everywhere, "hall", "cup", "shelf") == "take cup from rack"
    assert next_command(everywhere, "yard", "cup", "shelf") == "go to hall"
    assert next_command(everywhere, "hall", "cup", "shelf", held=True) == "go to loft"
    assert next_command(everywhere, "loft", "cup", "shelf", held=True) == "put cup in shelf"
    assert next_command(everywhere, "yard", "cup", "shelf", held=True) == "go to hall"  # the loft is behind it
    assert next_command(everywhere, "yard", "cup", "bin", held=True) == "open bin"
    assert next_command(everywhere, "yard", "rope", "rack") == "open bin"  # it may be in there
    assert next_command(["yard"], "yard", "cup", "shelf") == "open bin"  # so may the cup
    assert next_command(["yard"], "yard", "cup", "shelf", held=True) == "go to hall"  # the shelf is not seen yet


def test_every_name_in_an_answer_was_told_before():
    for seed in range(300):
        told = ""
        for message in write_decisions(random.Random(seed), 12):
            if message["role"] == "assistant":
                words = set(re.findall(r"[\w./-]+", message["content"].splitlines()[-1].partition(": ")[2]))
                assert not [word for word in words - {"nothing", "and"} if word not in told], seed
            else:
                told += message["content"]


def test_nothing_is_asked_where_nothing_is_left_to_do():
    drawn = scene(["yard", "hall", "loft"])
    assert step_towards(Stand(drawn, "hall", "cup"), "cup", "rack", "put", "") is None  # it is there already
