"""An engine in a process of its own: it may hang, crash or leak, and the run goes on.

Engines run beside the model, not in its way: every call is a coroutine. A call that gets no answer in time, or whose
process dies, kills the process and raises EngineFailure; the episode can then be played again in a fresh one.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any, NamedTuple, Self

from agentrefine_lib.environments.protocol import Environment, StepResult
from agentrefine_lib.schema import Task

MakeEnvironment = Callable[[Task], Environment]  # of a module that engine processes can import: they call it

_CONTEXT = get_context("forkserver")  # children start in milliseconds and hold nothing of this process
_CONTEXT.set_forkserver_preload(
    ["agentrefine_lib.environments." + name for name in ("process", "babyai", "alfworld", "pddl")]
)


class EngineFailure(RuntimeError):  # noqa: N818  (an event of the run, like a signal, not a mistake of the caller)
    """The engine's process died, raised or gave no answer in time. The episode may be played again."""


class Opening(NamedTuple):
    """What an episode starts with; ``commands`` maps signatures to meanings, ``version`` names engine and data."""

    observation: str
    goal: str
    rules: str
    commands: dict[str, str]
    version: str


@dataclass(frozen=True)
class TimeLimits:
    """Wall-clock seconds after which an engine counts as hung. Starting includes JVMs and the making of games."""

    start: float = 180.0
    step: float = 30.0


class EngineProcess:
    """One engine that plays one task at a time. Use from one event loop; ``close`` when done."""

    def __init__(self, make_environment: MakeEnvironment, limits: TimeLimits = TimeLimits()) -> None:
        self.limits = limits
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(theirs, make_environment), daemon=True)
        with _main_hidden():
            self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """The process id, for those who want to watch it or to kill it."""
        assert self._process.pid is not None
        return self._process.pid

    async def start(self, task: Task) -> Opening:
        """Start an episode. Raises what the environment raises for a task that does not exist (ValueError)."""
        opening: Opening = await self._ask(self.limits.start, "start", task)
        return opening

    async def step(self, action: str) -> StepResult:
        """Play one action."""
        result: StepResult = await self._ask(self.limits.step, "step", action)
        return result

    async def valid_actions(self) -> list[str]:
        """What the engine would accept now, sorted."""
        actions: list[str] = await self._ask(self.limits.step, "valid_actions")
        return actions

    async def expert_action(self) -> tuple[str, str] | None:
        """The expert's next (thought, action); None when it knows of nothing to do. The first may have to plan."""
        choice: tuple[str, str] | None = await self._ask(self.limits.start, "expert_action")
        return choice

    async def _ask(self, limit: float, method: str, *arguments: Any) -> Any:
        try:
            self._pipe.send((method, *arguments))
            answered, loop = asyncio.Event(), asyncio.get_running_loop()
            loop.add_reader(self._pipe.fileno(), answered.set)
            try:
                async with asyncio.timeout(limit):  # wait_for, in Python 3.11, may lose a cancellation
                    await answered.wait()
            finally:
                loop.remove_reader(self._pipe.fileno())
            value, error, trace = self._pipe.recv()
        except TimeoutError:
            self.kill()
            raise EngineFailure(f"the engine gave no answer to {method} within {limit:g} s") from None
        except (EOFError, OSError):
            self.kill()
            raise EngineFailure(f"the engine's process died during {method}") from None
        if isinstance(error, (ValueError, ImportError)):
            raise error  # the task or the installation is at fault: another try would end the same way
        if error is not None:
            self.kill()
            raise EngineFailure(f"the engine failed in {method}: {error}\n{trace}")
        return value

    def close(self) -> None:
        """Ask the process to release its engine and to end; kill it if it does not. Does nothing the second time."""
        with contextlib.suppress(OSError):
            self._pipe.send(None)
        self._process.join(timeout=5)
        self.kill()

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _main_hidden() -> Iterator[None]:
    """Each child would import the caller's script again, with all that it imports; engines do not need it."""
    main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _serve(pipe: Connection, make_environment: MakeEnvironment) -> None:
    """The engine's process: answer requests until there are no more (None, or the parent is gone)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    player = _Player(make_environment)
    with contextlib.suppress(EOFError, ConnectionError):
        while (request := pipe.recv()) is not None:
            method, *arguments = request
            try:
                pipe.send((getattr(player, method)(*arguments), None, ""))
            except (ValueError, ImportError) as error:
                pipe.send((None, type(error)(str(error)), ""))
            except Exception as error:
                pipe.send((None, RuntimeError(repr(error)), traceback.format_exc()))
    player.close()


class _Player:
    """What the parent may ask for."""

    def __init__(self, make_environment: MakeEnvironment) -> None:
        self._make = make_environment
        self._environment: Environment | None = None
        self._plan: Iterator[tuple[str, str]] | None = None

    def start(self, task: Task) -> Opening:
        self.close()
        env = self._environment = self._make(task)
        observation = env.reset(task)
        return Opening(observation, env.goal, env.rules, dict(env.commands), env.version)

    def step(self, action: str) -> StepResult:
        assert self._environment
        return self._environment.step(action)

    def valid_actions(self) -> list[str]:
        assert self._environment
        return self._environment.valid_actions()

    def expert_action(self) -> tuple[str, str] | None:
        assert self._environment
        self._plan = self._plan or self._environment.expert()
        return next(self._plan, None)

    def close(self) -> None:
        if self._environment:
            self._environment.close()
        self._environment = self._plan = None
