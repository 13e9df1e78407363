"""The mask under the chat templates that people use: exact ids, end-of-turn, and no drift from what a player sees."""

from importlib.resources import files

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.schema import Conversation, Message
from agentrefine_lib.tuning import IGNORED, MaskError, encode, load_tokenizer

pytest.importorskip("trl")


def from_trl(name: str) -> str:
    return (files("trl") / "chat_templates" / f"{name}.jinja").read_text()


CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MISTRAL = (  # as Mistral-7B-v0.3 writes a chat: no header before a reply, a blank at its start, </s> at its end
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }}[/INST]"
    "{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
LLAMA_TOKENS = ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"]
CHATML_TOKENS = ["<|im_start|>", "<|im_end|>"]
TEMPLATES = {  # name → template, special tokens, end of turn, beginning of text
    "llama3": (from_trl("llama3"), LLAMA_TOKENS, "<|eot_id|>", "<|begin_of_text|>"),
    "llama3, marked": (from_trl("llama3_training"), LLAMA_TOKENS, "<|eot_id|>", "<|begin_of_text|>"),
    "qwen2.5": (from_trl("qwen2_5"), CHATML_TOKENS, "<|im_end|>", None),
    "qwen2.5, marked": (from_trl("qwen2_5_training"), CHATML_TOKENS, "<|im_end|>", None),
    "qwen3, marked": (from_trl("qwen3_training"), CHATML_TOKENS, "<|im_end|>", None),
    "qwen3 2507": (from_trl("qwen3_instruct_2507"), CHATML_TOKENS, "<|im_end|>", None),
    "phi3, marked": (from_trl("phi3_training"), ["<|user|>", "<|assistant|>", "<|end|>", "<s>"], "<|end|>", "<s>"),
    "chatml": (CHATML, CHATML_TOKENS, "<|im_end|>", None),
    "mistral": (MISTRAL, ["<s>", "</s>", "[INST]", "[/INST]"], "</s>", "<s>"),
}


def tokenizer_for(name: str) -> PreTrainedTokenizerFast:
    template, special, end, begin = TEMPLATES[name]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
    bpe.train_from_iterator(["Thought: Then take it.\nAction: take cup", "Observation: You have the cup."] * 9, trainer)
    extra = [token for token in special if token not in (end, begin)]
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=end,
        bos_token=begin,
        additional_special_tokens=extra,
        chat_template=template,
    )


@pytest.fixture(params=TEMPLATES)
def tokenizer(request):
    return tokenizer_for(request.param)


def runs(example, flags):
    found, last = [], None
    for index, flag in enumerate(flags):
        if flag:
            if last != index - 1:
                found.append([])
            found[-1].append(example.input_ids[index])
            last = index
    return found


def chat_of(conversation):
    return [{"role": m.role, "content": m.value} for m in conversation.conversations]


def test_exactly_the_replies_and_their_end_of_turn_are_learned(three_turns, tokenizer):
    conversation = to_conversation(three_turns)
    example = encode(conversation, tokenizer)
    assert example.input_ids == tokenizer.apply_chat_template(chat_of(conversation), return_dict=True)["input_ids"]
    trained = runs(example, [label != IGNORED for label in example.labels])
    said = [m.value for m in conversation.conversations if m.loss]
    think = (
        "<think>\n\n</think>\n\n" if "enable_thinking" in tokenizer.chat_template else ""
    )  # Qwen3 says that nothing was thought
    assert [tokenizer.decode(ids).strip() for ids in trained] == [think + text + tokenizer.eos_token for text in said]
    assert all(ids[-1] == tokenizer.eos_token_id and ids.count(tokenizer.eos_token_id) == 1 for ids in trained)
    owned = runs(example, [message >= 0 for message in example.message])
    assert len(owned) == 3  # the erroneous reply is nobody's lesson, but is known to be a reply


def test_what_is_learned_is_what_a_player_is_asked_to_continue(three_turns, tokenizer):
    """No drift: the ids before a reply are the ids of the chat that asks for it."""
    conversation = to_conversation(three_turns)
    example, chat = encode(conversation, tokenizer), chat_of(conversation)
    for index in (1, 3, 5):
        asked = tokenizer.apply_chat_template(chat[:index], add_generation_prompt=True, return_dict=True)["input_ids"]
        first = example.message.index(index)
        assert example.input_ids[:first] == asked


def test_a_template_that_rewrites_earlier_messages_is_refused(three_turns):
    tokenizer = tokenizer_for("qwen3, marked")
    tokenizer.chat_template = from_trl("qwen3")
    with pytest.raises(MaskError, match="message 1 is not the text that the chat template shows"):
        encode(to_conversation(three_turns), tokenizer)


@pytest.mark.parametrize("name", ["llama3", "mistral", "chatml"])
def test_a_base_model_without_a_template_gets_its_familys(three_turns, tmp_path, name):
    instruct = tokenizer_for(name)
    base = tokenizer_for(name)
    base.chat_template, base.eos_token = None, base.bos_token or "<|im_start|>"
    base.save_pretrained(tmp_path)
    base, chat = load_tokenizer(tmp_path), chat_of(to_conversation(three_turns))
    for asks in (False, True):
        told = {"tokenize": False, "add_generation_prompt": asks}
        assert base.apply_chat_template(chat[: 5 - asks * 2], **told) == instruct.apply_chat_template(
            chat[: 5 - asks * 2], **told
        )
    assert base.eos_token == instruct.eos_token
    assert encode(to_conversation(three_turns), base) == encode(to_conversation(three_turns), instruct)


def test_the_last_reply_only(three_turns):
    tokenizer = tokenizer_for("llama3")
    example = encode(to_conversation(three_turns, "last_turn"), tokenizer)
    trained = runs(example, [label != IGNORED for label in example.labels])
    assert [tokenizer.decode(ids) for ids in trained] == ["Thought: Now heat it.\nAction: heat cup<|eot_id|>"]


def test_a_token_that_is_half_prompt_and_half_reply_is_refused():
    tokenizer = tokenizer_for("chatml")
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}ta{{ m.content }}<|im_end|>{% endfor %}" + (
        "{% if add_generation_prompt %}assistantta{% endif %}"
    )
    talk = [Message(sender="human", value="hi"), Message(sender="gpt", value="ke cup", loss=True)]
    with pytest.raises(MaskError, match="straddles the border"):
        encode(Conversation(id="c", conversations=talk), tokenizer)


@pytest.mark.parametrize("name", ["llama3", "qwen2.5"])
def test_markers_change_nothing(three_turns, name):
    """They may enclose line breaks and headers that a model never writes; what is learned does not depend on them."""
    plain, marked = (encode(to_conversation(three_turns), tokenizer_for(n)) for n in (name, f"{name}, marked"))
    assert plain == marked
