"""Checks of any file in the released format: ``{"id", "conversations": [{"from", "value", "loss"}]}``, row by row.

Nothing stops at the first bad row: the report counts every flaw and shows the first rows that have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from pydantic import JsonValue, ValidationError

from agentrefine_lib.schema import Conversation, Record, explain, is_react
from agentrefine_lib.verify.rows import BadRow, read_rows

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES_KEPT = 3  # rows shown for each kind of flaw

Kind = Literal[
    "row_malformed",  # not JSON, or not the released format; nothing else is looked for in such a row
    "row_too_large",  # a line over MAX_ROW_BYTES
    "id_duplicate",  # an id that an earlier row has
    "first_not_human",  # the first message is a reply
    "last_not_gpt",  # the last message is no reply, so it teaches nothing
    "roles_not_alternating",  # two messages of one side in a row
    "value_empty",  # a message without text
    "reply_not_react",  # a reply without a Thought line, then one Action line
    "loss_on_human",  # a loss flag on what the model only reads
    "all_masked",  # every reply has loss false: nothing is learned
    "character_unfit",  # a control, direction or zero-width character
    "special_token",  # a token of a chat template, such as <|im_end|>: it would end the message early
]

_UNFIT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2028\u2029\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
)
_TOKEN = re.compile(r"<\|[\w ./:-]{1,40}\|>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>|<<?/?SYS>>?")


class Example(Record):
    """One place where a flaw was found."""

    row: int  # from 1; in JSONL, the line
    field: str
    excerpt: str


class Flaw(Record):
    """One kind of flaw in a file: how often, and where first."""

    kind: Kind
    count: int
    examples: list[Example]


class FileReport(Record):
    """What a file holds, and everything that is wrong with it."""

    path: str
    rows: int
    messages: int
    replies: int
    trained: int  # replies with loss true
    masked: int  # replies with loss false
    unmarked: int  # replies with loss null: every trainer learns them
    flaws: list[Flaw]

    @property
    def ok(self) -> bool:
        """True when nothing is wrong and there is at least one row."""
        return self.rows > 0 and not self.flaws

    def frame(self) -> pd.DataFrame:
        """One row per kind of flaw: kind, count, and the first place with its excerpt."""
        import pandas as pd

        rows = [
            {"kind": f.kind, "count": f.count, "row": f.examples[0].row, "field": f.examples[0].field}
            | {"excerpt": f.examples[0].excerpt}
            for f in self.flaws
        ]
        return pd.DataFrame(rows, columns=["kind", "count", "row", "field", "excerpt"])

    def __str__(self) -> str:
        lines = [
            f"{self.path}: {self.rows} rows, {self.replies} replies "
            f"({self.trained} trained, {self.masked} masked, {self.unmarked} unmarked): "
            + ("fine" if self.ok else f"{len(self.flaws)} kinds of flaws" if self.rows else "no rows")
        ]
        for flaw in self.flaws:
            lines.append(f"  {flaw.kind}: {flaw.count}")
            lines += [f"    row {e.row}, {e.field}: {e.excerpt}" for e in flaw.examples]
        return "\n".join(lines)


class _Found(NamedTuple):
    kind: Kind
    field: str
    excerpt: str


def check_file(path: Path | str) -> FileReport:
    """Check every row of a JSONL or Parquet file in the released format.

    Memory holds one row (of Parquet one batch) and some 100 bytes per id. Raises SchemaError when the file as a whole
    cannot be read: a folder, no such file, a Parquet file that was cut short.
    """
    flaws: dict[Kind, Flaw] = {}
    count = dict.fromkeys(("rows", "messages", "replies", "trained", "masked", "unmarked"), 0)
    ids: set[bytes] = set()
    for number, raw in read_rows(path):
        count["rows"] += 1
        conversation = _parse(raw)
        if isinstance(conversation, Conversation):
            for name, more in _census(conversation).items():
                count[name] += more
            found = _inspect(conversation, ids)
        else:
            found = iter([conversation])
        for kind, field, excerpt in found:
            flaw = flaws.setdefault(kind, Flaw(kind=kind, count=0, examples=[]))
            flaw.count += 1
            if len(flaw.examples) < EXAMPLES_KEPT:
                flaw.examples.append(Example(row=number, field=field, excerpt=excerpt))
    return FileReport(path=str(path), **count, flaws=[flaws[kind] for kind in get_args(Kind) if kind in flaws])


def _parse(raw: JsonValue | BadRow) -> Conversation | _Found:
    if isinstance(raw, BadRow):
        return _Found(raw.kind, "row", raw.detail)
    try:
        return Conversation.model_validate(raw)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"]) or "row"
        return _Found("row_malformed", where[:80], explain(error))


def _census(conversation: Conversation) -> dict[str, int]:
    losses = [reply.loss for reply in conversation.replies]
    return {
        "messages": len(conversation.conversations),
        "replies": len(losses),
        "trained": losses.count(True),
        "masked": losses.count(False),
        "unmarked": losses.count(None),
    }


def _inspect(conversation: Conversation, ids: set[bytes]) -> Iterator[_Found]:
    """Everything wrong with one well-formed row; its id is added to the ids seen."""
    key = blake2b(conversation.id.encode(), digest_size=8).digest()
    if key in ids:
        yield _Found("id_duplicate", "id", repr(conversation.id[:80]))
    ids.add(key)
    messages = conversation.conversations
    if messages[0].sender != "human":
        yield _Found("first_not_human", "conversations.0.from", messages[0].sender)
    if messages[-1].sender != "gpt":
        yield _Found("last_not_gpt", f"conversations.{len(messages) - 1}.from", messages[-1].sender)
    replies = conversation.replies
    if replies and not any(reply.is_trained for reply in replies):
        yield _Found("all_masked", "conversations", f"all {len(replies)} replies have loss false")
    for index, message in enumerate(messages):
        where = f"conversations.{index}"
        if index and message.sender == messages[index - 1].sender:
            yield _Found("roles_not_alternating", f"{where}.from", f"two {message.sender} messages in a row")
        if message.sender == "human" and message.loss is not None:
            yield _Found("loss_on_human", f"{where}.loss", str(message.loss))
        if not message.value.strip():
            yield _Found("value_empty", f"{where}.value", repr(message.value[:80]))
        elif message.sender == "gpt" and not is_react(message.value):
            yield _Found("reply_not_react", f"{where}.value", repr(message.value[:80]))
        if unfit := _UNFIT.search(message.value):
            yield _Found("character_unfit", f"{where}.value", f"U+{ord(unfit[0]):04X}")
        if token := _TOKEN.search(message.value):
            yield _Found("special_token", f"{where}.value", repr(token[0]))
