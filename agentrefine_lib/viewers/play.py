"""What trajectories, episodes and conversations have in common when one looks at them: a goal, and exchanges."""

from __future__ import annotations

from itertools import pairwise, zip_longest
from typing import NamedTuple

from agentrefine_lib.agent import parse_reply
from agentrefine_lib.schema import Conversation, DMTurn, Episode, PlayerTurn, Trajectory
from agentrefine_lib.verify.rules import ends_play

Playable = Trajectory | Episode | Conversation


class Exchange(NamedTuple):
    """One action and what came of it. ``error`` is empty, or the kinds of error in words."""

    label: str
    thought: str
    action: str
    observation: str
    error: str = ""
    refines: bool = False  # the action before was an error, this one is not
    masked: bool = False  # read, not learned from
    progress: float | None = None


class Play(NamedTuple):
    """One record as it is shown. ``group``: engine or domain; ``player``: policy or teacher; ``outcome`` in words."""

    id: str
    group: str
    player: str
    outcome: str
    persona: str
    goal: str
    opening: str
    exchanges: list[Exchange]

    @property
    def errors(self) -> int:
        """How many actions were refused."""
        return sum(bool(exchange.error) for exchange in self.exchanges)

    @property
    def refinements(self) -> int:
        """How many refused actions the next one mended."""
        return sum(exchange.refines for exchange in self.exchanges)


def outcome_word(success: bool) -> str:
    """The words that filters and pages use."""
    return "success" if success else "no success"


def as_play(record: Playable) -> Play:
    """The record as exchanges."""
    if isinstance(record, Trajectory):
        return _of_trajectory(record)
    return _of_episode(record) if isinstance(record, Episode) else _of_conversation(record)


def _with_refinements(exchanges: list[Exchange]) -> list[Exchange]:
    mended = [bool(before.error) and not after.error for before, after in pairwise(exchanges)]
    return [e._replace(refines=refines) for e, refines in zip(exchanges, [False, *mended], strict=False)]


def _of_trajectory(trajectory: Trajectory) -> Play:
    turns = list(trajectory.turns)
    opening = ""
    if turns and isinstance(turns[0], DMTurn):
        opening, turns = turns[0].observation, turns[1:]
    exchanges = []
    for asked, answer in zip_longest(turns[::2], turns[1::2]):
        assert isinstance(asked, PlayerTurn)
        if answer is None:  # a play that was cut
            exchanges.append(Exchange(f"turn {asked.turn}", asked.thought, asked.action, ""))
            continue
        assert isinstance(answer, DMTurn)
        words = ", ".join(flag.replace("_", " ") for flag in answer.flags)
        label = f"turns {asked.turn}–{answer.turn}"
        exchanges.append(Exchange(label, asked.thought, asked.action, answer.observation, words, False, bool(words)))
    done = bool(exchanges) and ends_play(exchanges[-1].observation, bool(exchanges[-1].error))
    t = trajectory
    words = outcome_word(done)
    return Play(t.id, t.domain, t.teacher, words, t.persona, t.script.goal, opening, _with_refinements(exchanges))


def _of_episode(episode: Episode) -> Play:
    exchanges = [
        Exchange(
            f"step {n}" if s.well_formed else f"step {n} · no action line",
            s.thought,
            s.action,
            s.observation,
            f"{s.error} error" if s.error else "",
            progress=None if episode.known_progress is None else s.progress,
        )
        for n, s in enumerate(episode.steps, start=1)
    ]
    e = episode
    engine = e.task.engine if e.known_progress is not None else f"{e.task.engine} (progress unknown)"
    words = outcome_word(e.success)
    return Play(e.id, engine, e.policy, words, "", e.goal, e.observation, _with_refinements(exchanges))


def _of_conversation(conversation: Conversation) -> Play:
    """A message without a loss flag counts as learned from, as everywhere."""
    messages = conversation.conversations
    told = next((i for i, m in enumerate(messages) if m.sender == "gpt"), len(messages))
    exchanges = []
    for number, message in enumerate(messages):
        if message.sender == "gpt":
            said = parse_reply(message.value)
            answer = messages[number + 1].value if number + 1 < len(messages) else ""
            masked = message.loss is False
            exchanges.append(Exchange(f"message {number}", said.thought, said.action, answer, masked=masked))
    opening = "\n".join(message.value for message in messages[:told])
    return Play(conversation.id, "", "", "", "", "", opening, exchanges)
