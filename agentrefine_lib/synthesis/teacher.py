"""Which teacher a run uses: the embedded one, or a language model behind a URL with an estimate and a budget."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agentrefine_lib.endpoint import Budget, Endpoint, EndpointSettings, estimate, load_prices
from agentrefine_lib.synthesis.store import Note
from agentrefine_lib.teachers import Teacher
from agentrefine_lib.teachers.endpoint_teacher import EndpointTeacher

# For the estimate before the first request, four characters counted as a token. Calls measured on 1,500 trajectories of
# the embedded teacher behind its server, a fifth of its scripts and plays broken on purpose; prompts measured (script
# 2,440, play 2,040); replies are the embedded teacher's, 1,000, and a quarter more for the fields that it leaves out.
CALLS_PER_TRAJECTORY, PROMPT_TOKENS, REPLY_TOKENS = 2.6, 2_250, 1_250


@asynccontextmanager
async def endpoint_teacher(
    settings: EndpointSettings, folder: Path, n_trajectories: int, prices: Path, budget: Budget
) -> AsyncIterator[tuple[Teacher, Note]]:
    """A teacher behind a URL, and a note for the progress bar that says what was spent and what the rest may cost.

    Every completion is recorded in ``folder/completions.jsonl``: a run that is repeated pays for nothing twice.
    """
    known = load_prices(prices)
    print(estimate(n_trajectories, CALLS_PER_TRAJECTORY, PROMPT_TOKENS, REPLY_TOKENS, settings, known))
    async with Endpoint(settings, folder / "completions.jsonl", budget=budget, prices=known) as endpoint:

        def note(share: float) -> str:
            numbers = endpoint.statistics()
            spent = numbers.spent
            money = "" if numbers.cost is None else f" (${spent.money:.2f} of about ${spent.money / share:.2f})"
            tokens = f"{spent.tokens:,} of about {spent.tokens / share:,.0f} tokens{money}"
            return f"{tokens}, {sum(numbers.retries.values())} retries, {numbers.limit} at once"

        yield EndpointTeacher(endpoint), note
