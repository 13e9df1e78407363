"""From trajectories to training conversations in the format of the released data, one ``loss`` flag per reply."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Literal

from agentrefine_lib.schema import (
    EXAMPLE_STEPS,
    Conversation,
    DMTurn,
    Episode,
    Message,
    PlayerTurn,
    Trajectory,
    observe,
    render_example,
    reply,
)

EXAMPLE_DRAWS = 2  # plays of which the shortest is the example, as in the embedded teacher's scripts

Strategy = Literal["refinement", "all_turns", "no_refinement", "no_refinement_loss", "last_turn"]

HOW_TO_ANSWER = """You act in a text world. Answer every observation in two lines:
Thought: what you make of it and what you do next
Action: one of the commands, its parameters filled in"""


def instruction(commands: Iterable[str], goal: str, observation: str, rules: str = "", example: str = "") -> str:
    """The first message of every conversation: how to answer, what ``render_example`` makes of another play, the
    commands, the goal, the first observation."""
    listed = "\n".join(f"- {command}" for command in commands)
    parts = [HOW_TO_ANSWER, rules, example, f"Commands:\n{listed}", f"Goal: {goal}", observe(observation)]
    return "\n\n".join(part for part in parts if part)


def to_conversation(trajectory: Trajectory, strategy: Strategy = "refinement") -> Conversation:
    """DM observations become ``human`` messages, the Player's thought and action a ``gpt`` message.

    ``refinement`` (the paper): a turn that the DM judged erroneous stays in the context and gets ``loss`` False.
    ``all_turns``: it is trained like the others. ``no_refinement``: it and its feedback are left out.
    ``no_refinement_loss`` (the paper's table 2): the reply that mends it is not trained, either. ``last_turn``: only
    the reply that completes the task is trained. Raises ValueError for a play without an answered action.
    """
    turns = list(trajectory.turns)
    script = trajectory.script
    opening = "The play begins."
    if isinstance(turns[0], DMTurn):
        opening = turns[0].observation
        turns = turns[1:]
    if not turns or len(turns) % 2:
        raise ValueError(
            f"{trajectory.id}: found {len(turns)} turns from the Player's first, expected pairs with the DM's"
        )
    told = instruction(script.available_actions, script.goal, opening, script.rules, script.example)
    messages = [Message(sender="human", value=told)]
    mends = False  # the last action was an error
    for asked, answer in zip(turns[::2], turns[1::2], strict=True):
        assert isinstance(asked, PlayerTurn) and isinstance(answer, DMTurn)
        if strategy == "no_refinement" and answer.is_error:
            continue
        loss = strategy == "all_turns" or not answer.is_error
        if strategy == "last_turn":
            loss = answer is turns[-1]
        elif strategy == "no_refinement_loss":
            loss = loss and not mends
        mends = answer.is_error
        messages.append(Message(sender="gpt", value=reply(asked.thought, asked.action), loss=loss))
        messages.append(Message(sender="human", value=observe(answer.observation)))
    return Conversation(id=trajectory.id, conversations=messages[:-1])  # nobody answers the last observation


def from_episode(episode: Episode, example: str = "") -> Conversation:
    """An expert's episode as training data: what agents tuned on a held-in environment learn from.

    ``example``: another play, as ``render_example`` makes it, told before the commands.
    Raises ValueError for an episode without a step.
    """
    if not episode.steps:
        raise ValueError(f"{episode.id}: found no step, expected at least one to learn from")
    told = instruction(episode.commands, episode.goal, episode.observation, episode.rules, example)
    messages = [Message(sender="human", value=told)]
    for step in episode.steps:
        messages.append(Message(sender="gpt", value=reply(step.thought, step.action), loss=step.error is None))
        messages.append(Message(sender="human", value=observe(step.observation)))
    return Conversation(id=episode.id, conversations=messages[:-1])


def from_episodes(episodes: Sequence[Episode], seed: int = 0, examples: float = 0.5) -> list[Conversation]:
    """An expert's episodes as a training set, in order; a share of ``examples`` of them begins with an example.

    That is the first steps of another task's play in the same engine. Which conversations and which plays, ``seed``
    draws; one without another task beside it goes without. Raises ValueError for an episode without a step.
    """
    rng = random.Random(f"examples {seed}")
    shown = set(rng.sample(range(len(episodes)), round(examples * len(episodes))))
    return [from_episode(e, _another(e, episodes, rng) if i in shown else "") for i, e in enumerate(episodes)]


def _another(episode: Episode, episodes: Sequence[Episode], rng: random.Random) -> str:
    others = [e for e in episodes if e.task.engine == episode.task.engine and e.task.id != episode.task.id]
    if not others:
        return ""
    other = min(rng.sample(others, min(len(others), EXAMPLE_DRAWS)), key=lambda e: len(e.steps))
    steps = [(step.thought, step.action, step.observation) for step in other.steps[:EXAMPLE_STEPS]]
    return render_example(other.goal, other.observation, steps)
