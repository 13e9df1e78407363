"""The masked loss, exactly: which ids are supervised, what they cost, and that errors leave no gradient."""

from typing import ClassVar

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.schema import Conversation, Message
from agentrefine_lib.tuning import IGNORED, MaskError, encode
from agentrefine_lib.tuning.mask import Known, encode_all


@pytest.fixture(scope="module")
def tokenizer(tiny):
    return AutoTokenizer.from_pretrained(tiny)


def supervised(example, tokenizer):
    """Runs of trained tokens, decoded."""
    runs, last = [], None
    for index, label in enumerate(example.labels):
        if label != IGNORED:
            assert label == example.input_ids[index]
            if last != index - 1:
                runs.append([])
            runs[-1].append(label)
            last = index
    return [tokenizer.decode(run) for run in runs]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (
            "refinement",
            ["Thought: Then take it.\nAction: take cup<|im_end|>", "Thought: Now heat it.\nAction: heat cup<|im_end|>"],
        ),
        (
            "all_turns",
            [
                "Thought: Grab it.\nAction: grab cup<|im_end|>",
                "Thought: Then take it.\nAction: take cup<|im_end|>",
                "Thought: Now heat it.\nAction: heat cup<|im_end|>",
            ],
        ),
        ("no_refinement_loss", ["Thought: Now heat it.\nAction: heat cup<|im_end|>"]),
    ],
)
def test_the_exact_supervised_tokens(three_turns, tokenizer, strategy, expected):
    example = encode(to_conversation(three_turns, strategy), tokenizer)
    assert supervised(example, tokenizer) == expected


def test_exact_ids(three_turns, tokenizer):
    """Ids built by hand, piece by piece, as the template orders them."""
    start, end = tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])

    def plain(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    system = "system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    ids = [start, *plain(system), end, *plain("\n")]
    labels = [IGNORED] * len(ids)
    for message in to_conversation(three_turns).conversations:
        head, body, tail = [start, *plain(f"{message.role}\n")], [*plain(message.value), end], plain("\n")
        ids += [*head, *body, *tail]
        labels += [IGNORED] * len(head) + (body if message.loss else [IGNORED] * len(body)) + [IGNORED] * len(tail)
    example = encode(to_conversation(three_turns), tokenizer)
    assert example.input_ids == ids
    assert example.labels == labels


def test_equation_1_by_hand_and_no_gradient_from_errors(three_turns, tokenizer, tiny):
    model = AutoModelForCausalLM.from_pretrained(tiny).double()
    example = encode(to_conversation(three_turns), tokenizer)
    ids, labels = torch.tensor([example.input_ids]), torch.tensor([example.labels])
    embedded = model.get_input_embeddings()(ids).detach()
    out = model(inputs_embeds=embedded, labels=labels)
    probabilities = out.logits.softmax(-1)[0]
    total = sum(-probabilities[i - 1, token].log().item() for i, token in enumerate(example.labels) if token != IGNORED)
    count = sum(label != IGNORED for label in example.labels)
    assert out.loss.item() == pytest.approx(total / count, rel=1e-6)  # transformers sums in float32

    out.logits.retain_grad()
    out.loss.backward()
    touched = out.logits.grad[0].abs().sum(-1) > 0
    for i, label in enumerate(example.labels[1:]):
        assert bool(touched[i]) == (label != IGNORED)  # position i predicts token i + 1


def test_refuses_what_it_cannot_mask_faithfully(three_turns, tokenizer):
    smuggled = Conversation(
        id="x", conversations=[Message(sender="human", value="hi<|im_end|>"), Message(sender="gpt", value="a")]
    )
    with pytest.raises(MaskError, match="special token"):
        encode(smuggled, tokenizer)
    template = tokenizer.chat_template
    try:
        tokenizer.chat_template = template.replace(
            "message.content + '<|im_end|>' }}{% endg", "'forgotten<|im_end|>' }}{% endg"
        )
        with pytest.raises(MaskError, match="not the text that the chat template shows"):
            encode(to_conversation(three_turns), tokenizer)
    finally:
        tokenizer.chat_template = template


def test_a_tokenizer_set_to_truncate_does_not_cut_a_conversation(three_turns, tiny):
    """Truncation and padding that a tokenizer.json carries, or an earlier call left behind, play no part."""
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    whole = encode(to_conversation(three_turns), tokenizer)
    tokenizer.backend_tokenizer.enable_truncation(10)
    tokenizer.backend_tokenizer.enable_padding(length=5_000)
    assert encode(to_conversation(three_turns), tokenizer) == whole


def test_a_tokenizer_without_offsets_is_refused(three_turns):
    class Slow:
        all_special_tokens: ClassVar[list[str]] = []

    with pytest.raises(MaskError, match="Slow knows no characters of its tokens; expected a fast tokenizer"):
        encode(to_conversation(three_turns), Slow())


def test_sets_that_differ_in_their_masks_share_their_tokens(tokenizer):
    """Whatever was tokenised before, each conversation gets its own labels."""
    asked, reply = {"from": "human", "value": "One?"}, {"from": "gpt", "value": "Two."}
    talks = [[asked, reply | {"loss": flag}, asked, reply] for flag in (True, False)]
    first, second = (Conversation.model_validate({"id": "a", "conversations": talk}) for talk in talks)
    known = Known()
    shared = [next(encode_all([conversation], tokenizer, known)) for conversation in (first, second, first)]
    assert shared == [encode(conversation, tokenizer) for conversation in (first, second, first)]
    assert len(known) == 1 and shared[0].labels != shared[1].labels
