"""Does an environment keep the contract, and does its engine play as it should? For whoever adds or installs one.

In the spirit of Gymnasium's environment checker; ``python -m agentrefine_lib.environments babyai --check`` runs it.
"""

import hashlib
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from statistics import mean

import psutil

from agentrefine_lib.environments.process import MakeEnvironment
from agentrefine_lib.environments.protocol import Environment, StepResult
from agentrefine_lib.environments.registry import Score
from agentrefine_lib.environments.signature import parse_command
from agentrefine_lib.schema import Task

STEPS, SLOW_S = 12, 300
ERRORS = (None, "format", "parameter", "logic")
NONSENSE = ("", " ", "xyzzy 7", "go", "\x00", "take \u202e{object} from", "a" * 5_000, "Action: a\nAction: b", "🙂")


class ContractError(AssertionError):
    """What the environment does, and what the contract asks for."""


def measure(make: MakeEnvironment, tasks: Sequence[Task], who: str, steps: int) -> Score:
    """What ``who`` reaches in at most ``steps`` steps of each task: "expert", or "random" for any valid action."""
    ends = []
    for task in tasks:
        rng, end = random.Random(f"random {task.id}"), StepResult("", 0.0, False, False, None)
        with closing(make(task)) as environment:
            environment.reset(task)
            plan = (action for _, action in environment.expert())
            for _ in range(steps):
                action = next(plan, None) if who == "expert" else rng.choice(environment.valid_actions() or [None])
                if action is None or end.done:
                    break
                end = environment.step(action)
        ends.append(end)
    return Score(mean(end.success for end in ends), mean(end.progress for end in ends))


def check_environment(make: MakeEnvironment, task: Task, other_process: bool = True, listed: bool = True) -> None:
    """Raise ContractError at the first part of the contract (environments/protocol.py) that ``make(task)`` breaks.

    Checked: fields; sorted, unique valid actions, each of which reads as one of ``commands``; no text raises; progress
    in [0, 1] that never falls; the same task starts and plays the same episode again, and in another process with
    another PYTHONHASHSEED; after the end nothing is valid; ``close`` releases processes and files. ``make`` has to be
    importable for the other process. ``listed``: whether the engine lists valid actions.
    """
    with closing(make(task)) as environment:
        _check_opening(environment, task, environment.reset(task))
        _check_play(environment, task, listed)
        _check_nonsense(environment)
    held = _held()  # the first episode may leave something loaded for the next, which must not grow
    first = play_fingerprint(make, task)
    _demand(play_fingerprint(make, task) == first, f"{task.id} played a second time is not the same episode")
    for what, before, now in zip(("child processes", "open files"), held, _held(), strict=True):
        _demand(now <= before, f"{what} after two more episodes: found {now}, expected {before}; close() leaks")
    if other_process:
        told = "sort what comes out of sets, and seed your own random.Random"
        _demand(_elsewhere(make, task) == first, f"{task.id} is another episode in another process: {told}")


def _check_opening(environment: Environment, task: Task, observation: str) -> None:
    rules = getattr(environment, "rules", None)
    _demand(isinstance(rules, str), f"rules: found {rules!r}, expected a text; it may be empty")
    for name in ("engine", "version", "goal"):
        value = getattr(environment, name, None)
        _demand(isinstance(value, str) and bool(value), f"{name}: found {value!r}, expected a text that is not empty")
    _demand(environment.engine == task.engine, f"engine: found {environment.engine!r}, expected {task.engine!r}")
    _demand(isinstance(observation, str) and bool(observation), f"reset returned {observation!r}, expected a text")
    _demand(bool(environment.commands), "commands: found none, expected signature → meaning")


def _check_play(environment: Environment, task: Task, listed: bool) -> None:
    progress = 0.0
    for offered, action, result in _random_play(environment, task):
        wanted = "some" if listed else "none: the record expects no score of random"
        _demand(bool(offered) == listed, f"valid_actions before the end: found {offered[:5]}, expected {wanted}")
        _demand(offered == sorted(set(offered)), f"valid_actions are not sorted or not unique: {offered[:5]} …")
        for valid in offered:
            command = parse_command(valid, environment.commands)
            _demand(command is not None, f"the valid action {valid!r} fits none of {list(environment.commands)}")
            _demand(str(command) == valid, f"{valid!r} reads as {command}, which is written {str(command)!r}")
        _demand(not (listed and result.error), f"the valid action {action!r} was refused: {result.observation}")
        told = f"progress: found {result.progress} after {progress}, expected no fall, and 1 at most"
        _demand(progress <= result.progress <= 1.0, told)
        _demand(result.done or not result.success, f"success without done after {action!r}")
        progress = result.progress
        if result.done:
            _demand(environment.valid_actions() == [], "valid_actions after the end: expected none")
            _demand(environment.step(action).error == "logic", "a step after the end: expected the error 'logic'")
            return


def _check_nonsense(environment: Environment) -> None:
    for text in NONSENSE:
        try:
            result = environment.step(text)
        except Exception as error:
            raise ContractError(f"step({text[:40]!r}) raised {error!r}; expected a refusal") from error
        _check_answer(text, result)


def _check_answer(text: str, result: StepResult) -> None:
    asked = f"step({text[:40]!r})"
    _demand(isinstance(result, StepResult), f"{asked} returned {result!r}, expected a StepResult")
    _demand(result.error in ERRORS, f"{asked}: error {result.error!r}, expected one of {ERRORS}")
    _demand(bool(result.observation), f"{asked} was answered with an empty observation")


def play_fingerprint(make: MakeEnvironment, task: Task) -> str:
    """A hash of the episode that a seeded random player has: the opening, and every offer and result."""
    seen = hashlib.sha256()
    with closing(make(task)) as environment:
        opening = (environment.reset(task), environment.goal, environment.rules, environment.commands)
        for item in (opening, *_random_play(environment, task)):
            seen.update(repr(item).encode())
    return seen.hexdigest()


def _random_play(environment: Environment, task: Task) -> Iterator[tuple[list[str], str, StepResult]]:
    rng = random.Random(task.id)
    for _ in range(STEPS):
        offered = environment.valid_actions()
        action = rng.choice(offered or NONSENSE)
        result = environment.step(action)
        _check_answer(action, result)
        yield offered, action, result
        if result.done:
            return


def _elsewhere(make: MakeEnvironment, task: Task) -> str:
    program = f"import pickle, sys; from {__name__} import *; print(play_fingerprint(*pickle.load(sys.stdin.buffer)))"
    environment = {**os.environ, "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"}
    asked = pickle.dumps((make, task))
    command = [sys.executable, "-c", program]
    try:
        done = subprocess.run(command, input=asked, env=environment, capture_output=True, timeout=SLOW_S)
    except subprocess.TimeoutExpired:
        raise ContractError(f"another process did not play {task.id} within {SLOW_S} s") from None
    _demand(done.returncode == 0, f"another process could not play {task.id}: {done.stderr.decode()[-2_000:]}")
    return done.stdout.decode().split()[-1]


def _held() -> tuple[int, int]:
    """Child processes that live, and files and sockets that are open."""
    process = psutil.Process()
    return len(process.children(recursive=True)), process.num_fds()


def _demand(kept: bool, broken: str) -> None:
    if not kept:
        raise ContractError(broken)
