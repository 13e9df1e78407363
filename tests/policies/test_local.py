"""The local policy: the same text alone or in a batch, with or without a cache, whatever the history's length."""

import asyncio
import time
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from agentrefine_lib.agent import Prompting
from agentrefine_lib.policies import LocalPolicy, Sampling
from agentrefine_lib.policies.decoding import Circles, Reading, attend_to_cache, decode
from agentrefine_lib.rollout import Limits, roll_out
from agentrefine_lib.schema import Episode, Task, read_jsonl
from agentrefine_lib.tuning.nano import build_tokenizer

LEVELS = ("GoToRedBallGrey", "Pickup", "GoToDoor")
GREEDY, SAMPLED = Sampling(), Sampling(temperature=0.9, top_p=0.8, seed=3)


SHAPE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


@pytest.fixture(scope="module")
def tokenizer(start):
    """Learned from a few prompts."""
    texts = [Prompting().chat(e.task, e.opening, [])[0]["content"] for e in map(start, LEVELS)]
    return build_tokenizer(texts, vocabulary=500)


@pytest.fixture(scope="module")
def tiny(tokenizer, tmp_path_factory):
    """A random Llama with large weights, so that its choices are not decided by rounding; a sixth of all tokens are
    ends of a turn."""
    torch.manual_seed(0)
    ends = {"eos_token_id": list(range(0, len(tokenizer), 6))}
    model = LlamaForCausalLM(LlamaConfig(**SHAPE, vocab_size=len(tokenizer), num_key_value_heads=1, **ends))
    for parameter in model.parameters():
        parameter.data.mul_(4.0)
    folder = tmp_path_factory.mktemp("tiny")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("shared", [1, 2], ids=["heads apart", "heads of two"])
