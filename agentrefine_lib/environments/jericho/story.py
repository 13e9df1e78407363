"""One story file in the Frotz interpreter: a command in, a cleaned reply out; the whole machine saved and restored."""

import hashlib
import lzma
import random
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from jericho import FrotzEnv, UnsupportedGameWarning
from jericho.defines import BINDINGS_DICT
from jericho.util import recognized

# The prompt of our own games carries the verdict on the last command (games/common.ni).
_VERDICT = re.compile(r"\n(ok|format|parameter|logic)> *(.*)\Z")
_PROMPT = re.compile(r"\n\s*>.*\Z")  # any other game's; behind it stands the status line
_ENDING = re.compile(r"\*\*\*+\s*(\S.*?)\s*\*\*\*+")
_QUESTION = re.compile(r"(Would you|Do you want) like to RESTART.*", re.DOTALL)
_SCORE = re.compile(r"\[Your score has[^\]]*\]")
_UNSEEN = re.compile(r"(can't|don't|cannot) see (any|that|the)\b|no such thing", re.IGNORECASE)
_GARBLED = re.compile(
    r"I only understood|I didn't understand|(I )?beg (your )?pardon|Whom? do you want|What do you want", re.IGNORECASE
)
_REFUSED = re.compile(
    r"(\(.*?\)\s)?(You (can't|cannot|can only|must|already|aren't|don't have|have to)|That('s| can't| doesn't| isn't)"
    r"|It (isn't|seems to be|is already)|There (is|are) (no|nothing)|.{,60}\b(is|are) (fixed|already|closed|locked))\b"
)
_POINTS = re.compile(r"(-?\d+)(?: points?)?,? \(?(?:out of|total of)(?: a)?(?: possible| maximum of| total of)? (\d+)")
# They change nothing, and what they tell may read like a refusal: "The mailbox is closed."
LOOKING = {"look", "l", "examine", "x", "inventory", "inv", "i", "read", "search", "wait", "z"}
HALTED = "The interpreter has halted"
VERSIONS = {3: 2, 4: 4, 5: 4, 7: 8, 8: 8}  # of files without pictures → bytes in one unit of the header's length


class Reply(NamedTuple):
    """The game's answer. ``ending`` is how the story ended, e.g. "You have won", and empty while it goes on; HALTED is
    no end of the story but of its interpreter."""

    text: str
    error: str | None  # as in StepResult
    room: str  # as the status line names it; empty where there is none
    ending: str

    @property
    def won(self) -> bool:
        return bool(re.search(r"\bwon\b(?!['’])", self.ending.lower())) or self.ending == "The End"


class Story:
    """A running story. ``path`` is a Z-machine file, or one packed with xz. Nothing stays on disk.

    ``seed`` fixes the story's random numbers; 0 is the seed of jericho's walkthrough where it has one. ``version`` is
    the file's own. Raises ValueError for a file that is no story, or not a whole one.
    """

    def __init__(self, path: Path, seed: int) -> None:
        packed = path.suffix == ".xz"
        data = lzma.decompress(path.read_bytes()) if packed else path.read_bytes()
        digest = hashlib.md5(data).hexdigest()  # jericho's name for a game that it knows
        self.version = digest[:8]
        if digest not in BINDINGS_DICT and (wrong := _damage(data)):  # Frotz would end the whole process
            raise ValueError(f"{path}: {wrong}")
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
        self._last = self.first
        if self._frotz._emulator_halted():
            raise ValueError(f"{path}: the interpreter halts before the first command; is this file a whole story?")

    def send(self, command: str) -> Reply:
        """Play one line of printable text."""
        raw, points, *_ = self._frotz.step(command)
        reply = _read(raw, command)
        self.room = reply.room
        if self.supported:  # by the text alone, a game that revives its dead would seem to end
            won, over = self._frotz.victory(), self._frotz.game_over()
            reply = reply._replace(ending="You have won" if won else "You have lost" if over else "")
            if points or self._frotz._world_changed():  # whatever was said about it, something was done
                reply = reply._replace(error=None)
        if self._frotz._emulator_halted():  # by an error: a story that ends by itself does not halt it
            reply = reply._replace(ending=HALTED)
        self._last = reply
        return reply

    def save(self) -> Any:
        """The state of the machine, its random numbers included."""
        return self._frotz.get_state(), self.room, self._last

    def restore(self, state: Any) -> None:
        machine, self.room, self._last = state
        if self._frotz._emulator_halted():
            self._frotz.reset()
        self._frotz.set_state(machine)

    def took_effect(self) -> bool:
        """Whether the last command changed the world: jericho's test of valid actions. True where it cannot tell."""
        return not self.supported or self._frotz._world_changed()

    def score(self) -> float | None:
        """The share of the game's points that are made, in [0, 1]: jericho's number, or else what the story answers to
        "score"; None where neither knows. The state is kept."""
        made, most = self._frotz.get_score(), self._frotz.get_max_score()
        if not self.supported:
            start, said = self.save(), self._last
            if not said.ending:
                said = self.send("score")
                self.restore(start)
            told = _POINTS.search(said.text)
            made, most = map(int, told.groups()) if told else (0, 0)
        return min(1.0, max(0.0, made / most)) if most > 0 else None


def _damage(data: bytes) -> str:
    """What is wrong with a story file, by its header (Z-Machine Standards Document 1.1, section 11); empty if nothing.

    Early files say neither their length nor their checksum; longer ones are filled up after their end.
    """
    if len(data) < 64 or data[0] not in VERSIONS:
        found = f"version byte {data[0]}" if data else "an empty file"
        versions = ", ".join(map(str, VERSIONS))
        return f"found {found}, no Z-machine story of versions {versions}; expected a file such as zork1.z5"
    length, checksum = (int.from_bytes(data[at : at + 2]) for at in (0x1A, 0x1C))
    length *= VERSIONS[data[0]]
    if length > len(data):
        return f"found {len(data):,} bytes, its header says {length:,}: the end is missing; get the file again"
    added = sum(data[64:length]) % 0x10000
    if length and checksum and added != checksum:
        return f"found the checksum {added}, its header says {checksum}: the file was altered; get it again"
    return ""


def _read(raw: str, command: str = "") -> Reply:
    verdict = _VERDICT.search(raw)
    room = verdict[2].strip() if verdict else ""
    body = raw[: verdict.start()] if verdict else _PROMPT.sub("", raw)
    text = _clean(body.replace(f"\n{room}\n", f"\n{room}: ") if room else body)
    ending = _ENDING.search(text)
    error = None if ending else _error(text, body.strip())
    if error == "logic" and command.split()[:1] and command.split()[0] in LOOKING:
        error = None
    if verdict and not ending:
        error = None if verdict[1] == "ok" else verdict[1]
    return Reply(text, error, room, ending[1] if ending else "")


def _clean(body: str) -> str:
    """AgentBoard's form: one line, without banner, score lines and the question after the end."""
    paragraphs = re.split(r"\n\s*\n", _SCORE.sub("", _QUESTION.sub("", body)))
    kept = [text for text in paragraphs if "serial number" not in text.lower() and "$$" not in text]
    return " ".join(" ".join(kept).split())


def _error(text: str, lines: str) -> str | None:
    """Judge a reply by the usual sentences of interactive fiction; a refusal begins it, and is not a room's title."""
    if _UNSEEN.search(text):
        return "parameter"
    if _GARBLED.match(text) or not recognized(text):
        return "format"
    return "logic" if _REFUSED.match(lines) else None
