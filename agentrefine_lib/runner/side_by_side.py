"""One chapter in a process of its own, so that several run at a time."""

import multiprocessing
import os
import re
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any, TextIO

from agentrefine_lib.runner.attempt import NotebookFailedError, attempt
from agentrefine_lib.runner.fingerprint import Digests, State, Verdict
from agentrefine_lib.runner.profile import Notebook, Profile

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["papermill"])  # it takes a second to import: once for all


class Attempt:
    """A chapter that runs. ``over`` can be waited for by ``multiprocessing.connection.wait``."""

    def __init__(self, notebook: Notebook, profile: Profile, verdict: Verdict) -> None:
        self.notebook = notebook
        self.over, theirs = PROCESSES.Pipe(duplex=False)  # an answer, or the end of a process that gave none
        self._process = PROCESSES.Process(target=_attempt, args=(notebook, profile, verdict, theirs))
        self._process.start()
        theirs.close()

    def result(self) -> State:
        """How it ended. Raises what the attempt raised."""
        try:
            told = self.over.recv()
        except EOFError:
            raise NotebookFailedError(f"{self.notebook.name} failed: its process died, perhaps out of memory") from None
        if isinstance(told, BaseException):
            raise told
        return State.model_validate(told)

    def interrupt(self) -> None:
        """End it as ^C would, its kernel, too."""
        if self._process.is_alive() and self._process.pid:
            os.kill(self._process.pid, signal.SIGINT)

    def join(self) -> None:
        """Wait until it is over, however it ended; its answer is no longer wanted."""
        self.over.close()  # or one that fills the pipe would wait to be read, and this for it
        self._process.join()


def _attempt(notebook: Notebook, profile: Profile, verdict: Verdict, answer: Connection) -> None:
    os.setpgrp()  # ^C in a terminal reaches the runner alone, which passes it on once
    signal.signal(signal.SIGINT, signal.default_int_handler)
    Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    tag = f"{notebook.name.partition('_')[0]} | "
    sys.stdout, sys.stderr = Tagged(sys.stdout, tag), Tagged(sys.stderr, tag)
    try:
        answer.send(attempt(notebook, profile, Digests(profile), verdict))
    except (Exception, KeyboardInterrupt) as error:
        with suppress(OSError):  # a runner that was interrupted does not listen any more
            answer.send(error)


def _end_with(runner: Any) -> None:
    """A runner that is killed takes its chapters along; their kernels end by themselves."""
    runner.join()
    os._exit(1)


class Tagged:
    """A stream in which each line begins with the chapter that wrote it; a progress bar's states are lines, too."""

    def __init__(self, stream: TextIO, tag: str) -> None:
        self._stream, self._tag, self._begins = stream, tag, True

    def write(self, text: str) -> None:
        lines = [line for line in re.split(r"(?<=[\r\n])", text) if line]
        for line in lines:
            blank = not line.strip("\r\n")
            self._stream.write(line if blank or not self._begins else self._tag + line)
            self._begins = line[-1] in "\r\n"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
