"""Equation 1 by hand: what each reply of a conversation adds to the loss, beside what the trainer computes."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from agentrefine_lib.schema import Conversation
from agentrefine_lib.tuning.batches import Examples, Flatten
from agentrefine_lib.tuning.mask import encode
from agentrefine_lib.tuning.train import token_losses


def per_reply(
    base: Path | str, conversation: Conversation, tokenizer: Any, layers: int = 0
) -> tuple[pd.DataFrame, float]:
    """A row per reply (message, reply, tokens, nats, weight as in equation 1, weighted_nats), and the trainer's sum.

    The table is computed from the plain model's log-probabilities, one token after the other; the sum by the trainer's
    way, padding-free and with logits for trained tokens only. Both in float64, on the processor. ``layers`` above 0
    keeps only the model's first ones: the equation does not depend on them, memory does.
    """
    example = encode(conversation, tokenizer)
    plain, ours = (_first_layers(base, layers, kind) for kind in ("eager", "by_sample"))
    with torch.no_grad():
        log_p = plain(input_ids=torch.tensor([example.input_ids])).logits[0].log_softmax(-1)
        nats, _ = token_losses(ours, Flatten()([Examples([example])[0]]))
    rows = []
    for index, message in enumerate(conversation.conversations):
        if message.sender == "gpt":
            at = [position for position, owner in enumerate(example.message) if owner == index]
            cost = -sum(log_p[position - 1, example.input_ids[position]].item() for position in at)
            weight = int(message.is_trained)
            rows.append((index, message.value, len(at), cost, weight, weight * cost))
    columns = ["message", "reply", "tokens", "nats", "weight", "weighted_nats"]
    return pd.DataFrame(rows, columns=columns), nats.sum().item()


def _first_layers(base: Path | str, layers: int, attention: str) -> Any:
    less = {"num_hidden_layers": layers} if layers else {}
    said = logging.get_verbosity()
    logging.set_verbosity_error()  # the weights of all other layers are not used, and told of one by one
    try:
        model = AutoModelForCausalLM.from_pretrained(
            base, dtype=torch.float64, attn_implementation=attention, trust_remote_code=False, **less
        )
    finally:
        logging.set_verbosity(said)
    return model.eval()
