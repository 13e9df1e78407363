"""What a language model reads before its next reply.

Two layouts. "chat": one message per observation and reply, the form that the models of this suite are tuned on.
"single": the benchmark's own (AgentBoard's vanilla agent): everything in one user message, the history as Observation
and Action lines, and a last ``Action:`` for the model to continue.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from agentrefine_lib.dataset import instruction
from agentrefine_lib.environments.process import Opening
from agentrefine_lib.schema import (
    Episode,
    Section,
    Step,
    Task,
    begins_with_action,
    format_observation,
    format_reply,
    parse_reply,
    read_jsonl,
)

Chat = list[dict[str, str]]  # [{"role": "user" | "assistant", "content": text}]
Layout = Literal["chat", "single"]
KEEP = 0.6  # how full a history is when it has been cut: a later turn need not cut again, and caches stay valid

SINGLE = """You act in a text world. Answer with your next action: one of the commands, its parameters filled in.
{rules}
Commands:
{commands}
{example}
Goal: {goal}
When an action is not understood, this one lists those that are: check valid actions

{history}
Action:"""


@dataclass(frozen=True)
class Prompting:
    """How episodes are shown to a model. ``examples`` are plays of other tasks (``read_examples``): a model is shown
    the first one of the same engine and task name, else the first one of the same engine, else none.
    """

    layout: Layout = "chat"
    examples: tuple[Episode, ...] = ()

    def chat(self, task: Task, opening: Opening, steps: Iterable[Step]) -> Chat:
        """The messages for a task after some steps. Raises ValueError when the example is the task itself."""
        example = self._example(task)
        if self.layout == "single":
            return [{"role": "user", "content": _single_message(opening, steps, example)}]
        told = instruction(opening.commands, opening.goal, opening.observation, opening.rules, example)
        chat = [{"role": "user", "content": told}]
        for step in steps:
            chat.append({"role": "assistant", "content": parse_reply(step.reply).said})
            chat.append({"role": "user", "content": format_observation(step.observation)})
        return chat

    def reply(self, written: str) -> str:
        """What the model wrote as a reply with an action line: in the single layout the prompt has begun that line."""
        if self.layout == "chat":
            return written
        if begins_with_action(written):
            return f"Action: {written.lstrip()}"
        read = parse_reply(written)
        if read.well_formed:
            return written
        return format_reply(read.thought, read.action) if read.thought else f"Action: {read.action}"

    def _example(self, task: Task) -> str:
        fitting = [episode for episode in self.examples if episode.task.engine == task.engine]
        if not fitting:
            return ""
        example = next((episode for episode in fitting if episode.task.name == task.name), fitting[0])
        if example.task.id == task.id:
            raise ValueError(f"the example for {task.id} is that task, solved; give an episode of another task")
        return example.as_example(thoughts=self.layout == "chat")


class Prompts(Section):
    """What models read, beside what their tasks say: the section ``prompts``."""

    layout: Layout = "chat"  # one message per turn; or "single": everything in one message, as AgentBoard does
    examples: str = "params/examples"  # folder of example plays, of which a prompt shows one; empty: none
    valid_actions: int = Field(default=0, ge=0)  # listed after each observation, so many at most; 0: none
    ladder: int = Field(default=0, ge=0)  # the same on the ladder (chapter 4); 0: real engines are played once

    def prompting(self, root: Path) -> Prompting:
        """How an episode is shown; the folder of ``examples`` counts from ``root``."""
        return Prompting(self.layout, read_examples(root / self.examples) if self.examples else ())

    def rungs(self, prompting: Prompting) -> dict[str, tuple[int, Prompting]]:
        """The ways in which the ladder shows a real engine's task, nearest to training first: the actions that are
        listed at most, and how an episode is shown. ``ladder`` 0: only the way of all other tables."""
        main = (self.valid_actions, prompting)
        listed = {f"with an example and {self.ladder} actions listed": (self.ladder, prompting)} if self.ladder else {}
        ways = listed | {"with an example": (0, prompting), "with neither": (0, Prompting(self.layout))}
        return (
            ways if self.ladder else {next((way for way in reversed(ways) if ways[way] == main), "as in table 1"): main}
        )


def read_examples(folder: Path) -> tuple[Episode, ...]:
    """The plays of a folder's JSONL files, in the order of their names: what ``Prompting`` takes as ``examples``.

    Raises ValueError for a folder without such a file, SchemaError for a line that is no episode.
    """
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        raise ValueError(f"examples: no JSONL file in {folder}; give a folder of episodes, or none to show no example")
    return tuple(episode for path in paths for episode in read_jsonl(path, Episode))


def _single_message(opening: Opening, steps: Iterable[Step], example: str) -> str:
    history = [format_observation(opening.observation)]
    for step in steps:
        history += [f"Action: {step.action}", format_observation(step.observation)]
    return SINGLE.format(
        rules=f"{opening.rules}\n" if opening.rules else "",
        commands="\n".join(f"- {signature}: {meaning}" for signature, meaning in opening.commands.items()),
        example=f"\n{example}\n" if example else "",
        goal=opening.goal,
        history="\n".join(history),
    )


def drop_oldest(exchanges: int, dropped: int, tokens: Callable[[int], int], room: int) -> int:
    """How many of an episode's exchanges to leave out, the oldest first; goal and first observation always stay.

    ``dropped`` are left out already; ``tokens(n)`` is the length of the prompt without the first n. A history that
    outgrew what the first message leaves of ``room`` is cut to KEEP of that. Raises ValueError when the first message
    alone is longer than ``room``.
    """
    if tokens(dropped) <= room:
        return dropped
    first = tokens(exchanges)
    if first > room:
        raise ValueError(f"the first message needs {first} of {room} tokens; raise context or leave the example out")
    while dropped < exchanges - 1 and tokens(dropped) > first + KEEP * (room - first):
        dropped += 1
    return dropped if tokens(dropped) <= room else exchanges  # the last observation may be too long by itself
