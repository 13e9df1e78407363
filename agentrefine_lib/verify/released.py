"""Checks of any file in the released format: ``{"id", "conversations": [{"from", "value", "loss"}]}``, row by row.

Nothing stops at the first bad row: the report counts every flaw and shows the first rows that have it.
"""

import re
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from pydantic import JsonValue, ValidationError

from agentrefine_lib.schema import SPECIAL_TOKEN, Conversation, explain, is_react
from agentrefine_lib.verify.rows import BadRow, read_rows

EXAMPLES_KEPT = 3  # rows shown for each kind of flaw
LOSSES = {True: "trained", False: "masked", None: "unmarked"}

Kind = Literal[
    "row_malformed",  # not JSON, or not the released format; nothing else is looked for in such a row
    "row_too_large",  # a line over MAX_LINE_BYTES
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
_TOKEN = re.compile(rf"{SPECIAL_TOKEN.pattern}|</?SYS>")  # or Llama's mark in single brackets


class Flaw(NamedTuple):
    """One thing that is wrong with a row."""

    kind: Kind
    field: str
    excerpt: str
    row: int = 0  # from 1; in JSONL, the line


class FileReport(NamedTuple):
    """What a file holds, and everything that is wrong with it: rows, replies, and replies by their ``loss``."""

    path: str
    counts: Counter[
        str
    ]  # of rows, replies, trained (true), masked (false) and unmarked (null: every trainer learns it)
    flaws: dict[Kind, int]
    examples: list[Flaw]  # the first of each kind

    @property
    def ok(self) -> bool:
        """True when nothing is wrong and there is at least one row."""
        return self.counts["rows"] > 0 and not self.flaws

    def __str__(self) -> str:
        count = self.counts
        verdict = "fine" if self.ok else f"{len(self.flaws)} kinds of flaws" if count["rows"] else "no rows"
        by_loss = ", ".join(f"{count[loss]} {loss}" for loss in LOSSES.values())
        lines = [f"{self.path}: {count['rows']} rows, {count['replies']} replies ({by_loss}): {verdict}"]
        for kind, number in self.flaws.items():
            lines.append(f"  {kind}: {number}")
            lines += [f"    row {e.row}, {e.field}: {e.excerpt}" for e in self.examples if e.kind == kind]
        return "\n".join(lines)


def check_file(path: Path | str) -> FileReport:
    """Check every row of a JSONL or Parquet file in the released format.

    Memory holds one row (of Parquet one batch) and some 100 bytes per id. Raises SchemaError when the file as a whole
    cannot be read: a folder, no such file, a Parquet file that was cut short.
    """
    counts, flaws, examples = Counter[str](), Counter[Kind](), list[Flaw]()
    ids: set[bytes] = set()
    for number, raw in read_rows(path):
        counts["rows"] += 1
        conversation = _parse(raw)
        if isinstance(conversation, Conversation):
            counts["replies"] += len(conversation.replies)
            counts.update(LOSSES[reply.loss] for reply in conversation.replies)
            found = _inspect(conversation, ids)
        else:
            found = iter([conversation])
        for flaw in found:
            flaws[flaw.kind] += 1
            if flaws[flaw.kind] <= EXAMPLES_KEPT:
                examples.append(flaw._replace(row=number))
    return FileReport(str(path), counts, {kind: flaws[kind] for kind in get_args(Kind) if kind in flaws}, examples)


def _parse(raw: JsonValue | BadRow) -> Conversation | Flaw:
    if isinstance(raw, BadRow):
        return Flaw(raw.kind, "row", raw.detail)
    try:
        return Conversation.model_validate(raw, by_alias=True, by_name=False)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"]) or "row"
        return Flaw("row_malformed", where[:80], explain(error))


def _inspect(conversation: Conversation, ids: set[bytes]) -> Iterator[Flaw]:
    """Everything wrong with one well-formed row; its id is added to the ids seen."""
    key = blake2b(conversation.id.encode(), digest_size=8).digest()
    if key in ids:
        yield Flaw("id_duplicate", "id", repr(conversation.id[:80]))
    ids.add(key)
    messages = conversation.conversations
    if messages[0].sender != "human":
        yield Flaw("first_not_human", "conversations.0.from", messages[0].sender)
    if messages[-1].sender != "gpt":
        yield Flaw("last_not_gpt", f"conversations.{len(messages) - 1}.from", messages[-1].sender)
    replies = conversation.replies
    if replies and not any(reply.is_trained for reply in replies):
        yield Flaw("all_masked", "conversations", f"all {len(replies)} replies have loss false")
    for index, message in enumerate(messages):
        where = f"conversations.{index}"
        if index and message.sender == messages[index - 1].sender:
            yield Flaw("roles_not_alternating", f"{where}.from", f"two {message.sender} messages in a row")
        if message.sender == "human" and message.loss is not None:
            yield Flaw("loss_on_human", f"{where}.loss", str(message.loss))
        if not message.value.strip():
            yield Flaw("value_empty", f"{where}.value", repr(message.value[:80]))
        elif message.sender == "gpt" and not is_react(message.value):
            yield Flaw("reply_not_react", f"{where}.value", repr(message.value[:80]))
        if unfit := _UNFIT.search(message.value):
            yield Flaw("character_unfit", f"{where}.value", f"U+{ord(unfit[0]):04X}")
        if token := _TOKEN.search(message.value):
            yield Flaw("special_token", f"{where}.value", repr(token[0]))
