"""Equation 1 reply by reply, beside the trainer's sum."""

import weakref

import pandas as pd
import pytest
from transformers import AutoTokenizer

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.tuning import check, encode
from agentrefine_lib.tuning.check import likelihoods, load, per_conversation, per_reply, token_nats


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


def test_the_likelihood_of_each_kind_of_turn_is_that_of_its_replies(tiny, three_turns):
    tokenizer, conversation = AutoTokenizer.from_pretrained(tiny), to_conversation(three_turns)
    replies, _ = per_reply(tiny, conversation, tokenizer)
    read = likelihoods({"untuned": tiny}, [conversation], tokenizer).set_index("turn")
    assert replies["weight"].tolist() == [0, 1, 1]  # an error, what mends it, and one more
    for turn, (_, reply) in zip(("erroneous", "refinement", "ordinary"), replies.iterrows(), strict=True):
        assert read.loc[turn, "tokens"] == reply["tokens"]
        assert read.loc[turn, "nats"] == pytest.approx(reply["nats"] / reply["tokens"], rel=1e-4)
    scores = per_conversation(read.reset_index())
    assert scores.loc[0, "erroneous"] == -read.loc["erroneous", "nats"]
    assert scores.loc[0, "task"] == f"embedded/{conversation.id}"
    example = encode(conversation, tokenizer)
    nats = token_nats(load(tiny), example)
    assert [cost == cost for cost in nats] == [owner >= 0 for owner in example.message]


def test_two_models_read_side_by_side_as_one_after_the_other(tiny, three_turns):
    models, texts = {"a": tiny, "b": tiny}, [to_conversation(three_turns)]
    alone, together = (likelihoods(models, texts, AutoTokenizer.from_pretrained(tiny), count) for count in (1, 2))
    pd.testing.assert_frame_equal(together, alone)
    assert alone["method"].tolist() == ["a"] * 3 + ["b"] * 3


def test_one_model_is_held_at_a_time(tiny, three_turns, monkeypatch):
    held = []

    def load_alone(folder):
        assert not any(model() for model in held)
        model = type("Model", (), {})()
        held.append(weakref.ref(model))
        return model

    monkeypatch.setattr(check, "load", load_alone)
    monkeypatch.setattr(check, "token_nats", lambda model, example: [1.0] * len(example.input_ids))
    read = likelihoods({"a": tiny, "b": tiny}, [to_conversation(three_turns)], AutoTokenizer.from_pretrained(tiny))
    assert len(held) == 2 and set(read["method"]) == {"a", "b"}
