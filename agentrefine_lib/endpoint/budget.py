"""Hard limits: a request starts only when its worst case fits into what is left."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from pydantic import Field

from agentrefine_lib.endpoint.failures import EndpointError
from agentrefine_lib.schema import Section


class Budget(Section):
    """Limits over all runs of one recording; None is no limit."""

    requests: int | None = Field(default=None, ge=0)  # HTTP requests; failed ones count in the run that made them
    tokens: int | None = Field(default=None, ge=0)  # read and written
    money: float | None = Field(default=None, ge=0)  # US dollars


class Usage(NamedTuple):
    """What was used, or may be: the same three numbers."""

    requests: int = 0
    tokens: int = 0
    money: float = 0.0

    def plus(self, other: "Usage", sign: int = 1) -> "Usage":
        return Usage(
            self.requests + sign * other.requests, self.tokens + sign * other.tokens, self.money + sign * other.money
        )


class BudgetExceededError(EndpointError):
    """The next request might overshoot the budget and was not sent."""


class Ledger:
    """What is spent, and what the requests in flight may cost. ``saved`` says where the results so far are."""

    def __init__(self, budget: Budget, spent: Usage, saved: Callable[[], str]) -> None:
        self.spent, self.reserved = spent, Usage()
        self._budget, self._saved, self._settled = budget, saved, asyncio.Event()

    async def reserve(self, worst: Usage) -> None:
        """Set a worst case aside, waiting while requests in flight may turn out cheap enough to leave room for it.

        Raises BudgetExceededError when even their costing nothing would not leave room.
        """
        while self._lacking(self.spent.plus(self.reserved).plus(worst)):
            if beyond := self._lacking(self.spent.plus(worst)):
                raise BudgetExceededError(self._account(beyond, worst))
            self._settled.clear()
            await self._settled.wait()
        self.reserved = self.reserved.plus(worst)

    def settle(self, worst: Usage, actual: Usage) -> None:
        """Replace a reservation by what the request really cost."""
        self.reserved = self.reserved.plus(worst, sign=-1) if self.reserved.requests > 1 else Usage()
        self.spent = self.spent.plus(actual)
        self._settled.set()

    def _lacking(self, total: Usage) -> str | None:
        limits = [(name, limit) for name, limit in self._budget if limit is not None]
        return next((name for name, limit in limits if getattr(total, name) > limit), None)

    def _account(self, name: str, worst: Usage) -> str:
        spent, limit, need = (getattr(amounts, name) for amounts in (self.spent, self._budget, worst))
        return (
            f"budget reached: {spent:,} of {limit:,} {name} spent, the next request may need up to {need:,}. "
            f"{self._saved()}. To continue, raise Budget({name}=…) and run again: nothing recorded is paid twice"
        )
