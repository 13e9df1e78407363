"""Likelihoods looked at: equation 1 by hand beside the trainer's sum, and what tuning changed, token by token."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from joblib import Parallel, delayed
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from agentrefine_lib.schema import Conversation, Section
from agentrefine_lib.schema.turns import TURNS, kinds_of_replies
from agentrefine_lib.tuning.batches import Examples, Flatten
from agentrefine_lib.tuning.mask import Example, encode
from agentrefine_lib.tuning.train import token_losses


class Checks(Section):
    """What chapter 3 looks at: the section ``checks``."""

    layers: int = 2  # kept for equation 1, which does not depend on them; 0: all
    conversations: int = 4  # read again by every model, token by token


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


def load(model: Path | str) -> Any:
    """A model to read with: a folder or hub name, or the folder of an adapter; on a GPU where there is one."""
    device = torch.accelerator.current_accelerator() or "cpu"
    return AutoModelForCausalLM.from_pretrained(model, dtype="auto", trust_remote_code=False).to(device).eval()


def token_nats(model: Any, example: Example) -> list[float]:
    """Negative log-likelihood in nats of every token of the model's turns, masked ones too; nan for what it only reads.

    ``model``: what ``load`` returns.
    """
    ids = torch.tensor([example.input_ids], device=model.device)
    owned = torch.tensor([owner >= 0 for owner in example.message], device=model.device).nonzero()[:, 0]
    with torch.no_grad():  # logits only where they are asked for: of all tokens they take gigabytes
        logits = model(input_ids=ids, logits_to_keep=owned - 1).logits[0].float()
    nats = torch.full((ids.shape[1],), torch.nan)
    nats[owned.cpu()] = torch.nn.functional.cross_entropy(logits, ids[0, owned], reduction="none").cpu()
    return nats.tolist()


def likelihoods(
    models: Mapping[str, Path | str], conversations: Sequence[Conversation], tokenizer: Any, processes: int = 1
) -> pd.DataFrame:
    """A row per model, conversation and kind of turn: method, task, turn, tokens, nats (mean of ``token_nats``).

    ``processes``: models that read at a time, one thread each.
    """
    read = [(c.id, encode(c, tokenizer), kinds_of_replies(c.conversations)) for c in conversations]
    parts = Parallel(n_jobs=processes, batch_size=1)(delayed(_read_by)(folder, read) for folder in models.values())
    return pd.concat(parts, keys=models, names=["method"]).reset_index("method").reset_index(drop=True)


def _read_by(folder: Path | str, read: Sequence[tuple[str, Example, Mapping[int, str]]]) -> pd.DataFrame:
    model, rows = load(folder), []
    for task, example, kinds in read:
        nats = pd.Series(token_nats(model, example)).groupby([kinds.get(owner) for owner in example.message])
        rows += [{"task": task, "turn": turn, "tokens": len(part), "nats": part.mean()} for turn, part in nats]
    return pd.DataFrame(rows)


def per_conversation(read: pd.DataFrame) -> pd.DataFrame:
    """``likelihoods`` as ``metrics.claim`` takes them: a row per model and conversation, -nats of each of TURNS."""
    named = read.assign(seed=0, engine="embedded", task="embedded/" + read["task"], nats=-read["nats"])
    table = named.pivot_table(index=["method", "seed", "engine", "task"], columns="turn", values="nats")
    return table.reindex(columns=list(TURNS)).reset_index()


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
