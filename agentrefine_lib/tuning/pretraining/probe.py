"""Does a model copy? Held-out probes, answered greedily and compared exactly.

Repeating random tokens and reciting names need copying alone; a table and a command need to find first what to copy.
"""

from __future__ import annotations

import random
from typing import Any

import pandas as pd
import torch

from agentrefine_lib.tuning.pretraining.chats import write_chat
from agentrefine_lib.tuning.pretraining.drills import LETTERS_ASKED, Chat, chat_of, letters_table
from agentrefine_lib.tuning.pretraining.words import draw_letters

SIZES = (1, 2, 4, 8, 16)  # entries of a table
PROBE_SEED = 2**31  # no chat that is trained on has it


def recite_chat(index: int) -> Chat:
    """Three to eight two-word names of random letters, to be said again."""
    rng = random.Random(f"recite probe {index}")
    listed = ", ".join(f"{draw_letters(rng)} {draw_letters(rng)}" for _ in range(rng.randint(3, 8)))
    return [{"role": "user", "content": f"{listed}\n\nSay it again."}, {"role": "assistant", "content": listed}]


def copy_chat(index: int, size: int = 0) -> Chat:
    """A table of ``size`` entries with two-word names of random letters; one is asked for.

    With one entry there is nothing to look up, only to copy; without a size it has 12 to 24, about 200 to 600 tokens.
    """
    rng = random.Random(f"copy probe {index}")
    entries, told = letters_table(rng, size or rng.randint(12, 24))
    key = rng.choice(list(entries))
    return chat_of(told, [(rng.choice(LETTERS_ASKED).format(key), entries[key])])


def command_chat(index: int) -> Chat:
    """A scene whose last question asks to use an unseen verb's command for names of the scene."""
    number = index * 1000
    while True:
        chat = write_chat(PROBE_SEED, number)
        if len(chat) >= 2 and chat[-2]["content"].split("\n\n")[-1].startswith("Use '"):
            return chat
        number += 1


@torch.inference_mode()
def repetition(model: Any, vocabulary: int, length: int, count: int = 16, seed: int = 0) -> float:
    """Share of tokens foreseen when random ones are said a second time, from the third on: no word or grammar helps."""
    said = torch.randint(4, vocabulary, (count, length), generator=torch.Generator().manual_seed(seed))
    best = model(torch.cat([said, said], dim=1)).logits[:, length + 1 : -1].argmax(-1)
    return (best == said[:, 2:]).float().mean().item()


def measure(model: Any, tokenizer: Any, count: int) -> dict[str, float]:
    """Share of exact answers in each probe, over ``count`` chats."""
    return {
        f"{name}_accuracy": sum(answers(model, tokenizer, [write(i) for i in range(count)])) / count
        for name, write in (("recite", recite_chat), ("copy", copy_chat), ("command", command_chat))
    }


def copying(model: Any, tokenizer: Any, count: int) -> pd.DataFrame:
    """Exact answers in ``count`` tables of each size, and in as many scenes whose last question asks for a command.

    Columns ``prompt`` ("table" or "command"), ``entries`` (of the table, else 0), ``k`` (right answers) and ``n``.
    """
    chats = {("table", size): [copy_chat(i, size) for i in range(count)] for size in SIZES}
    chats["command", 0] = [command_chat(i) for i in range(count)]
    rows = [(*asked, sum(answers(model, tokenizer, written)), count) for asked, written in chats.items()]
    return pd.DataFrame(rows, columns=["prompt", "entries", "k", "n"])


@torch.inference_mode()
def answers(model: Any, tokenizer: Any, chats: list[Chat]) -> list[bool]:
    """For each chat, whether the greedy answer to its last question is the one it ends with."""
    tokenizer.padding_side = "left"
    batch = tokenizer.apply_chat_template(
        [chat[:-1] for chat in chats],
        add_generation_prompt=True, padding=True, return_dict=True, return_tensors="pt",
    )  # fmt: skip
    longest = max(len(tokenizer(chat[-1]["content"])["input_ids"]) for chat in chats)
    out = model.generate(**batch, max_new_tokens=longest + 1, do_sample=False, pad_token_id=tokenizer.pad_token_id)
    said = tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return [text == chat[-1]["content"] for text, chat in zip(said, chats, strict=True)]
