"""A language model that trains in minutes on a laptop: Llama architecture, a tokenizer of its own, no download."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

NANO = Path(__file__).with_name("nano_model")  # the shipped one: pre-trained, ready to be tuned
HEAD = 32  # width of an attention head
NOTES = (32, 16)  # entries of the stream for what stands one and two tokens back, at first
THETA = 1e8  # of RoPE: most dimensions hardly turn within a context, so that they can compare contents
GLUE = "\x01"  # before a blank that is not in the text
SIGNS = "\n[({<'\"-/.,:;=>|_#"  # what a word may follow without a blank
PAD, END, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message.role == 'assistant' -%}"
    "<|assistant|>{% generation %}{{ message.content + '<|end|>' }}{% endgeneration %}"
    "{%- else -%}{{ '<|user|>' + message.content + '<|end|>' }}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"
)


def build_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer learned from texts: any string can be written with it, exactly.

    A word has the same tokens wherever it stands. In byte-level BPE a word's first token usually includes the blank
    before it, so that "mug" in "take[mug]", or at the start of an answer, is spelled unlike " mug" in the text that it
    is copied from, and cannot be copied token by token. Here a word without a blank gets one, marked with ``GLUE``.
    """
    bpe = Tokenizer(models.BPE())
    unblanked = Regex(rf"(?<=[{re.escape(SIGNS)}])(?=[\p{{L}}\p{{N}}])")
    bpe.normalizer = normalizers.Sequence([normalizers.Prepend(f"{GLUE} "), normalizers.Replace(unblanked, f"{GLUE} ")])
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Replace(f"{GLUE} ", "")])
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, END, USER, ASSISTANT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
    )


def build_model(
    tokenizer: PreTrainedTokenizerFast, width: int, layers: int, context: int, seed: int, wired: bool = True
) -> LlamaForCausalLM:
    """A Llama-shaped model with weights drawn from the seed; ``context`` in tokens, ``width`` a multiple of 32.

    From width 96 and two layers on it is wired to copy, unless told not to; a smaller one starts at random.
    """
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=width * 3,
        num_hidden_layers=layers,
        num_attention_heads=width // HEAD,
        num_key_value_heads=width // HEAD,
        head_dim=HEAD,
        attention_bias=True,
        max_position_embeddings=context,
        rope_parameters={"rope_type": "default", "rope_theta": THETA},
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = LlamaForCausalLM(config)
    if wired and width >= 2 * sum(NOTES) and layers >= 2:
        wire_copying(model)
    return model


@torch.no_grad()
def wire_copying(model: LlamaForCausalLM) -> None:
    """Set the initial weights of the first two layers so that the model copies before it has learned anything.

    An induction circuit (Olsson et al. 2022, In-context Learning and Induction Heads) by hand. In the first layer two
    heads look one and two tokens back (their queries and keys are biases, so that RoPE alone decides) and note what
    they see in entries of the stream that the embeddings leave free. In the second layer half of the heads look for
    the place whose notes are the current token and the one before it, in RoPE's slow dimensions, and together copy the
    token found there.
    """
    width = model.config.hidden_size
    free = width - sum(NOTES)  # entries that the embeddings use
    notes = slice(free, free + NOTES[0]), slice(free + NOTES[0], width)
    first, second = (layer.self_attn for layer in model.model.layers[:2])
    model.model.embed_tokens.weight.normal_(0, width**-0.5)
    model.model.embed_tokens.weight[:, free:] = 0
    turn = THETA ** (-torch.arange(HEAD // 2) / (HEAD // 2))  # radians per token of each pair of dimensions
    content = torch.zeros(HEAD, width)  # what is noted of a token
    content[:, :free] = _orthogonal(free)[:HEAD]

    for head, note in enumerate(notes):
        rows, back, size = slice(head * HEAD, (head + 1) * HEAD), head + 1, NOTES[head]
        first.q_proj.weight[rows] = first.k_proj.weight[rows] = 0
        first.q_proj.bias[rows] = 5 * torch.cat([torch.ones(HEAD // 2), torch.zeros(HEAD // 2)])
        first.k_proj.bias[rows] = 5 * torch.cat([(back * turn).cos(), (back * turn).sin()])
        first.v_proj.weight[rows] = content
        first.o_proj.weight[:, rows] = 0
        first.o_proj.weight[note, rows] = torch.eye(HEAD)[:size] * width**-0.5

    slow = torch.cat([turn < 2e-3] * 2).nonzero()[:, 0]
    one, two = slow[:12], slow[12:]  # dimensions that compare the current token, and the one before it
    wired = width // HEAD // 2 * HEAD  # half of the heads; the others are free to learn
    second.q_proj.weight[:wired] = second.k_proj.weight[:wired] = 0
    for start in range(0, wired, HEAD):
        mixed, mixed_less = _orthogonal(NOTES[0])[: len(one)], _orthogonal(NOTES[1])[: len(two)]
        second.q_proj.weight[start + one] = 2.5 * mixed @ content
        second.k_proj.weight[start + one, notes[0]] = 2.5 * mixed
        second.q_proj.weight[start + two, free : free + NOTES[1]] = 2.5 * mixed_less
        second.k_proj.weight[start + two, notes[1]] = 2.5 * mixed_less
    copied = torch.zeros(wired, width)
    copied[:, :free] = _orthogonal(max(free, wired))[:wired, :free]
    second.v_proj.weight[:wired] = copied
    second.o_proj.weight[:, :wired] = copied.T / 2
    for layer in model.model.layers[2:]:
        look_for_likeness(layer.self_attn)
    for layer in model.model.layers:
        layer.mlp.down_proj.weight.mul_(0.3)  # quiet, so that they do not drown what is copied


@torch.no_grad()
def look_for_likeness(attention: torch.nn.Module) -> None:
    """Queries like keys, outputs like inputs: a head attends to tokens whose stream is like that of the current one.

    After Trockman and Kolter 2023, Mimetic Initialization of Self-Attention Layers. What to look up is learned from
    there; from random weights nothing was looked up after twice the tokens (LOG.md).
    """
    width = attention.q_proj.weight.shape[1]
    for start in range(0, width, HEAD):
        seen, rows = _orthogonal(width)[:HEAD], slice(start, start + HEAD)
        attention.q_proj.weight[rows] = 1.5 * seen + 0.02 * torch.randn(HEAD, width)
        attention.k_proj.weight[rows] = 1.5 * seen + 0.02 * torch.randn(HEAD, width)
    mixed = _orthogonal(width)
    attention.v_proj.weight.copy_(mixed)
    attention.o_proj.weight.copy_(0.3 * mixed.T)


def _orthogonal(size: int) -> torch.Tensor:
    return torch.nn.init.orthogonal_(torch.empty(size, size))


def base_folder(base_model: str) -> str:
    """What ``AutoModelForCausalLM`` loads for this name: for "nano" the model that comes with the suite."""
    return str(NANO) if base_model == "nano" else base_model


def build_nano(
    folder: Path, texts: Iterable[str], *, vocabulary: int, width: int, layers: int, context: int, seed: int
) -> Path:
    """Write an untrained nano model and its tokenizer to a folder that ``AutoModelForCausalLM`` loads."""
    tokenizer = build_tokenizer(texts, vocabulary)
    build_model(tokenizer, width, layers, context, seed).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
