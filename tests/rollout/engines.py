"""Engines that are uneven, slow or faulty; in a module of their own, since each engine process imports it."""

import os
import time

from agentrefine_lib.environments.babyai import BabyAI

CHOSEN = "babyai/GoToRedBallGrey/2"  # the task in which a faulty engine fails


def uneven(task):
    return Uneven()


class Uneven(BabyAI):
    """BabyAI with steps of very different duration."""

    def step(self, action):
        time.sleep(0.02 * (len(action) % 3))
        return super().step(action)


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
