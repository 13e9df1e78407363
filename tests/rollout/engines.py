"""Engines that are uneven, slow or faulty; in a module of their own, since each engine process imports it."""

import json
import os
import subprocess
import sys
import time

from agentrefine_lib.environments.babyai.environment import BabyAI
from agentrefine_lib.environments.protocol import StepResult
from agentrefine_lib.schema import MAX_LINE_BYTES

CHOSEN = "babyai/GoToRedBallGrey/2"  # the task in which a faulty engine fails


def uneven(task):
    return Uneven()


class Uneven(BabyAI):
    """BabyAI with steps of very different duration."""

    def step(self, action):
        time.sleep(0.02 * (len(action) % 3))
        return super().step(action)


SEES = ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS")
SEEN = {name: os.environ.get(name) for name in SEES}  # while an engine's process imports what its engine needs


def seeing(task):
    return Seeing()


class Seeing(BabyAI):
    """BabyAI that tells which accelerators its process sees: at import, later, and in a program that it starts."""

    def reset(self, task):
        super().reset(task)
        program = "import json, os; print(json.dumps(dict(os.environ)))"
        child = json.loads(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)
        return json.dumps([SEEN, *({name: seen.get(name) for name in SEES} for seen in (os.environ, child))])


SLOW = 0.15


def slow(task):
    return Slow()


class Slow(BabyAI):
    def step(self, action):
        time.sleep(SLOW)
        return super().step(action)


def faulty(how, marker, task):
    return Faulty(how, marker, task.id == CHOSEN)


class Faulty(BabyAI):
    """BabyAI that fails at its third step in one task, once; or always when ``marker`` is None."""

    def __init__(self, how, marker, chosen):
        super().__init__()
        self.how, self.marker, self.chosen, self.steps = how, marker, chosen, 0

    def step(self, action):
        self.steps += 1
        if self.chosen and self.steps == 3 and not (self.marker and self.marker.exists()):
            if self.marker:
                self.marker.touch()
            {"dies": lambda: os._exit(3), "hangs": lambda: time.sleep(600), "raises": lambda: 1 / 0}[self.how]()
        return super().step(action)


class OddError(Exception):
    """Cannot be made again from its text, pickled, or even shown."""

    def __init__(self, one, two):
        super().__init__(one, lambda: two)

    def __str__(self):
        raise RuntimeError("not even this")


def raises_odd():
    raise OddError(1, 2)


RAISES = {  # the name of the type that is told → what raises it
    "ValueError": lambda: int("no number \ud800"),
    "ModuleNotFoundError": lambda: __import__("no_such_module"),
    "JSONDecodeError": lambda: json.loads("{"),
    "UnicodeDecodeError": lambda: b"\xff".decode(),
    "SystemExit": lambda: sys.exit(3),
    "OddError": raises_odd,
}
ENDLESS = StepResult("a" * (MAX_LINE_BYTES // 3), 0.5, False, False, None)
BAD = {  # the field that is named → a result that no episode can hold
    "observation: found None": StepResult(None, 0.5, False, False, None),
    "observation: found '": StepResult("half a pair: \ud83d", 0.5, False, False, None),
    "progress: found None": StepResult("a", None, False, False, None),
    "progress: found nan": StepResult("a", float("nan"), False, False, None),
    "progress: found 1.2": StepResult("a", 1.2, False, False, None),
    "progress: found -0.1": StepResult("a", -0.1, False, False, None),
    "success: found 1": StepResult("a", 1.0, 1, False, None),
    "done: found None": StepResult("a", 1.0, True, None, None),
    "error: found ''": StepResult("a", 1.0, True, True, ""),
    "error: found ValueError": StepResult("a", 1.0, True, True, ValueError("a")),
    "record: found None": None,
}


def broken(method, how, marker, task):
    return Broken(method, how, marker) if task.id == CHOSEN else BabyAI()


class Broken(BabyAI):
    """BabyAI whose ``method`` fails the second time it is called, or the first time where there is but one; once if
    ``marker`` is a path, else always."""

    def __init__(self, method, how, marker):
        super().__init__()
        self.how, self.marker, self.calls = how, marker, 0
        own, least = getattr(self, method), 1 if method in ("reset", "expert") else 2
        setattr(self, method, lambda *given: self.fail() if self.due(least) else own(*given))

    def due(self, least):
        self.calls += 1
        return self.calls >= least and not (self.marker and self.marker.exists())

    def fail(self):
        if self.marker:
            self.marker.touch()
        if self.how == "endless":
            return ENDLESS
        return BAD[self.how] if self.how in BAD else RAISES[self.how]()
