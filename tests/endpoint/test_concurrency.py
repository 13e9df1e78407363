"""How many requests are in flight: the bound, halving, recovering, and fairness."""

import asyncio

import pytest

from agentrefine_lib.endpoint import Endpoint, concurrency
from agentrefine_lib.endpoint.concurrency import Throttle


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now


def test_it_halves_once_a_window_and_recovers_one_a_round(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(concurrency, "time", clock)
    monkeypatch.setattr(concurrency, "WINDOW_S", 1.0)
    throttle, before = Throttle(64), clock.now
    for _ in range(64):
        throttle.failed(before)
    assert throttle.limit == 32
    clock.now += 5
    throttle.failed(before)  # was sent before the cut
    throttle.failed(before + 0.5)  # within the window
    assert throttle.limit == 32
    throttle.failed(clock.now)
    assert throttle.limit == 16
    for _ in range(17):
        throttle.succeeded()
    assert 17 <= throttle.limit < 17.2
    for _ in range(5000):
        throttle.succeeded()
    assert throttle.limit == 64
    for _ in range(20):
        clock.now += 2
        throttle.failed(clock.now)
    assert throttle.limit == 1


@pytest.mark.parametrize("ceiling", [1, 7])
def test_places_are_given_in_order_and_none_is_lost(ceiling, monkeypatch):
    monkeypatch.setattr(concurrency, "GAP_S", 0.0)

    async def run():
        throttle, order, peak = Throttle(ceiling), [], 0

        async def hold(i):
            nonlocal peak
            async with throttle:
                order.append(i)
                peak = max(peak, throttle.in_flight)
                await asyncio.sleep(0.001)
                if i % 5 == 0:
                    raise ValueError

        tasks = [asyncio.create_task(hold(i)) for i in range(50)]
        await asyncio.sleep(0)
        for task in tasks[3::4]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return throttle, order, peak

    throttle, order, peak = asyncio.run(run())
    assert order == sorted(order) and peak == ceiling
    assert set(range(50)) - set(range(3, 50, 4)) <= set(order)
    assert throttle.in_flight == 0


def test_a_place_given_to_a_cancelled_task_is_passed_on(monkeypatch):
    monkeypatch.setattr(concurrency, "GAP_S", 0.0)

    async def run():
        throttle = Throttle(1)
        await throttle.__aenter__()
        first, second = (asyncio.create_task(throttle.__aenter__()) for _ in range(2))
        await asyncio.sleep(0)
        await throttle.__aexit__()  # gives the place to the first …
        first.cancel()  # … which never learns of it
        await asyncio.wait_for(second, 1)
        return throttle.in_flight

    assert asyncio.run(run()) == 1


def test_a_pause_holds_everybody_back():
    async def run():
        throttle, loop = Throttle(4), asyncio.get_running_loop()
        started = loop.time()
        throttle.pause(0.2)
        for _ in range(4):
            await throttle.__aenter__()
        return loop.time() - started

    assert 0.2 <= asyncio.run(run()) < 0.5


def test_the_bound_holds(server):
    server.latency_s = 0.05

    async def run():
        async with Endpoint(server.settings(concurrency=5)) as endpoint:
            await asyncio.gather(*(endpoint.complete([{"role": "user", "content": str(i)}]) for i in range(40)))

    asyncio.run(run())
    assert 2 <= server.peak <= 5


def test_it_finds_what_an_overloaded_server_can_bear_and_recovers(server, faults):
    server.latency_s = 0.02
    server.rule = lambda body: faults.status(429) if server.active >= 8 else None

    async def run():
        settings = server.settings(concurrency=32, retries=50, backoff_s=0.2, backoff_max_s=1.0)
        async with Endpoint(settings) as endpoint:
            chats = [[{"role": "user", "content": str(i)}] for i in range(500)]
            await asyncio.gather(*map(endpoint.complete, chats[:100]))
            worn = endpoint.statistics()
            server.rule = lambda body: None
            await asyncio.gather(*map(endpoint.complete, chats))
            return worn, endpoint.statistics()

    worn, rested = asyncio.run(run())
    assert worn.limit < 32 and worn.retries["rate_limit"] > 0
    assert rested.limit > worn.limit and rested.retries == worn.retries
    assert sum(server.counts.values()) == 600 + worn.retries["rate_limit"]  # without a recording, 100 are asked twice
