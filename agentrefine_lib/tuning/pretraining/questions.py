"""Questions about a scene that can only be answered by copying out of what was told, and their answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from agentrefine_lib.tuning.pretraining.scene import Scene, listing
from agentrefine_lib.tuning.pretraining.words import load_words

ASKING = (
    "You want to {0}.",
    "How do you {0}?",
    "Which command lets you {0}?",
    "Say how to {0}.",
    "I would like to {0}.",
)


class Asked(NamedTuple):
    """A question, the fact that answers it as a sentence, and the bare answer."""

    question: str
    fact: str
    answer: str


# Questions: each returns None where the scene has nothing to ask about


def ask(scene: Scene) -> Asked:
    """A question that what was told so far answers."""
    while True:
        asked = scene.rng.choice(QUESTIONS)(scene)
        if asked is not None:
            return asked


def _where(scene: Scene) -> Asked | None:
    if not scene.known():
        return None
    item = scene.rng.choice(scene.known())
    store = scene.at[item]
    question = scene.rng.choice(
        ("Where is the {0}?", "What holds the {0}?", "Find the {0}.", "I am looking for the {0}.")
    )
    return Asked(question.format(item), f"The {item} is in the {store}.", store)


def _room(scene: Scene) -> Asked | None:
    store = scene.rng.choice(scene.stores())
    question = scene.rng.choice(("In which room is the {0}?", "Which room has the {0}?", "Where do you find the {0}?"))
    return Asked(question.format(store), f"The {store} is in the {scene.room_of[store]}.", scene.room_of[store])


def _contents(scene: Scene) -> Asked | None:
    store = scene.rng.choice(scene.stores())
    if scene.shut(store):
        return Asked(f"What is in the {store}?", f"The {store} is {scene.state[store]}.", scene.state[store])
    inside = listing([item for item, at in scene.at.items() if at == store])
    return Asked(f"What is in the {store}?", f"In the {store} there is {inside}.", inside)


def _state(scene: Scene) -> Asked | None:
    known = [name for name in scene.state if name in scene.at or name in scene.stores()]
    if not known:
        return None
    name = scene.rng.choice(known)
    return Asked(f"What about the {name}?", f"The {name} is {scene.state[name]}.", scene.state[name])


def _way(scene: Scene) -> Asked | None:
    """From a told room to another: the room that comes first on the way."""
    rng = scene.rng
    start = rng.choice(scene.told)
    first = {way: way for way in scene.ways[start]}
    for room in list(first):
        if room in scene.told:
            first |= {way: first[room] for way in scene.ways[room] if way not in first and way != start}
    if not first:
        return None
    goal = rng.choice(list(first))
    question = rng.choice(
        ("You are in the {0}. Where do you go first to reach the {1}?", "From the {0} to the {1}: what comes next?")
    )
    return Asked(question.format(start, goal), f"From the {start} I go to the {first[goal]}.", first[goal])


def _missing(scene: Scene) -> Asked | None:
    """Of some wishes about things and stores, the first that is not fulfilled."""
    items = scene.known()
    if len(items) < 2:
        return None
    wishes = []
    for item in scene.rng.sample(items, min(len(items), scene.rng.randint(1, 3))):
        store = scene.at[item] if scene.rng.random() < 0.5 else scene.rng.choice(scene.stores())
        wishes.append((item, store))
    open_wish = next((w for w in wishes if scene.at[w[0]] != w[1]), None)
    said = " and ".join(f"the {item} is in the {store}" for item, store in wishes)
    question = f"{scene.rng.choice(('Wanted', 'Wish', 'It should be so'))}: {said}. What is missing?"
    if open_wish is None:
        return Asked(question, "Everything is as it should be.", "nothing")
    item, store = open_wish
    return Asked(question, f"The {item} is in the {scene.at[item]}, not in the {store}.", f"the {item} in the {store}")


def _command(scene: Scene) -> Asked | None:
    """An aim, and the command for it with its names filled in; where a store is not named, it has to be looked up."""
    rng = scene.rng
    command = rng.choice(list(scene.commands.values()))
    items = scene.known()
    if not items:
        return None
    item, store, place = (
        rng.choice(items),
        rng.choice(scene.stores()),
        rng.choice([*scene.told, *scene.ways[scene.told[0]]]),
    )
    if command.operation == "take":
        store = scene.at[item]
    if command.operation == "unlock" and scene.key and (locked := [s for s in scene.key if s in scene.stores()]):
        store = locked[0]
        item = scene.key[store]
    fact = f"The {item} is in the {store}." if command.operation == "take" else f"I {command.verb} it now."
    if command.state:
        store = command.store
        fact = f"The {store} makes it {command.state}."
        if rng.random() < 0.5:
            question = rng.choice(("Make the {0} {1}.", "The {0} has to be {1}.", "You want the {0} to be {1}."))
            return Asked(question.format(item, command.state), fact, command.fill(item=item, store=store))
    aim = rng.choice(load_words()["operations"][command.operation.split()[0]]["aims"])
    question = rng.choice(ASKING).format(aim.format(v=command.verb, item=item, store=store, place=place))
    return Asked(question, fact, command.fill(item=item, store=store, place=place))


def _correct(scene: Scene) -> Asked | None:
    """A command with a mistake in it, to be written as it should be."""
    rng = scene.rng
    command = rng.choice(list(scene.commands.values()))
    items = [*scene.known(), *scene.stores()]
    right = command.fill(item=rng.choice(items), store=rng.choice(scene.stores()), place=rng.choice(scene.told))
    words = re.split(r"(\W+)", right)
    at = rng.randrange(0, len(words), 2)
    word = words[at]
    words[at] = rng.choice((word[1:], word[:-1], word[1:2] + word[:1] + word[2:], f"the {word}", f"{word} {word}"))
    wrong = "".join(words)
    if wrong == right:
        return None
    question = rng.choice(
        ("'{0}' is wrong. Write it as it should be.", "What was meant by '{0}'?", "Correct this: {0}")
    )
    return Asked(question.format(wrong), f"It is written '{right}'.", right)


def _spelling(scene: Scene) -> Asked | None:
    """A command without its names, by its verb."""
    command = scene.rng.choice(list(scene.commands.values()))
    names = {
        "item": scene.rng.choice(list(scene.at)),
        "store": scene.rng.choice(scene.stores()),
        "place": scene.told[-1],
    }
    right = command.fill(**names)
    asked = (
        " and ".join(names[part] for part in re.findall(r"\{(\w+)\}", command.template) if part in names) or "nothing"
    )
    return Asked(f"Use '{command.verb}' for {asked}.", f"The command is {right}.", right)


def _begin(scene: Scene) -> Asked | None:
    """A wish for a place of something, and the command that it begins with."""
    rng = scene.rng
    if not scene.known() or "take" not in scene.commands:
        return None
    item, other = rng.choice(scene.known()), rng.choice(scene.stores())
    store = scene.at[item]
    if store == other:
        return None
    question = rng.choice(
        (
            "The {0} should be in the {1}. What is the first command?",
            "Bring the {0} to the {1}. How do you begin?",
            "It is wanted that the {0} is in the {1}. What comes first?",
        )
    )
    fact = rng.choice(
        ("The {0} is in the {1}.", "There is the {0} in the {1}, I get it.", "I get the {0}, it is in the {1}.")
    )
    return Asked(
        question.format(item, other),
        fact.format(item, store),
        scene.commands["take"].fill(item=item, store=store, place=""),
    )


QUESTIONS: tuple[Callable[[Scene], Asked | None], ...] = (
    _where, _where, _room, _contents, _state, _way, _missing,
    _command, _command, _command, _command, _begin, _begin, _correct, _spelling,
)  # fmt: skip
