"""What trajectories and episodes have in common when one looks at them: a goal, and exchanges."""

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any, NamedTuple

from agentrefine_lib.schema import ERROR_FLAGS, SCORE_UNKNOWN, Episode, Trajectory, ends_play, refinements

OUTCOMES = ("no success", "success")


class Exchange(NamedTuple):
    """One action and what came of it. ``error`` is empty, or the kinds of error in words."""

    label: str
    thought: str
    action: str
    observation: str
    error: str = ""
    masked: bool = False
    progress: float | None = None
    refines: bool = False


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
    def errors(self) -> list[str]:
        """The kinds of error of each refused action."""
        return [exchange.error for exchange in self.exchanges if exchange.error]

    @property
    def refinements(self) -> int:
        """How many refused actions the next one mended."""
        return sum(exchange.refines for exchange in self.exchanges)


def as_play(record: Trajectory | Episode) -> Play:
    """The record as exchanges."""
    return read_play(record.model_dump(by_alias=True))


def read_play(raw: Mapping[str, Any]) -> Play:
    """The exchanges of a record's plain JSON, several times faster than through its model. Raises KeyError and the
    like for what is no such record."""
    play = _of_trajectory(raw) if "trajectory" in raw else _of_episode(raw)
    mended = refinements(bool(exchange.error) for exchange in play.exchanges)
    return play._replace(
        exchanges=[exchange._replace(refines=mends) for exchange, mends in zip(play.exchanges, mended, strict=True)]
    )


def _of_trajectory(raw: Mapping[str, Any]) -> Play:
    turns, opening, exchanges, ended = raw["trajectory"], "", [], False
    if turns[0]["role"] == "DM":
        opening, turns = turns[0]["Observation"], turns[1:]
    for asked, answer in zip_longest(turns[::2], turns[1::2]):
        label, observation, error, ended = f"turn {asked['turn']}", "", "", False
        if answer:
            label, observation = f"turns {asked['turn']}–{answer['turn']}", answer["Observation"]
            error = ", ".join(flag.replace("_", " ") for flag in ERROR_FLAGS if answer.get(flag))
            ended = ends_play(observation, bool(error))
        exchanges.append(Exchange(label, asked["Thought"], asked["Action"], observation, error, masked=bool(error)))
    about = raw["id"], raw.get("domain", ""), raw.get("teacher", ""), OUTCOMES[ended], raw.get("persona", "")
    return Play(*about, raw["script"]["Goal"], opening, exchanges)


def _of_episode(raw: Mapping[str, Any]) -> Play:
    known = SCORE_UNKNOWN not in raw["engine_version"]
    exchanges = [
        Exchange(
            f"step {n}" if step.get("well_formed", True) else f"step {n} · no action line",
            step["thought"],
            step["action"],
            step["observation"],
            f"{step['error']} error" if step.get("error") else "",
            progress=step["progress"] if known else None,
        )
        for n, step in enumerate(raw["steps"], start=1)
    ]
    engine = raw["task"]["engine"] + ("" if known else " (progress unknown)")
    about = raw["id"], engine, raw["policy"], OUTCOMES[raw["success"]], ""
    return Play(*about, raw["goal"], raw["observation"], exchanges)
