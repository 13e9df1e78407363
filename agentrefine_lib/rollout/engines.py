"""Engine processes kept for the next episode."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from agentrefine_lib.environments.process import EngineProcess, MakeEnvironment, TimeLimits

REUSED = 50  # episodes that one process plays before a fresh one takes its place: engines leak


class EnginePool:
    """Lends one process per episode; the same process plays one kind of engine only, which may keep what is loaded."""

    def __init__(self, make: MakeEnvironment, limits: TimeLimits) -> None:
        self._make, self._limits = make, limits
        self._idle: dict[str, list[tuple[EngineProcess, int]]] = defaultdict(list)

    @contextmanager
    def lend(self, engine: str) -> Iterator[EngineProcess]:
        """A process for one episode of this engine. It is killed when the block ends in an error, else kept."""
        idle = self._idle[engine]
        process, played = idle.pop() if idle else (EngineProcess(self._make, self._limits), 0)
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        if played + 1 < REUSED:
            idle.append((process, played + 1))
        else:
            process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for processes in self._idle.values():
            for process, _played in processes:
                process.close()
        self._idle.clear()
