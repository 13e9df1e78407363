"""Where the nano model comes from: texts of our own, the training on them, and how well the model copies."""

from agentrefine_lib.tuning.pretraining.chats import tokenizer_texts, write_chat
from agentrefine_lib.tuning.pretraining.drills import Chat, write_drill
from agentrefine_lib.tuning.pretraining.probe import copying, measure, repetition
from agentrefine_lib.tuning.pretraining.train import Phase, Plan, pretrain

__all__ = [
    "Chat",
    "Phase",
    "Plan",
    "copying",
    "measure",
    "pretrain",
    "repetition",
    "tokenizer_texts",
    "write_chat",
    "write_drill",
]
