"""Every completion ever paid for, in one JSONL file: found by the key of its request, read when it is needed."""

from collections.abc import Iterator
from pathlib import Path

from agentrefine_lib.endpoint.failures import EndpointError
from agentrefine_lib.endpoint.request import Completion, is_blank
from agentrefine_lib.schema import Journal, parse_line, read_lines


class NotRecordedError(EndpointError):
    """Replay met a request that is not in the recording; nothing was sent."""


class Recording:
    """A recording open for reading, and for appending when ``writable``. Memory holds the keys, not the texts."""

    def __init__(self, path: Path, writable: bool) -> None:
        if not writable and not path.exists():
            raise NotRecordedError(f"{path}: no such recording; make one with mode='record'")
        self.path = path
        self._journal = Journal(path, Completion, key=lambda completion: completion.key) if writable else None
        self._file = open(path, "rb")  # noqa: SIM115
        self.offsets: dict[str, int] = {}

    def scan(self) -> Iterator[Completion]:
        """Index the file, yielding what it holds; a half-written last line is left out. Raises SchemaError.

        Answers without text, which older versions recorded, were paid for, and are not found: they are asked again.
        """
        for number, offset, line in read_lines(self.path, growing=True):
            completion = parse_line(line, Completion, f"{self.path}:{number}")
            if not is_blank(completion.text):
                self.offsets[completion.key] = offset
            yield completion

    def get(self, key: str) -> Completion | None:
        if key not in self.offsets:
            return None
        self._file.seek(self.offsets[key])
        return Completion.model_validate_json(self._file.readline())

    def append(self, completion: Completion) -> None:
        """Add one completion; when this returns, no kill can lose it."""
        assert self._journal is not None
        offset = self._file.seek(0, 2)
        self._journal.append(completion)
        self.offsets[completion.key] = offset

    def close(self) -> None:
        self._file.close()
        if self._journal is not None:
            self._journal.__exit__(None, None, None)
