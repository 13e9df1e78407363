"""Budgets hold with many requests in flight and over restarts; prices and estimates."""

import asyncio
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrefine_lib.endpoint import Budget, BudgetExceededError, Endpoint, EndpointSettings, estimate, load_prices
from agentrefine_lib.endpoint.budget import Ledger, Usage
from agentrefine_lib.endpoint.prices import Price, PriceError, price_of

PRICES_FILE = Path(__file__).parents[2] / "params/prices.yaml"
PRICES = {"tiny": Price.model_validate_json('{"input": 2, "output": 8, "date": "2026-11-23", "source": "a test"}')}


def spend(server, budget, recording=None, count=60, **changes):
    """Ask for many completions at once; how many came, the errors, the statistics."""

    async def run():
        async with Endpoint(server.settings(**changes), recording, budget=budget, prices=PRICES) as endpoint:
            chats = ([{"role": "user", "content": str(i)}] for i in range(count))
            outcomes = await asyncio.gather(*map(endpoint.complete, chats), return_exceptions=True)
            errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
            return count - len(errors), errors, endpoint.statistics()

    return asyncio.run(run())


# a request uses 20 + 30 tokens (0.00028 dollars); its worst case is less than six times as much
@pytest.mark.parametrize(
    ("budget", "used"),
    [
        (Budget(requests=25), lambda n: n),
        (Budget(tokens=1500), lambda n: 50 * n),
        (Budget(money=0.006), lambda n: 0.00028 * n),
    ],
)
def test_a_budget_is_used_up_and_never_overshot(server, budget, used):
    server.latency_s = 0.02
    came, errors, statistics = spend(server, budget)
    limit = next(limit for _, limit in budget if limit is not None)
    assert used(len(server.bodies)) <= limit
    assert used(came + 6) > limit, "stopped long before the limit"
    assert {type(error) for error in errors} == {BudgetExceededError} and len(errors) == 60 - came
    assert statistics.spent.requests == came == len(server.bodies)


def test_failed_requests_count_and_uncertain_ones_cost_their_worst_case(server, faults):
    server.rule = lambda body: faults.status(500)
    _, _, statistics = spend(server, Budget(requests=7), count=3, retries=50)
    assert len(server.bodies) == statistics.requests == 7 and statistics.tokens == 0
    server.reset()
    server.rule = lambda body: faults.slow(1)
    _, _, statistics = spend(server, Budget(), count=1, retries=0, timeout_s=0.1)
    assert 100 < statistics.tokens < 400


def test_a_budget_is_continued_after_a_restart(server, tmp_path):
    recording = tmp_path / "completions.jsonl"
    came, errors, _ = spend(server, Budget(tokens=1000), recording)
    for part in ("of 1,000 tokens spent", f"{came} completions are recorded in {recording}", "raise Budget(tokens=…)"):
        assert part in str(errors[0])
    again, _, statistics = spend(server, Budget(tokens=1000), recording)
    assert again == came == statistics.cached and statistics.requests == 0
    whole, errors, statistics = spend(server, Budget(tokens=10_000), recording)
    assert (whole, errors) == (60, []) and statistics.spent == Usage(60, 3000, pytest.approx(60 * 0.00028))
    assert server.counts == {str(i): 1 for i in range(60)}


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0, 1), st.integers(0, 3)), max_size=30), st.integers(0, 400))
def test_a_ledger_never_overshoots(costs, limit):
    ledger = Ledger(Budget(tokens=limit), Usage(), lambda: "")

    async def use(most, share, rounds):
        await ledger.reserve(Usage(1, most))
        for _ in range(rounds):
            await asyncio.sleep(0)
        ledger.settle(Usage(1, most), Usage(1, int(most * share)))
        assert ledger.spent.tokens <= limit

    async def run():
        outcomes = await asyncio.gather(*(use(*cost) for cost in costs), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {type(None), BudgetExceededError}
        assert ledger.reserved == Usage()

    asyncio.run(run())


def test_a_money_budget_needs_a_price():
    away = EndpointSettings(base_url="https://api.example/v1", model="brand-new")
    with pytest.raises(
        PriceError, match=r"price of 'brand-new', which is unknown: add 'brand-new' to params/prices.yaml"
    ):
        Endpoint(away, budget=Budget(money=5.0), prices=load_prices(PRICES_FILE))
    Endpoint(away, budget=Budget(tokens=5), prices=load_prices(PRICES_FILE))


def test_unknown_prices_are_said_to_be_unknown(server, tmp_path):
    async def run(prices, budget):
        async with Endpoint(server.settings(), tmp_path / "c.jsonl", prices=prices, budget=budget) as endpoint:
            completion = await endpoint.complete([{"role": "user", "content": "a"}])
            return completion.cost, endpoint.statistics()

    cost, statistics = asyncio.run(run(None, Budget()))
    assert cost is None and statistics.cost is None
    _, statistics = asyncio.run(run(PRICES, Budget(money=1.0)))  # what was unknown is computed now
    assert statistics.spent.money == pytest.approx(0.00028)


def test_the_price_list():
    prices = load_prices(PRICES_FILE)
    assert all(re.match(r"https://|your own machine", price.source) for price in prices.values())
    local = EndpointSettings(base_url="http://localhost:8000/v1", model="meta-llama/Llama-3-8B")
    assert price_of(local, prices).of(10**6, 10**6) == 0
    away = local.model_copy(update={"base_url": "https://api.example/v1"})
    assert price_of(away, prices) is None and price_of(local, {}) is None
    assert price_of(away.model_copy(update={"price": "gpt-4o"}), prices) == prices["gpt-4o"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[1, 2]", "field record: found"),
        ("a: {input: 1", "not YAML"),
        ("a: {input: 1, output: 2, source: x}", "field a.date: found nothing"),
        ("a: {input: -1, output: 2, source: x, date: 2026-01-01}", "field a.input: found -1"),
    ],
)
def test_a_bad_price_list_is_explained(tmp_path, text, problem):
    (tmp_path / "prices.yaml").write_text(text)
    with pytest.raises(PriceError, match=rf"prices\.yaml: {re.escape(problem)}"):
        load_prices(tmp_path / "prices.yaml")


def test_an_estimate_before_the_first_request():
    settings = EndpointSettings(base_url="https://api.example/v1", model="tiny", concurrency=50)
    found = estimate(1000, 2.5, 1500, 800, settings, PRICES)
    assert found == "2,500 requests, 3,750,000 + 2,000,000 tokens (read + written), $23.50, 8.3 min at 10 s a call"
    assert estimate(1, 1, 10, 10, settings, {}).endswith("cost unknown (no price for this model), 10 s at 10 s a call")
