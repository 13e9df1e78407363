"""Synthesis through an endpoint, as chapter 1 runs it: estimate, budget, resumption, and a key that stays secret."""

import asyncio

import pytest

from agentrefine_lib.endpoint import Budget, BudgetExceededError, EndpointSettings
from agentrefine_lib.synthesis import Limits, endpoint_teacher, synthesize
from agentrefine_lib.teachers import EmbeddedTeacher

pytest.importorskip("uvicorn")
from agentrefine_lib.teachers.server import make_app, serve

CANARY = "sk-canary-5f1d7c0b9e"
PRICES = "local: {input: 1, output: 2, date: 2026-11-23, source: made up for a test}\n"


def test_a_run_over_its_budget_continues_and_pays_for_nothing_twice(jobs, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    (tmp_path / "prices.yaml").write_text(PRICES)
    teacher, work = EmbeddedTeacher(slip_rate=0.2), jobs(20)
    app, notes = make_app(teacher), []

    async def run(budget: Budget) -> None:
        settings = EndpointSettings(base_url=url, model="embedded", concurrency=8)
        source = endpoint_teacher(settings, tmp_path / "asked", len(work), tmp_path / "prices.yaml", budget)
        async with source as (asked, note):
            await synthesize(asked, work, tmp_path / "asked", Limits(), concurrency=8, note=note)
            notes.append(note(1.0))

    with serve(app) as url:
        with pytest.raises(BudgetExceededError, match="15"):
            asyncio.run(run(Budget(requests=15)))
        finished = (tmp_path / "asked" / "trajectories.jsonl").read_text().splitlines()
        assert 0 < len(finished) < len(work)
        asyncio.run(run(Budget(money=100.0)))
        sent = sum(app.state.requests.values())
        asyncio.run(run(Budget()))
    recorded = (tmp_path / "asked" / "completions.jsonl").read_text().splitlines()
    assert sent == len(recorded) == sum(app.state.requests.values())
    assert "requests" in capsys.readouterr().out
    assert "$" in notes[0]

    asyncio.run(synthesize(teacher, work, tmp_path / "alone"))
    ours, alone = ((tmp_path / run / "rejections.jsonl").read_text() for run in ("asked", "alone"))
    assert ours == alone
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or CANARY not in path.read_text()
