"""Rows without padding: no conversation sees another, and equation 1 comes out as written by hand."""

from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.tuning import IGNORED, Recipe, batches, encode
from agentrefine_lib.tuning.batches import Examples, Flatten, Order, attend_by_sample, refinement_tokens
from agentrefine_lib.tuning.train import RefinementTrainer, load_base, token_losses

RECIPE = Recipe(
    train_steps=1,
    batch_size=3,
    learning_rate=1e-3,
    max_tokens=2000,
    save_every=1,
    seed=0,
    lora_rank=0,
    precision="float32",
)


@pytest.fixture(scope="module")
def examples(tiny, trajectories):
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    return [encode(to_conversation(t), tokenizer) for t in trajectories[:3]]


def forward(model, batch, **more):
    read = {key: value for key, value in batch.items() if key not in ("labels", "refined")}
    return model(**read, use_cache=False, **more).logits[0]  # with a cache, sdpa and eager would mix conversations


@pytest.mark.parametrize("attention", ["by_sample", "sdpa", "eager"])
def test_a_conversation_in_a_row_is_computed_as_if_it_were_alone(tiny, examples, attention):
    model = AutoModelForCausalLM.from_pretrained(tiny, attn_implementation=attention).double().eval()
    alone = AutoModelForCausalLM.from_pretrained(tiny, attn_implementation="eager").double().eval()
    with torch.no_grad():
        together = forward(model, Flatten()([Examples(examples)[i] for i in range(3)]))
        apart = [alone(input_ids=torch.tensor([e.input_ids])).logits[0] for e in examples]
    assert torch.allclose(together, torch.cat(apart), atol=1e-6, rtol=0)  # the model's norms compute in float32


@pytest.mark.parametrize("attention", ["by_sample", "sdpa", "eager"])
def test_nothing_leaks_from_one_conversation_into_the_next(tiny, examples, attention):
    model = AutoModelForCausalLM.from_pretrained(tiny, attn_implementation=attention).double()
    batch = Flatten()([Examples(examples)[i] for i in range(3)])
    embedded = model.get_input_embeddings()(batch.pop("input_ids")).detach().requires_grad_()
    first, second = len(examples[0].input_ids), len(examples[1].input_ids)
    forward(model, batch, inputs_embeds=embedded)[first : first + second].sum().backward()
    moved = embedded.grad[0].abs().sum(-1) > 0
    assert moved[first : first + second].all()
    assert not moved[:first].any() and not moved[first + second :].any()


def test_attention_that_mixes_conversations_is_refused(tiny):
    with pytest.raises(ValueError, match="expected one of by_sample, flash_attention_2"):
        load_base(tiny, RECIPE.model_copy(update={"attention": "paged|sdpa"}))
    model = load_base(tiny, RECIPE)
    with pytest.raises(ValueError, match="no borders of conversations"):
        model(input_ids=torch.tensor([[5, 6, 7]]))
    x, borders = torch.zeros(1, 1, 9, 4), torch.tensor([0, 3, 9])
    with pytest.raises(ValueError, match="window of 5 tokens"):
        attend_by_sample(torch.nn.Identity(), x, x, x, None, borders, max_length_q=6, sliding_window=5)


def test_borders_are_read_once_a_batch(tiny, examples, monkeypatch):
    read = []
    monkeypatch.setattr(torch.Tensor, "tolist", lambda self, to=torch.Tensor.tolist: (read.append(1), to(self))[1])
    model, batch = load_base(tiny, RECIPE), Flatten()([Examples(examples)[i] for i in range(3)])
    model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False, **borders_of(batch))
    assert len(read) == 1 < model.config.num_hidden_layers


def borders_of(batch):
    return {name: value for name, value in batch.items() if name.startswith(("cu_seq", "max_length"))}


