"""The conversations in the formats of other trainers, with the loss of every turn kept.

A reply is trained unless its ``loss`` is False, as ``tuning.encode`` has it. Rows in which the two sides do not
alternate from human to gpt, and rows with no trained reply or an empty one, are left out and counted: the trainers
would refuse them, drop them without a word, or teach a model to say nothing. What a trainer's configuration has to say
is in docs/exports.md. What each field means was read in the
sources of ms-swift 3602360a, axolotl 067b021c and LLaMA-Factory ff6d4d12. For TRL, which reads token ids, see
``agentrefine_lib.tuning.export``.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from agentrefine_lib.schema import Conversation, Message, atomic_write

Sample = dict[str, Any]


class ExportReport(NamedTuple):
    """What became of the conversations: counts in rows, but for ``turns_cut``."""

    rows_in: int
    rows_out: int  # samples written; more than went in where a row becomes one sample per trained reply
    dropped: dict[str, int]  # rows left out, by reason
    turns_cut: int = 0  # masked replies cut from the end of rows, with the messages that they answer


def unfit_reason(conversation: Conversation) -> str | None:
    """The reason why no trainer can use a conversation, or None."""
    messages = conversation.conversations
    if any(message.sender != ("human", "gpt")[index % 2] for index, message in enumerate(messages)):
        return "roles_not_alternating"
    trained = [message for message in messages if message.is_trained]
    if not trained:
        return "no_trained_reply"
    return None if all(message.value.strip() for message in trained) else "empty_reply"


def _swift(messages: list[Message]) -> Iterator[Sample]:
    """ms-swift: ``messages`` with ``loss`` true or false on every reply (run with the default ``loss_scale``).

    ms-swift trains the end-of-turn token of a row's last reply whatever its flag says, so masked replies at the end
    are cut off with the messages that they answer; nothing after them is lost that would have been trained.
    """
    losses = [m.is_trained if m.sender == "gpt" else None for m in messages]
    said = zip(messages, losses, strict=True)
    yield {"messages": [{"role": m.role, "content": m.value, "loss": loss} for m, loss in said]}


def _axolotl(messages: list[Message]) -> Iterator[Sample]:
    """axolotl: the released ``conversations`` with ``train`` true or false on every message."""
    yield {"conversations": [{"from": m.sender, "value": m.value, "train": m.is_trained} for m in messages]}


def _llama_factory_v1(messages: list[Message]) -> Iterator[Sample]:
    """LLaMA-Factory with ``USE_V1=1``: its native ``messages``, ``loss_weight`` 1 or 0, content as a list of parts.

    No ``converter`` may be named in the configuration: the sharegpt one sets every reply's weight to 1.
    """
    said = [(m.role, [{"type": "text", "value": m.value}], float(m.is_trained)) for m in messages]
    yield {"messages": [{"role": role, "content": parts, "loss_weight": weight} for role, parts, weight in said]}


def _llama_factory_v0(messages: list[Message]) -> Iterator[Sample]:
    """LLaMA-Factory's default path, which knows no flags: one sample per trained reply, which it ends with.

    With ``mask_history: true`` only the last reply of a sample is trained, so each trained reply is learned once and
    no masked one ever; without it every erroneous turn is trained.
    The file holds a row's beginning once per trained reply, so it is several times as large.
    """
    said = [{"from": m.sender, "value": m.value} for m in messages]
    for index, message in enumerate(messages):
        if message.is_trained:
            yield {"conversations": said[: index + 1]}


def _export(
    write: Callable[[list[Message]], Iterator[Sample]],
    conversations: Iterable[Conversation],
    path: Path | str,
    *,
    cut: bool = False,
) -> ExportReport:
    """Write the samples of every usable conversation as JSONL; the file appears whole or not at all."""
    rows_in = rows_out = turns_cut = 0
    dropped: Counter[str] = Counter()
    with atomic_write(path) as part, open(part, "w", encoding="utf-8") as out:
        for conversation in conversations:
            rows_in += 1
            if reason := unfit_reason(conversation):
                dropped[reason] += 1
                continue
            messages = list(conversation.conversations)
            while cut and not messages[-1].is_trained:
                turns_cut += messages.pop().sender == "gpt"
            for sample in write(messages):
                out.write(json.dumps(sample, ensure_ascii=False) + "\n")
                rows_out += 1
    return ExportReport(rows_in, rows_out, dict(dropped), turns_cut)


EXPORTS = {
    "swift": partial(_export, _swift, cut=True),
    "axolotl": partial(_export, _axolotl),
    "llama_factory_v1": partial(_export, _llama_factory_v1),
    "llama_factory_v0": partial(_export, _llama_factory_v0),
}
