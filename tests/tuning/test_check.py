"""Equation 1 reply by reply, beside the trainer's sum."""

import pytest
from transformers import AutoTokenizer

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.tuning import encode
from agentrefine_lib.tuning.check import per_reply


@pytest.mark.parametrize("strategy", ["refinement", "all_turns", "last_turn"])
def test_the_sum_by_hand_is_the_trainers(tiny, three_turns, strategy):
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    conversation = to_conversation(three_turns, strategy)
    table, trainers = per_reply(tiny, conversation, tokenizer)
    assert table["weighted_nats"].sum() == pytest.approx(trainers, rel=1e-7)
    weights = {"refinement": [0, 1, 1], "all_turns": [1, 1, 1], "last_turn": [0, 0, 1]}[strategy]
    assert table["weight"].tolist() == weights and table["message"].tolist() == [1, 3, 5]
    assert table["tokens"].sum() == sum(owner >= 0 for owner in encode(conversation, tokenizer).message)
    assert (table["nats"] > 0).all()


def test_fewer_layers_are_another_model_with_the_same_equation(tiny, three_turns):
    tokenizer, conversation = AutoTokenizer.from_pretrained(tiny), to_conversation(three_turns)
    (whole, _), (less, trainers) = (per_reply(tiny, conversation, tokenizer, layers) for layers in (0, 1))
    assert less["weighted_nats"].sum() == pytest.approx(trainers, rel=1e-7)
    assert less["weighted_nats"].sum() != pytest.approx(whole["weighted_nats"].sum(), rel=1e-4)
