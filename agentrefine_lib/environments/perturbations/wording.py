"""Two wordings of the same commands: actions carried from one to the other, and commands found inside of texts."""

import re
from collections.abc import Iterable, Mapping

from agentrefine_lib.environments.signature import parse_command
from agentrefine_lib.schema.actions import Match, fill, placeholders

# Where a command that a text quotes may begin or end: quotes, and punctuation before a blank.
_EDGE = re.compile(r"""(["`]|(?<!\w)'|'(?!\w)|[,;:.](?=\s|["'`]|$))""")
_SEPARATORS = ([","], [";"])  # edges between the commands of a list
_BULLET = re.compile(r"^(?:[-*•]|\d+\.)\s+")
_APART, _TOGETHER = re.compile(r"\b([A-Za-z]+) (\d+)\b"), re.compile(r"\b([A-Za-z]+)(\d+)\b")  # "drawer 1", "drawer1"
_LONGEST = 25  # pieces between edges, edges included, that one command may span


class Wording:
    """The engine's commands, the old wording, under the signatures of a renaming, the new one.

    ``commands`` are the engine's signatures, ``renaming`` maps some of them to new ones. Raises ValueError where
    two new signatures cannot be told apart; it says ``where``.
    """

    def __init__(self, commands: Iterable[str], renaming: Mapping[str, str], where: str = "renaming") -> None:
        self.new = {old: renaming.get(old, old) for old in commands}
        demand_distinct(self.new.values(), where)
        self._old = {new: old for old, new in self.new.items()}
        self._bracketed = any("[" in new for new in self._old)
        self._closed = [old for old in self.new if placeholders(old) and not old.endswith("}")]

    def write(self, action: str) -> str:
        """An action of the old wording in the new one. Raises ValueError where the engine breaks its own grammar."""
        command = parse_command(action, self.new)
        if command is None:
            raise ValueError(f"the engine names an action {action!r} that fits none of its commands {list(self.new)}")
        return self._renamed(command)

    def read(self, action: str) -> str | None:
        """An action of the new wording in the old one, or None for any other text. A blank before the first bracket
        does not matter, as it does not to HotpotQA itself.

        None, too, where the translation would read as another command: if "go to {place}" was renamed and
        "go {direction}" was not, "go to bed" is no longer a command.
        """
        text = action.strip().rstrip(".")
        if self._bracketed:
            name, bracket, rest = text.partition("[")
            text = name.rstrip() + bracket + rest
        command = parse_command(text, self._old)
        if command is None:
            return None
        meant = Match(self._old[command.signature], command.arguments)
        understood = parse_command(str(meant), self.new)
        return str(meant) if understood and understood.signature == meant.signature else None

    def rewrite(self, text: str, about: Iterable[str] = ()) -> str:
        """A text with each command that it quotes in the new wording; everything else stays.

        Quotes, line ends, colons and full stops are the edges of passages. A passage is rewritten if it is a command,
        or a list of commands and of nothing else, separated by commas or semicolons; each has to be spelled just as the
        engine spells it. So lists of actions or of signatures are rewritten, commands in quotes, and those on a line of
        their own, but not "open what is closed, and look". A command may itself contain edges if its signature ends in
        a word of its own, which shows where it ends: "search[Springfield, Ohio]". In a line like "open {door}: open a
        door" the rest is the meaning of the command and stays.

        In running text, only commands given in ``about`` are renamed, old wording, where they stand word for word and
        have two words or more: "You cannot go to bed now".
        """
        words = [re.escape(action) for action in about if " " in action and parse_command(action, self.new)]
        spoken = re.compile(rf"(?i)(?<!\w)(?:{'|'.join(words)})(?!\w)" if words else "(?!)")
        return "\n".join(self._rewritten(line, spoken) for line in text.split("\n"))

    def _rewritten(self, line: str, spoken: re.Pattern[str]) -> str:
        pieces = _EDGE.split(line)  # stretch, edge, stretch, …, stretch
        written, at = [], 0
        while at < len(pieces):
            found = self._commands_at(pieces, at)
            if found is None:
                end, passage = _passage_at(pieces, at)
                passage = spoken.sub(lambda action: self.write(action[0]), passage)
            else:
                end, passage = found
            written += [passage, *pieces[end : end + 1]]
            if found and at == 0 and pieces[end : end + 1] == [":"]:
                return "".join([*written, *pieces[end + 1 :]])
            at = end + 1
        return "".join(written)

    def _commands_at(self, pieces: list[str], at: int) -> tuple[int, str] | None:
        """The passage that begins here, renamed, with the place of the edge behind it, if commands are all it holds."""
        written = ""
        while found := self._command_at(pieces, at):
            end, renamed = found
            written += renamed
            if pieces[end : end + 1] not in _SEPARATORS:
                return end, written
            written += pieces[end]
            at = end + 1
        return None

    def _command_at(self, pieces: list[str], at: int) -> tuple[int, str] | None:
        """The shortest command that begins here, renamed, with the place of the edge behind it."""
        for end in range(at + 1, min(at + _LONGEST, len(pieces)) + 1, 2):
            stretch = "".join(pieces[at:end])
            action = _BULLET.sub("", stretch.strip())
            command = parse_command(action, self.new if end == at + 1 else self._closed) if action else None
            if command and str(command) == action:
                before, _, after = stretch.rpartition(action)
                return end, before + self._renamed(command) + after
        return None

    def _renamed(self, command: Match) -> str:
        return fill(self.new[command.signature], command.arguments)


class JoinedNumbers:
    """The same commands with the name and the number of a thing in one word, "drawer1"; two words are refused."""

    def __init__(self, commands: Iterable[str]) -> None:
        self.new = {signature: signature for signature in commands}

    def write(self, action: str) -> str:
        return _APART.sub(r"\1\2", action)

    def read(self, action: str) -> str | None:
        text = action.strip().rstrip(".")
        apart = _TOGETHER.sub(r"\1 \2", text)
        return apart if not _APART.search(text) and parse_command(apart, self.new) else None

    def rewrite(self, text: str, about: Iterable[str] = ()) -> str:
        return self.write(text)


def _passage_at(pieces: list[str], at: int) -> tuple[int, str]:
    """The passage that begins here, as it is, with the place of the edge behind it."""
    end = at + 1
    while pieces[end : end + 1] in _SEPARATORS:
        end += 2
    return end, "".join(pieces[at:end])


def demand_distinct(signatures: Iterable[str], where: str) -> None:
    """Raise ValueError unless each signature, written with arguments of its own, reads as itself among all."""
    every = list(signatures)
    for signature in every:
        probe = Match(signature, {name: f"‹{name}›" for name in placeholders(signature)})
        found = parse_command(str(probe), every)
        if found != probe or every.count(signature) > 1:
            other = found.signature if found and found.signature != signature else signature
            told = f"{signature!r} cannot be told apart from {other!r}; choose other words for one of them"
            raise ValueError(f"{where}: {told}")
