"""What can go wrong with an endpoint, on demand: which fault befalls which request, and how an answer is spoilt."""

import dataclasses
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from agentrefine_lib.schema import ERROR_FLAGS

ON_THE_WAY = ("too_many_requests", "server_error", "disconnect", "hang")
IN_THE_ANSWER = ("truncated", "malformed_json", "wrong_schema", "rule_breaking")


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What goes wrong, and how often. A float is a probability: 0.1 is one request in ten, 1.0 is every one. An int is
    a count: 2 is the first two times that a question (the same messages, whatever the seed) is asked.

    Chance decides by hash. For faults on the way it looks at the request and how often it came before, so that a retry
    may fare better; for faults in the answer at the request alone, so that the same request gets the same answer.
    Raises ValueError when the probabilities of either group add up to more than 1.
    """

    # on the way: of any request
    too_many_requests: float = 0.0  # 429 with Retry-After: retry_after_s
    server_error: float = 0.0  # 500
    disconnect: float = 0.0  # the connection ends in the middle of the answer
    hang: float = 0.0  # nothing for hang_s, then the answer
    # in the answer: of requests for a script or a play
    truncated: float = 0.0  # cut off, finish_reason "length"
    malformed_json: float = 0.0  # a colon is missing
    wrong_schema: float = 0.0  # another key, or a value of another type
    rule_breaking: float = 0.0  # a code that misses its signature, an error without its flag, an end before the goal
    # no faults, but as models and networks are
    chatty: float = 0.0  # probability of reasoning, a code fence or a sentence around the JSON
    latency_s: float = 0.0  # before every answer
    retry_after_s: float = 1.0
    hang_s: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        for group in (ON_THE_WAY, IN_THE_ANSWER, ("chatty",)):
            rates = {name: getattr(self, name) for name in group}
            chances = [rate for rate in rates.values() if isinstance(rate, float)]
            if min(rates.values()) < 0 or sum(chances) > 1 + 1e-9:
                raise ValueError(f"faults: found {rates}, expected counts, or probabilities that add up to at most 1")

    def draw(self, group: Sequence[str], asked: int, *identity: object) -> str | None:
        """The fault of the group that befalls a request, if any; ``asked`` is how often its question came before."""
        chance = random.Random(f"{self.seed} {group[0]} {identity}").random()
        for name in group:
            rate = getattr(self, name)
            if isinstance(rate, int):
                if asked < rate:
                    return name
                asked -= rate
            elif chance < rate:
                return name
            else:
                chance -= rate
        return None


def _wrong_script(rng: random.Random, script: dict[str, Any]) -> dict[str, Any]:
    """A key renamed, or a value of another type."""
    key = rng.choice(sorted(script))
    if isinstance(script[key], dict) or rng.random() < 0.5:
        return {f"The {name}" if name == key else name: value for name, value in script.items()}
    return script | {key: [script[key]] if isinstance(script[key], str) else "; ".join(script[key])}


def _wrong_turns(rng: random.Random, turns: list[Any]) -> list[Any]:
    """One turn with a key renamed, or with its number as text."""
    index = rng.randrange(len(turns))
    turn = turns[index]
    said = "Action" if "Action" in turn else "Observation"
    renamed = {"Text" if name == said else name: value for name, value in turn.items()}
    turns[index] = rng.choice([renamed, turn | {"turn": str(turn["turn"])}])
    return turns


def _unfit_script(rng: random.Random, script: dict[str, Any]) -> dict[str, Any]:
    """One verification code that asks for a word which its signature does not have."""
    spec = script["Available Actions"][rng.choice(sorted(script["Available Actions"]))]
    spec["verification code"] = r"^\s*please\s+" + spec["verification code"].lstrip("^")
    return script


def _unfit_turns(rng: random.Random, turns: list[Any]) -> list[Any]:
    """A command that no code fits, in a turn that is not flagged; or an end before the goal."""
    accepted = [
        asked for asked, answer in pairwise(turns) if "Action" in asked and not any(map(answer.get, ERROR_FLAGS))
    ]
    if not accepted or rng.random() < 0.5:
        return turns[: rng.randrange(len(turns))]
    rng.choice(accepted)["Action"] += " at once, please"
    return turns


SPOIL: dict[tuple[str, str], Callable[[random.Random, Any], Any]] = {
    ("wrong_schema", "script"): _wrong_script,
    ("wrong_schema", "play"): _wrong_turns,
    ("rule_breaking", "script"): _unfit_script,
    ("rule_breaking", "play"): _unfit_turns,
}


def read_faults(switches: Sequence[str]) -> Faults:
    """Faults from switches such as ``"malformed_json=0.1"``. Raises ValueError for an unknown name or a bad number."""
    known = {field.name for field in dataclasses.fields(Faults)}
    values: dict[str, Any] = {}
    for switch in switches:
        name, _, number = switch.partition("=")
        if name not in known or not re.fullmatch(r"\d+|\d*\.\d+|\d+\.", number):
            raise ValueError(f"--fault {switch}: expected NAME=NUMBER with one of {', '.join(sorted(known))}")
        values[name] = int(number) if number.isdecimal() else float(number)
    return Faults(**values)
