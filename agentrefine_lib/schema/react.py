"""How a play reads as text: ReAct's lines, in training data, in prompts and in the examples that both may show."""

from __future__ import annotations

from collections.abc import Iterable

EXAMPLE_STEPS = 8  # of another play that is shown as an example, at most


def observe(observation: str) -> str:
    """A message to the Player."""
    return f"Observation: {observation}"


def reply(thought: str, action: str) -> str:
    """The Player's message in ReAct form."""
    return f"Thought: {thought}\nAction: {action}"


def render_example(goal: str, observation: str, steps: Iterable[tuple[str, str, str]], *, thoughts: bool = True) -> str:
    """A play as text, from its goal to its last observation; ``steps``: (thought, action, observation)."""
    lines = ["An example, in another place:", f"Goal: {goal}", observe(observation)]
    for thought, action, said in steps:
        lines += [reply(thought, action) if thoughts else f"Action: {action}", observe(said)]
    return "\n".join([*lines, "End of the example."])
