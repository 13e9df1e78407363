"""An engine in a process of its own: it may hang, crash or leak, and the run goes on.

Engines run beside the model, not in its way: every call is a coroutine. A call that gets no answer in time or a bad
one, or that raises, or whose process dies, kills the process and raises EngineFailure; the episode can then be played
again in a fresh one. What an engine raises crosses as text: its type may not exist here. Engines see no GPU.
"""

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

from pydantic import ConfigDict, TypeAdapter, ValidationError

from agentrefine_lib.environments.protocol import Environment, StepResult, Text
from agentrefine_lib.environments.registry import engines
from agentrefine_lib.schema import Task, explain

MakeEnvironment = Callable[[Task], Environment]  # of a module that engine processes can import: they call it

_CONTEXT = get_context("forkserver")  # children start in milliseconds and hold nothing of this process


class EngineFailure(RuntimeError):  # noqa: N818  (an event of the run, like a signal, not a mistake of the caller)
    """The engine's process died, raised, or gave a bad answer or none in time. The episode may be played again.

    The first line says what happened, in which task; ``engine`` is the process that it happened to.
    """

    def __init__(self, told: str, engine: "EngineProcess") -> None:
        super().__init__(told)
        self.engine = engine


class Opening(NamedTuple):
    """What an episode starts with; ``commands`` maps signatures to meanings, ``version`` names engine and data."""

    observation: Text
    goal: Text
    rules: Text
    commands: dict[Text, Text]
    version: Text


_STRICT = ConfigDict(strict=True)
_ANSWERS: dict[str, TypeAdapter[Any]] = {  # by method; what passes is of Python's own types, safe to unpickle
    "start": TypeAdapter(Opening, config=_STRICT),
    "step": TypeAdapter(StepResult, config=_STRICT),
    "valid_actions": TypeAdapter(list[Text], config=_STRICT),
    "expert_action": TypeAdapter(tuple[Text, Text] | None, config=_STRICT),
}
TOLD = 1_000  # characters of what went wrong: an exception may hold a whole file


@dataclass(frozen=True)
class TimeLimits:
    """Wall-clock seconds after which an engine counts as hung. Starting includes JVMs and the making of games."""

    start: float = 180.0
    step: float = 30.0


class EngineProcess:
    """One engine that plays one task at a time. Use from one event loop; ``close`` when done."""

    def __init__(self, make_environment: MakeEnvironment, limits: TimeLimits = TimeLimits()) -> None:
        self.limits = limits
        self._task = ""
        self._turn = asyncio.Lock()
        self._waiting: tuple[asyncio.AbstractEventLoop, int, asyncio.Event] | None = None  # for an answer
        _CONTEXT.set_forkserver_preload(_preloaded())
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
        self._task = task.id
        if not self._turn.locked():
            self._turn = asyncio.Lock()  # of the running loop
        return await self._ask(self.limits.start, "start", task)

    async def step(self, action: str) -> StepResult:
        return await self._ask(self.limits.step, "step", action)

    async def valid_actions(self) -> list[str]:
        return await self._ask(self.limits.step, "valid_actions")

    async def expert_action(self) -> tuple[str, str] | None:
        """The expert's next (thought, action); None when it knows of nothing to do. The first may have to plan."""
        return await self._ask(self.limits.start, "expert_action")

    async def _ask(self, limit: float, method: str, *arguments: Any) -> Any:
        async with self._turn:  # an answer belongs to one question, also where a policy asks for several at once
            try:
                value, failure = await self._exchange(limit, method, *arguments)
            except TimeoutError:
                failure = f"gave no answer to {method} within {limit:g} s"
            except (EOFError, OSError):
                failure = f"died during {method}"
            except asyncio.CancelledError:  # its answer would be taken for the next one's
                self.kill()
                raise
            if failure:
                self.kill()
                raise EngineFailure(f"{self._task}: the engine {failure}", self)
            return value

    async def _exchange(self, limit: float, method: str, *arguments: Any) -> Any:
        self._pipe.send((method, *arguments))
        answered, loop, pipe = asyncio.Event(), asyncio.get_running_loop(), self._pipe.fileno()
        loop.add_reader(pipe, answered.set)
        self._waiting = loop, pipe, answered
        try:
            async with asyncio.timeout(limit):  # wait_for, in Python 3.11, may lose a cancellation
                await answered.wait()
        finally:
            self._stop_watching()
        return self._pipe.recv()

    def _stop_watching(self) -> None:
        """Before the pipe is closed, or the loop hears nothing of the next pipe, which gets its number."""
        if self._waiting:
            (loop, pipe, answered), self._waiting = self._waiting, None
            loop.remove_reader(pipe)
            answered.set()

    def close(self) -> None:
        """Ask the process to release its engine and to end; kill it if it does not. Does nothing the second time."""
        with contextlib.suppress(OSError):
            self._pipe.send(None)
        self._process.join(timeout=5)
        self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self._stop_watching()
        self._pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _preloaded() -> list[str]:
    """What the server that engine processes are forked from imports once for all of them."""
    own = [f"agentrefine_lib.environments.{name}" for name in ("no_accelerator", "process")]
    return own + [engine.environment.partition(":")[0] for engine in engines().values() if engine.preload]


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
    from agentrefine_lib.environments import no_accelerator  # noqa: F401  (also where a preload failed)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    player = _Player(make_environment)
    with contextlib.suppress(EOFError, ConnectionError):
        while (request := pipe.recv()) is not None:
            pipe.send(_answer(player, *request))
    player.close()


def _answer(player: "_Player", method: str, *arguments: Any) -> tuple[Any, str]:
    """What the engine gives, checked; or None and why not: one line, then the traceback."""
    try:
        given = getattr(player, method)(*arguments)
    except BaseException as error:  # SystemExit, too
        told = "".join(traceback.format_exception_only(error))
        trace = "".join(traceback.format_exception(error)).encode(errors="backslashreplace").decode()
    else:
        try:
            return _ANSWERS[method].validate_python(given), ""
        except ValidationError as error:
            told, trace = f"a bad answer, {explain(error)}", ""
    said = " ".join(told[:TOLD].encode(errors="backslashreplace").decode().split())
    return None, f"failed in {method}: {said}\n{trace}".strip()


class _Player:
    """What the parent may ask for."""

    def __init__(self, make_environment: MakeEnvironment) -> None:
        self._make = make_environment
        self._environment: Any = None  # an Environment, once there is one
        self._plan: Iterator[tuple[str, str]] | None = None

    def start(self, task: Task) -> Opening:
        with contextlib.suppress(Exception):  # of the episode before, which is on disk
            self.close()
        env = self._environment = self._make(task)
        return Opening(env.reset(task), env.goal, env.rules, dict(env.commands), env.version)

    def step(self, action: str) -> StepResult:
        return self._environment.step(action)

    def valid_actions(self) -> list[str]:
        return self._environment.valid_actions()

    def expert_action(self) -> tuple[str, str] | None:
        self._plan = self._plan or self._environment.expert()
        return next(self._plan, None)

    def close(self) -> None:
        environment, self._environment, self._plan = self._environment, None, None
        if environment:
            environment.close()