@pytest.mark.parametrize("new", [1, 3])
def test_attention_to_a_cache_is_the_fused_one(new, shared):
    torch.manual_seed(0)
    query = torch.randn(3, 4, new, 8)
    key, value = torch.randn(2, 3, 4 // shared, 20, 8)
    mask = (torch.rand(3, 1, new, 20) < 0.5).index_fill(3, torch.tensor([7]), True)  # each token sees something
    module = torch.nn.Module()
    module.num_key_value_groups, module.is_causal = shared, True
    ours, fused = (
        attend(module, query, key, value, mask, scaling=8**-0.5)[0]
        for attend in (attend_to_cache, sdpa_attention_forward)
    )
    torch.testing.assert_close(ours, fused)


def act(policy, episodes):
    return asyncio.run(policy.act(episodes))


@torch.inference_mode()
def alone(policy, episode, model=None):
    """The reply without batch and cache: the whole text is read again for every token."""
    chat = Prompting().chat(episode.task, episode.opening, episode.steps[episode.dropped :])
    ids = policy.tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"]
    start, label = len(ids), f"{episode.task.id} {len(episode.steps)}"
    for uniform in policy._sampling.uniforms([label], policy._reply_tokens)[0]:
        logits = (model or policy.model)(input_ids=torch.tensor([ids])).logits[:, -1]
        ids.append(int(policy._sampling.choose(logits, uniform[None])))
        if ids[-1] in policy._stop:
            break
    return policy.tokenizer.decode(ids[start:], skip_special_tokens=True)


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("context", [2048, 650], ids=["whole", "cut"])
def test_a_batch_with_caches_says_what_each_episode_alone_would(tiny, tokenizer, start, advance, sampling, context):
    policy = LocalPolicy(tiny, "tiny", context=context, reply_tokens=8, sampling=sampling)
    assert policy._stop == {tokenizer.eos_token_id, *range(0, len(tokenizer), 6)}  # the tokenizer's and the model's
    crews = [[start(level, seed) for level in LEVELS] for seed in (0, 1)]
    said = Counter()
    for turn in range(4):
        for crew in crews:  # two crews take turns
            replies = act(policy, crew)
            assert replies == [alone(policy, episode) for episode in crew]
            said.update(replies)
            for episode, reply in zip(crew, replies, strict=True):
                advance(episode, reply)
                if context < 2048:
                    advance(episode, reply)
        if turn == 1:
            crews[0] = [crews[0][2], start("Open", 3), crews[0][0]]  # one ends, one joins, the order changes
    assert len(said) > 10
    assert (max(e.dropped for crew in crews for e in crew) > 0) == (context < 2048)


def test_only_what_is_new_is_read(tiny, start, advance):
    policy, episode, read = LocalPolicy(tiny, "tiny", context=2048, reply_tokens=8), start("GoToDoor"), []
    policy.model.register_forward_pre_hook(
        lambda _, __, given: read.append(given["input_ids"].shape[1]), with_kwargs=True
    )
    advance(episode, act(policy, [episode])[0])
    whole, read[:] = read[0], []
    act(policy, [episode])
    assert whole > 300 and 8 < read[0] < 60


def test_a_reading_goes_on_where_it_ended(tiny):
    model = AutoModelForCausalLM.from_pretrained(tiny)

    def go_on(reading, ids):
        unread = reading.keep_prefix_of(ids)
        (written,) = decode(model, [reading], [unread], ["x"], stop=frozenset(), tokens=6, sampling=GREEDY)
        return written, len(unread)

    reading, ids = Reading(), list(range(20, 60))
    written, _ = go_on(reading, ids)
    ids += [*written, 7, 8, 9]
    again, read = go_on(reading, ids)
    assert read == 4  # the last one written, and what is new
    assert again == go_on(Reading(), ids)[0]


def in_circle(ids, tokens):
    return any(
        len(ids) >= tokens and all(ids[-i] == ids[-i - period] for i in range(1, tokens - period + 1))
        for period in range(1, tokens // 3 + 1)
    )


@given(
    rows=st.integers(1, 3).flatmap(lambda n: st.lists(st.tuples(*[st.integers(0, 2)] * n), min_size=30, max_size=60)),
    tokens=st.sampled_from([0, 2, 3, 6, 11]),
)
def test_a_circle_is_what_the_last_tokens_say_three_times(rows, tokens):
    circles = Circles(len(rows[0]), tokens, torch.device("cpu"))
    for number, step in enumerate(rows, 1):
        closed = circles.closed_by(torch.tensor(step)).tolist()
        assert closed == [in_circle(ids, tokens) for ids in zip(*rows[:number], strict=True)]


def test_a_reply_that_goes_round_in_circles_is_over():
    """Without ends, greedy replies of a random model with few words close a circle, each at another token."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**SHAPE, vocab_size=30))
    for parameter in model.parameters():
        parameter.data.mul_(2.0)
    prompts = [[n, n + 1, n + 2] for n in range(5, 25)]

    def write(circle):
        readings, labels = [Reading() for _ in prompts], ["x"] * len(prompts)
        limits = {"stop": frozenset(), "tokens": 120, "circle": circle}
        return decode(model, readings, prompts, labels, sampling=GREEDY, **limits), readings

    (whole, _), (cut, readings) = write(0), write(12)
    assert len(set(map(len, cut))) > 10
    for all_ids, ids, prompt, reading in zip(whole, cut, prompts, readings, strict=True):
        ends = [n for n in range(1, 121) if in_circle(all_ids[:n], 12)]
        assert ids == all_ids[: min([*ends, 120])] and reading.ids == [*prompt, *ids[:-1]]


def test_a_long_history_is_cut_but_goal_and_first_observation_stay(tiny, start, advance):
    policy, episode = LocalPolicy(tiny, "tiny", context=900, reply_tokens=8), start("GoToRedBallGrey")
    for _ in range(20):
        advance(episode, act(policy, [episode])[0])
    read = policy._readings[episode].ids
    assert 0 < episode.dropped < 20 and len(read) <= 900
    text = policy.tokenizer.decode(read)
    assert f"Goal: {episode.opening.goal}" in text and episode.opening.observation in text


def test_a_reply_says_how_it_ended_and_a_run_how_many_were_cut(tiny, tmp_path, caplog):
    policy = LocalPolicy(tiny, "m", context=900, reply_tokens=6, crew=2)
    tasks = [Task(engine="babyai", name=level, seed=0) for level in LEVELS]
    asyncio.run(roll_out(policy, tasks, tmp_path / "e.jsonl", Limits(steps=3)))
    steps = [step for episode in read_jsonl(tmp_path / "e.jsonl", Episode) for step in episode.steps]
    assert {(step.ending.reason, step.ending.cut) for step in steps} == {("stop", False), ("length", True)}
    assert all(step.ending.tokens == 6 for step in steps if step.ending.cut)
    cut = sum(step.ending.cut for step in steps)
    (told,) = [record.message for record in caplog.records if "reply_tokens" in record.message]
    assert told == f"m: {cut} of {len(steps)} replies end at reply_tokens=6: raise it"


def test_a_context_too_small_for_the_task_is_refused(tiny, start):
    with pytest.raises(ValueError, match=r"tiny, babyai/GoToDoor/0: the first message needs \d+ of 92 tokens"):
        act(LocalPolicy(tiny, "tiny", context=100, reply_tokens=8), [start("GoToDoor")])


def test_a_context_that_the_model_cannot_read_is_refused(tiny):
    with pytest.raises(ValueError, match="context: found 2049; expected at most the 2048 tokens"):
        LocalPolicy(tiny, "tiny", context=2049)


def test_an_adapter_is_played_on_its_base(tiny, tokenizer, start, tmp_path):
    base = AutoModelForCausalLM.from_pretrained(tiny)
    torch.manual_seed(1)
    get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", r=4, init_lora_weights=False)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    episodes = [start(level) for level in LEVELS]
    adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny), tmp_path)
    policy = LocalPolicy(tmp_path, "lora", context=2048, reply_tokens=12)
    replies = act(policy, episodes)
    assert replies == [alone(policy, episode, adapted) for episode in episodes]
    assert replies != act(LocalPolicy(tiny, "base", context=2048, reply_tokens=12), episodes)


def test_a_sliding_window_is_refused_unless_the_context_fits_into_it(tokenizer, start, advance, tmp_path):
    torch.manual_seed(0)
    config = MistralConfig(**SHAPE, vocab_size=len(tokenizer), num_key_value_heads=1, sliding_window=1024)
    MistralForCausalLM(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="mistral: expected full attention in every layer over context=1025 tokens"):
        LocalPolicy(tmp_path, "mistral", context=1025)
    policy = LocalPolicy(tmp_path, "mistral", context=1024, reply_tokens=8)
    episodes = [start(level) for level in LEVELS]
    for _ in range(2):
        replies = act(policy, episodes)
        assert replies == [alone(policy, episode) for episode in episodes]
        for episode, reply in zip(episodes, replies, strict=True):
            advance(episode, reply)


def test_draws_have_the_models_probabilities_inside_the_nucleus():
    logits = torch.tensor([0.5, 0.05, 0.3, 0.15]).log()
    grid = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000

    def frequencies(**sampling):
        drawn = Sampling(**sampling).choose(logits.expand(1000, 4), grid)
        return [round(float((drawn == token).double().mean()), 2) for token in range(4)]

    assert frequencies(temperature=1.0) == [0.5, 0.05, 0.3, 0.15]
    assert frequencies(temperature=1.0, top_p=0.79) == [0.62, 0.0, 0.38, 0.0]  # 0.5 / 0.8, 0.3 / 0.8
    assert frequencies(temperature=0.5, top_p=0.5) == [1.0, 0.0, 0.0, 0.0]  # 0.25 of 0.365 is already over a half
    assert frequencies(temperature=0.0) == [1.0, 0.0, 0.0, 0.0]


def test_draws_differ_between_seeds_tasks_and_steps_and_repeat():
    drawn = Sampling(1.0, seed=1).uniforms(["a 0", "a 1", "b 0"], 5)
    assert len(set(drawn.flatten().tolist())) == 15
    assert torch.equal(Sampling(1.0, seed=1).uniforms(["b 0"], 7)[:, :5], drawn[2:])
    assert not torch.equal(Sampling(1.0, seed=2).uniforms(["b 0"], 5), drawn[2:])


def test_engines_go_on_while_the_model_writes(tiny, start):
    async def tick_meanwhile():
        policy, ticks = LocalPolicy(tiny, "tiny", context=2048), 0
        policy.model.register_forward_pre_hook(lambda *_: time.sleep(0.3))
        answer = asyncio.create_task(policy.act([start("GoToDoor")]))
        while not answer.done():
            await asyncio.sleep(0.001)
            ticks += 1
        return ticks

    assert asyncio.run(tick_meanwhile()) > 5