@pytest.mark.parametrize("grouped", [True, False], ids=["torch 2.13", "torch 2.11"])
def test_a_row_in_one_call_is_the_row_in_parts(tiny, examples, monkeypatch, grouped):
    """What is handed to PyTorch's kernel, which runs on GPUs only: here its sum is written out, in float64."""

    def written_out(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, scale, window_size, enable_gqa=False):
        assert query.shape[1] == key.shape[1] * (2 if enable_gqa else 1) and window_size == (-1, 0)
        assert max_q == max_k == cu_seq_q.diff().max()
        key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], dim=1) for x in (key, value))
        which = torch.repeat_interleave(torch.arange(len(cu_seq_q) - 1), cu_seq_q.diff())
        seen = (which[:, None] == which).tril()
        scores = torch.einsum("qhd,khd->hqk", query, key) * scale
        return torch.einsum("hqk,khd->qhd", scores.masked_fill(~seen, -torch.inf).softmax(-1), value)

    def older(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, scale, window_size):
        return written_out(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, scale=scale, window_size=window_size)

    monkeypatch.setattr(batches, "varlen_attn", written_out if grouped else older)
    batch = Flatten()([Examples(examples)[i] for i in range(3)])
    losses, gradients = [], []
    for kind in (None, torch.float64):
        monkeypatch.setattr(batches, "in_one_call", lambda query, kind=kind: kind)
        model = load_base(tiny, RECIPE).double()
        losses.append(token_losses(model, batch)[0])
        losses[-1].sum().backward()
        gradients.append(torch.cat([weight.grad.flatten() for weight in model.parameters()]))
    assert torch.allclose(*losses, atol=1e-6, rtol=0) and torch.allclose(*gradients, atol=1e-5, rtol=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_a_gpu_computes_loss_and_gradients_of_the_processor(tiny, examples, precision):
    """Against float32 on the processor; not run yet where it was written (no GPU)."""
    batch = Flatten()([Examples(examples)[i] for i in range(3)])
    losses, gradients = [], []
    for device in ("cpu", "cuda"):
        model = load_base(tiny, RECIPE).to(device)
        there = {name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in batch.items()}
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda" and precision == "bfloat16"):
            loss = token_losses(model, there)[0].mean()
        loss.backward()
        losses.append(loss.item())
        gradients.append(torch.cat([weight.grad.flatten().cpu() for weight in model.parameters()]))
    close = 1e-5 if precision == "float32" else 1e-2
    assert losses[1] == pytest.approx(losses[0], rel=close)
    assert (gradients[1] - gradients[0]).norm() < 5 * close * gradients[0].norm()


def trainer_like():
    """What compute_loss needs of a trainer, in one process."""
    return SimpleNamespace(tally=torch.zeros(2, 2, dtype=torch.float64), accelerator=SimpleNamespace(num_processes=1))


def test_equation_1_and_its_gradients_by_hand(tiny, three_turns):
    """Log-probabilities of correct turns' tokens, each weighted 1 and all others 0, in float64; gradients too."""
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    example = encode(to_conversation(three_turns), tokenizer)
    hand = AutoModelForCausalLM.from_pretrained(tiny).double()
    log_p = hand(input_ids=torch.tensor([example.input_ids])).logits[0].log_softmax(-1)
    weights = [0.0 if label == IGNORED else 1.0 for label in example.labels]
    terms = [-w * log_p[i - 1, example.input_ids[i]] for i, w in enumerate(weights) if i]
    expected = torch.stack(terms).sum() / sum(weights)
    expected.backward()

    model, trainer = load_base(tiny, RECIPE).double(), trainer_like()
    batch = Flatten()([Examples([example])[0]])
    count = (batch["labels"] != IGNORED).sum()
    assert count == sum(weights)
    logits = {}
    model.lm_head.register_forward_hook(lambda _, __, out: logits.update(out=out))
    loss = RefinementTrainer.compute_loss(trainer, model, batch, num_items_in_batch=count)
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-9)  # the model's norms compute in float32
    for (name, a), b in zip(hand.named_parameters(), model.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, rtol=1e-5, atol=1e-8), name
    assert logits["out"].shape[1] == count  # erroneous and read tokens have no logits at all, so no gradient either
    nats, tokens = trainer.tally[:, 0], trainer.tally[:, 1]
    assert nats.sum().item() / tokens.sum().item() == pytest.approx(expected.item(), rel=1e-9)


def test_tokens_of_a_refinement_are_told_from_others(tiny, three_turns):
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    example = encode(to_conversation(three_turns), tokenizer)
    flags = refinement_tokens(example)
    text = tokenizer.decode([t for t, flag in zip(example.input_ids, flags, strict=True) if flag])
    assert text == "Thought: Then take it.\nAction: take cup<|im_end|>"
    for strategy in ("all_turns", "no_refinement"):  # no reply is masked there, so none is known to mend one
        assert not refinement_tokens(encode(to_conversation(three_turns, strategy), tokenizer)).any()


def test_the_order_is_that_of_the_seed_and_every_pass_sees_every_row():
    order = list(Order(7, 20, seed=3))
    assert order == list(Order(7, 20, seed=3)) != list(Order(7, 20, seed=4))
    assert sorted(order[:7]) == sorted(order[7:14]) == list(range(7)) and order[:7] != order[7:14]
    assert len(order) == len(Order(7, 20, seed=3)) == 20
