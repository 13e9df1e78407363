"""A second opinion on the error labels: would somebody who reads only the transcript flag the same turns?

In the paper, people label turns that GPT-4, its dungeon master, has labelled. ``EndpointJudge`` asks any model.
``ReaderJudge`` needs none: it knows the script's commands and what has been said so far, but not the world, so it is a
floor that a language model should beat.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from pydantic import JsonValue

from agentrefine_lib.endpoint import EmptyAnswerError
from agentrefine_lib.schema import (
    DMTurn,
    Mismatch,
    PlayerTurn,
    Record,
    Script,
    Trajectory,
    Turn,
    exchanges,
    match_action,
    read_jsonl,
)
from agentrefine_lib.teachers.recovery import recover_json

if TYPE_CHECKING:
    from agentrefine_lib.endpoint import Endpoint

RESAMPLES = 2_000

QUESTION = """A player acts in a text game. Decide whether the last command is an error: it fits no command of the game,
names something that does not exist or is not within reach, cannot work yet, or changes nothing.
Answer with one JSON object and nothing else: {"error": true} or {"error": false}."""


class ReaderJudge:
    """An error is a command that the script does not know, that names what no observation has named, or that repeats
    the command before it."""

    name = "reader (no model)"

    async def is_error(self, script: Script, before: Sequence[Turn], action: str) -> bool | None:
        found = match_action(script, action)
        if isinstance(found, Mismatch):
            return True
        said = " ".join(turn.observation for turn in before if isinstance(turn, DMTurn) and not turn.is_error)
        commands = [turn.action for turn in before if isinstance(turn, PlayerTurn)]
        return any(value not in said for value in found.arguments.values()) or commands[-1:] == [action]


class EndpointJudge:
    """A language model is asked about each turn, without seeing the dungeon master's answer to it.

    It says None where it gave no usable answer.
    """

    def __init__(self, endpoint: "Endpoint") -> None:
        self.endpoint = endpoint
        self.name = endpoint.settings.model

    async def is_error(self, script: Script, before: Sequence[Turn], action: str) -> bool | None:
        told = [f"Game: {t.observation}" if isinstance(t, DMTurn) else f"Player: {t.action}" for t in before]
        commands = json.dumps({name: spec.parameters for name, spec in script.available_actions.items()})
        story = "\n".join([f"Commands: {commands}", f"Goal: {script.goal}", *told, f"Last command: {action}"])
        value = await ask_for_json(self.endpoint, f"{QUESTION}\n\n{story}")
        verdict = value.get("error") if isinstance(value, dict) else None
        return verdict if isinstance(verdict, bool) else None


async def ask_for_json(endpoint: "Endpoint", text: str) -> JsonValue:
    """The JSON in a judge's answer; None where it has nothing to say."""
    try:
        answer = await endpoint.complete([{"role": "user", "content": text}])
    except EmptyAnswerError:
        return None
    return recover_json(answer.text)


async def judge_turns(judge: ReaderJudge | EndpointJudge, trajectories: Iterable[Trajectory]) -> pd.DataFrame:
    """One row per Player turn: trajectory, turn, labelled (by the dungeon master), judged (None: no usable answer)."""
    asked = [(t, n, *pair) for t in trajectories for n, pair in enumerate(exchanges(t.turns))]
    starts = [2 * n + isinstance(t.turns[0], DMTurn) for t, n, _, _ in asked]
    verdicts = await asyncio.gather(
        *(judge.is_error(t.script, t.turns[:i], turn.action) for (t, _, turn, _), i in zip(asked, starts, strict=True))
    )
    rows = [(t.id, turn.turn, a.is_error, said) for (t, _, turn, a), said in zip(asked, verdicts, strict=True)]
    return pd.DataFrame(rows, columns=["trajectory", "turn", "labelled", "judged"])


class Label(Record):
    """A person's verdict on a Player turn, which the turn's own number names."""

    trajectory: str
    turn: int
    error: bool


def read_labels(path: Path | str) -> dict[tuple[str, int], Label]:
    """The labels in a JSONL file by trajectory and turn; of several on one turn the last counts. None: no such file."""
    kept = read_jsonl(path, Label, growing=True) if Path(path).is_file() else ()
    return {(label.trajectory, label.turn): label for label in kept}


def turns_to_label(trajectories: Iterable[Trajectory], count: int, seed: int) -> list[tuple[Trajectory, int]]:
    """One turn with a flag and one without of each of ``count`` trajectories, in random order (figure 10)."""
    rng, found = random.Random(f"labels {seed}"), list[tuple[Trajectory, int]]()
    for trajectory in trajectories:
        pairs = exchanges(trajectory.turns)
        sides = [[asked.turn for asked, answer in pairs if answer.is_error is error] for error in (False, True)]
        if all(sides) and len(found) < 2 * count:
            found += [(trajectory, rng.choice(side)) for side in sides]
    rng.shuffle(found)
    return found


def two_by_two(trajectories: Iterable[Trajectory], labels: Mapping[tuple[str, int], Label]) -> dict[str, int]:
    """Turns that a person labelled, by the dungeon master's verdict and the person's ("DM right, human wrong" …); empty
    where none is labelled."""
    flags = {(t.id, asked.turn): answer.is_error for t in trajectories for asked, answer in exchanges(t.turns)}
    both = Counter((flags[key], label.error) for key, label in labels.items() if key in flags)
    names = {True: "wrong", False: "right"}
    cells = {f"DM {names[dm]}, human {names[person]}": both[dm, person] for person in names for dm in names}
    return cells if both else {}


class Agreement(NamedTuple):
    """Shares in [0, 1]; 95 % intervals from resampling whole trajectories, because turns of one play depend."""

    agreement: float
    agreement_low: float
    agreement_high: float
    kappa: float
    kappa_low: float
    kappa_high: float
    turns: int
    unanswered: int


def agreement(table: pd.DataFrame, seed: int) -> Agreement:
    """Agreement and Cohen's kappa (Cohen 1960) of the two label columns of ``judge_turns``."""
    answered = table[table["judged"].notna()]
    if answered.empty:
        raise ValueError(f"the judge gave no usable answer to any of {len(table)} turns")
    a, b = (answered[column].to_numpy(bool) for column in ("labelled", "judged"))
    cells = pd.DataFrame({"both": a & b, "only_a": a & ~b, "only_b": ~a & b, "neither": ~a & ~b})
    counts = cells.groupby(answered["trajectory"].to_numpy(), sort=False).sum().to_numpy(float)
    draws = np.random.default_rng(seed).integers(len(counts), size=(RESAMPLES, len(counts)))
    observed = _agree_and_kappa(counts.sum(0)[None])[0]
    resampled = _agree_and_kappa(counts[draws].sum(1))
    low, high = np.nanpercentile(resampled, [2.5, 97.5], axis=0)
    unanswered = len(table) - len(answered)
    return Agreement(
        observed[0], low[0], high[0], observed[1], low[1], high[1], turns=len(answered), unanswered=unanswered
    )


def _agree_and_kappa(counts: np.ndarray) -> np.ndarray:
    """(rows, [both, only a, only b, neither]) → (rows, [agreement, kappa]); kappa is nan where chance agrees fully."""
    both, only_a, only_b, neither = (counts / counts.sum(1, keepdims=True)).T
    agree = both + neither
    chance = (both + only_a) * (both + only_b) + (neither + only_a) * (neither + only_b)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([agree, (agree - chance) / (1 - chance)], axis=1)
