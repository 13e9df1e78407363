"""From trajectories to training conversations in the format of the released data, one ``loss`` flag per reply."""

import random
from collections.abc import Callable, Iterable, Sequence

from agentrefine_lib.schema import (
    EXAMPLE_DRAWS,
    EXAMPLE_STEPS,
    Conversation,
    DMTurn,
    Episode,
    Message,
    PlayerTurn,
    Trajectory,
    exchanges,
    format_observation,
    format_reply,
    refinements,
)

# Masking rules: whether a reply is trained; None: it and its answer are left out. A rule is told whether the DM judged
# the reply erroneous, whether it mends such a one, and whether it is the last of its play.
STRATEGIES: dict[str, Callable[[bool, bool, bool], bool | None]] = {
    "refinement": lambda error, mends, last: not error,  # the paper: an erroneous turn is read, not trained
    "all_turns": lambda error, mends, last: True,
    "no_refinement": lambda error, mends, last: None if error else True,
    "no_refinement_loss": lambda error, mends, last: not (error or mends),  # the paper's table 2
    "last_turn": lambda error, mends, last: last,
}

Exchange = tuple[str, str, str, bool]  # thought, action, observation, loss of the reply

HOW_TO_ANSWER = """You act in a text world. Answer every observation in two lines:
Thought: what you make of it and what you do next
Action: one of the commands, its parameters filled in"""


def instruction(commands: Iterable[str], goal: str, observation: str, rules: str = "", example: str = "") -> str:
    """The first message of every conversation: how to answer, what ``format_example`` makes of another play, the
    commands, the goal, the first observation."""
    listed = "\n".join(f"- {command}" for command in commands)
    parts = [HOW_TO_ANSWER, rules, example, f"Commands:\n{listed}", f"Goal: {goal}", format_observation(observation)]
    return "\n\n".join(part for part in parts if part)


def to_conversation(trajectory: Trajectory, strategy: str = "refinement") -> Conversation:
    """DM observations become ``human`` messages, the Player's thought and action a ``gpt`` message.

    ``strategy``, a name in STRATEGIES, sets each reply's ``loss``. Raises ValueError for another name, and for a play
    without an answered action.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy: found {strategy!r}, expected one of {', '.join(STRATEGIES)}")
    script, opening, pairs = trajectory.script, trajectory.turns[0], exchanges(trajectory.turns)
    if not pairs or isinstance(trajectory.turns[-1], PlayerTurn):
        raise ValueError(f"{trajectory.id}: found {len(pairs)} answered actions, expected one, and the last")
    observation = opening.observation if isinstance(opening, DMTurn) else "The play begins."
    first = instruction(script.available_actions, script.goal, observation, script.rules, script.example)
    said, last = list[Exchange](), pairs[-1][1]
    mends = refinements(answer.is_error for _, answer in pairs)
    for (asked, answer), mend in zip(pairs, mends, strict=True):
        loss = STRATEGIES[strategy](answer.is_error, mend, answer is last)
        if loss is not None:
            said.append((asked.thought, asked.action, answer.observation, loss))
    return _conversation(trajectory.id, first, said)


def _conversation(name: str, first: str, exchanges: Iterable[Exchange]) -> Conversation:
    """Nobody answers the last observation, so it is left out."""
    messages = [Message(sender="human", value=first)]
    for thought, action, observation, loss in exchanges:
        messages.append(Message(sender="gpt", value=format_reply(thought, action), loss=loss))
        messages.append(Message(sender="human", value=format_observation(observation)))
    return Conversation(id=name, conversations=messages[:-1])


def from_episode(episode: Episode, example: str = "") -> Conversation:
    """An expert's episode as training data: what agents tuned on a held-in environment learn from.

    ``example``: another play, as ``format_example`` makes it, told before the commands.
    Raises ValueError for an episode without a step.
    """
    if not episode.steps:
        raise ValueError(f"{episode.id}: found no step, expected at least one to learn from")
    first = instruction(episode.commands, episode.goal, episode.observation, episode.rules, example)
    steps = [(step.thought, step.action, step.observation, step.error is None) for step in episode.steps]
    return _conversation(episode.id, first, steps)


def from_episodes(episodes: Sequence[Episode], seed: int = 0) -> list[Conversation]:
    """An expert's episodes as a training set, in order; half of them begin with an example.

    That is the first steps of another task's play in the same engine. Which conversations and which plays, ``seed``
    draws; one without another task beside it goes without. Raises ValueError for an episode without a step.
    """
    rng = random.Random(f"examples {seed}")
    shown = set(rng.sample(range(len(episodes)), round(len(episodes) / 2)))
    return [from_episode(e, _another(e, episodes, rng) if i in shown else "") for i, e in enumerate(episodes)]


def _another(episode: Episode, episodes: Sequence[Episode], rng: random.Random) -> str:
    others = [e for e in episodes if e.task.engine == episode.task.engine and e.task.id != episode.task.id]
    if not others:
        return ""
    other = min(rng.sample(others, min(len(others), EXAMPLE_DRAWS)), key=lambda e: len(e.steps))
    return other.as_example(EXAMPLE_STEPS)
