"""One story file in the Frotz interpreter: a command in, a cleaned reply out; the whole machine saved and restored."""

from __future__ import annotations

import lzma
import random
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from jericho import FrotzEnv, UnsupportedGameWarning
from jericho.util import recognized

# The prompt of our own games carries the verdict on the last command (games/common.ni).
_VERDICT = re.compile(r"\n(ok|format|parameter|logic)> *(.*)\Z")
_PROMPT = re.compile(r"\n\s*>.*\Z")  # any other game's; behind it stands the status line
_ENDING = re.compile(r"\*\*\*+\s*(\S.*?)\s*\*\*\*+")
_QUESTION = re.compile(r"(Would you|Do you want) like to RESTART.*", re.DOTALL)
_SCORE = re.compile(r"\[Your score has[^\]]*\]")
_UNSEEN = re.compile(r"(can't|don't|cannot) see (any|that|the)\b|no such thing", re.IGNORECASE)
_GARBLED = re.compile(r"I only understood|I didn't understand|I beg your pardon|Whom? do you want|What do you want")
_REFUSED = re.compile(
    r"(\(.*?\) )?(You (can't|cannot|can only|must|already|aren't|don't have|have to)|That('s| can't| doesn't| isn't)"
    r"|It (isn't|seems to be|is already)|There (is|are) (no|nothing)|.{,60}\b(is|are) (fixed|already|closed))\b"
)


class Reply(NamedTuple):
    """The game's answer. ``ending`` is how the story ended, e.g. "You have won", and empty while it goes on."""

    text: str
    error: str | None  # as in StepResult
    room: str  # as the status line names it; empty where there is none
    ending: str

    @property
    def won(self) -> bool:
        return "won" in self.ending.lower() or self.ending == "The End"


class Story:
    """A running story. ``path`` is a Z-machine file, or one packed with xz. Nothing stays on disk.

    ``seed`` fixes the story's random numbers; 0 is the seed of jericho's walkthrough where it has one. Raises
    ValueError for a file that is no story.
    """

    def __init__(self, path: Path, seed: int) -> None:
        packed = path.suffix == ".xz"
        data = lzma.decompress(path.read_bytes()) if packed else path.read_bytes()
        if len(data) < 64 or data[0] not in range(3, 9):  # Frotz would end the whole process
            raise ValueError(f"{path}: found no Z-machine story (versions 3 to 8), expected a file such as zork1.z5")
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore", UnsupportedGameWarning)  # it knows no score of our games; we count
            if packed:
                path = Path(folder) / path.stem
                path.write_bytes(data)
            self._frotz = FrotzEnv(str(path))
            documented = self._frotz.bindings.get("seed") if seed == 0 else None
            self._frotz.seed(documented or random.Random(seed).randrange(1, 2**31))  # 0 and -1 would mean the clock
            self.supported: bool = self._frotz.is_fully_supported
            self.first = _read(self._frotz.reset()[0])
        self.room = self.first.room

    def send(self, command: str) -> Reply:
        """Play one line of printable text."""
        reply = _read(self._frotz.step(command)[0])
        self.room = reply.room
        if self.supported:  # by the text alone, a game that revives its dead would seem to end
            won, over = self._frotz.victory(), self._frotz.game_over()
            reply = reply._replace(ending="You have won" if won else "You have lost" if over else "")
        if self._frotz._emulator_halted():
            reply = reply._replace(ending=reply.ending or "The story has ended")
        return reply

    def save(self) -> Any:
        """The state of the machine, its random numbers included."""
        return self._frotz.get_state(), self.room

    def restore(self, state: Any) -> None:
        machine, self.room = state
        self._frotz.set_state(machine)

    def took_effect(self) -> bool:
        """Whether the last command changed the world: jericho's test of valid actions. True where it cannot tell."""
        return not self.supported or self._frotz._world_changed()

    def score(self) -> float:
        """The share of the game's points that are made, in [0, 1]; 0 where jericho does not know the game's score."""
        most = self._frotz.get_max_score()
        return min(1.0, max(0.0, self._frotz.get_score() / most)) if most > 0 else 0.0


def _read(raw: str) -> Reply:
    verdict = _VERDICT.search(raw)
    room = verdict[2].strip() if verdict else ""
    body = raw[: verdict.start()] if verdict else _PROMPT.sub("", raw)
    text = _clean(body.replace(f"\n{room}\n", f"\n{room}: ") if room else body)
    ending = _ENDING.search(text)
    error = None if ending else _error(text)
    if verdict and not ending:
        error = None if verdict[1] == "ok" else verdict[1]
    return Reply(text, error, room, ending[1] if ending else "")


def _clean(body: str) -> str:
    """AgentBoard's form: one line, without banner, score lines and the question after the end."""
    paragraphs = re.split(r"\n\s*\n", _SCORE.sub("", _QUESTION.sub("", body)))
    kept = [text for text in paragraphs if "serial number" not in text.lower() and "$$" not in text]
    return " ".join(" ".join(kept).split())


def _error(text: str) -> str | None:
    """Judge a reply by the usual sentences of interactive fiction."""
    if _UNSEEN.search(text):
        return "parameter"
    if _GARBLED.match(text) or not recognized(text):
        return "format"
    return "logic" if _REFUSED.match(text) else None
