"""From trajectories to training conversations in the format of the released data, one ``loss`` flag per reply."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from agentrefine_lib.schema import Conversation, DMTurn, Episode, Message, PlayerTurn, Trajectory

Strategy = Literal["refinement", "all_turns", "no_refinement", "no_refinement_loss", "last_turn"]

HOW_TO_ANSWER = """You act in a text world. Answer every observation in two lines:
Thought: what you make of it and what you do next
Action: one of the commands, its parameters filled in"""


def instruction(commands: Iterable[str], goal: str, observation: str, rules: str = "") -> str:
    """The first message of every conversation: how to answer, the commands, the goal, the first observation."""
    listed = "\n".join(f"- {command}" for command in commands)
    parts = [HOW_TO_ANSWER, rules, f"Commands:\n{listed}", f"Goal: {goal}", observe(observation)]
    return "\n\n".join(part for part in parts if part)


def observe(observation: str) -> str:
    """A later message to the Player."""
    return f"Observation: {observation}"


def reply(thought: str, action: str) -> str:
    """The Player's message in ReAct form."""
    return f"Thought: {thought}\nAction: {action}"


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
    before = "\n\n".join(part for part in (script.rules, script.example) if part)
    messages = [Message(sender="human", value=instruction(script.available_actions, script.goal, opening, before))]
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


def from_episode(episode: Episode) -> Conversation:
    """An expert's episode as training data: what agents tuned on a held-in environment learn from.

    Raises ValueError for an episode without a step.
    """
    if not episode.steps:
        raise ValueError(f"{episode.id}: found no step, expected at least one to learn from")
    told = instruction(episode.commands, episode.goal, episode.observation, episode.rules)
    messages = [Message(sender="human", value=told)]
    for step in episode.steps:
        messages.append(Message(sender="gpt", value=reply(step.thought, step.action), loss=step.error is None))
        messages.append(Message(sender="human", value=observe(step.observation)))
    return Conversation(id=episode.id, conversations=messages[:-1])
