"""How many requests may be in flight: halved when the server suffers, growing by one a round when it does not."""

import asyncio
import time
from collections import deque

WINDOW_S = 0.25  # after a cut: failures within it are of the same overload
GAP_S = 0.002  # between two places


class Throttle:
    """Additive increase, multiplicative decrease. ``async with throttle as started`` holds one place.

    Places are given in the order of asking and GAP_S seconds apart: a burst would go through the client in
    lockstep, each answer waiting for the processor time of all.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling, self.limit, self.in_flight = ceiling, float(ceiling), 0
        self._cut_again_from = self._next_start = time.monotonic()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def succeeded(self) -> None:
        """One more request in flight after each full round of successes."""
        self.limit = min(self.ceiling, self.limit + 1 / self.limit)
        self._give_places()

    def failed(self, started: float) -> None:
        """Halve, once for all requests that were started before the last cut or within the window after it."""
        if started >= self._cut_again_from:
            self.limit = max(1.0, self.limit / 2)
            self._cut_again_from = time.monotonic() + WINDOW_S

    def pause(self, seconds: float) -> None:
        """Start nothing for a while: the server said when it wants to hear from us again."""
        self._next_start = max(self._next_start, time.monotonic() + seconds)

    async def __aenter__(self) -> float:
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._give_places()
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # given and cancelled in the same round of the loop
                await self.__aexit__()
            raise
        return time.monotonic()

    async def __aexit__(self, *_: object) -> None:
        self.in_flight -= 1
        self._give_places()

    def _give_places(self) -> None:
        while self._waiting and self.in_flight < int(self.limit):
            now = time.monotonic()
            if now < self._next_start:
                if self._timer is None:
                    self._timer = asyncio.get_running_loop().call_later(self._next_start - now, self._on_timer)
                return
            place = self._waiting.popleft()
            if not place.done():
                self.in_flight += 1
                self._next_start = max(self._next_start + GAP_S, now)
                place.set_result(None)

    def _on_timer(self) -> None:
        self._timer = None
        self._give_places()
