"""What a teacher is: somebody who writes scripts from personas and plays trajectories through them."""

from typing import NamedTuple, Protocol

from pydantic import JsonValue

from agentrefine_lib.schema import Script, Turn


class Brief(NamedTuple):
    """One piece of work for a teacher. The same brief gives the same result."""

    persona: str
    seed: int
    attempt: int = 0  # how many results for this persona and seed were rejected before

    @property
    def key(self) -> str:
        return f"{self.seed}|{self.attempt}|{self.persona}"

    @property
    def world_key(self) -> str:
        """What a world is drawn from: every attempt, and every training set, plays the world of the first."""
        return self._replace(attempt=0).key


class Teacher(Protocol):
    """Results are raw JSON values: whoever asks has to verify them."""

    name: str

    def domain(self, brief: Brief) -> str:
        """The kind of world that the brief is set in, for statistics; "" when the teacher does not know."""

    async def write_script(self, brief: Brief) -> JsonValue:
        """A script for the persona, as the paper's JSON."""

    async def play(self, brief: Brief, script: Script, prefix: list[Turn]) -> JsonValue:
        """The list of turns that continues ``prefix`` to the end of the play, as the paper's JSON."""
