"""How fast may we ask: adaptive concurrency, a smooth rate, and pauses the server asked for.

`Allowance` and `Metronome` decide with the time they are given and never wait; `Pace` waits for what they say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

START = 4.0
"Requests in flight before anything is known of the server; doubles each round until it complains."
WINDOW = 1.0
"Seconds in which several complaints count as one: they answer requests that were under way together."
PAUSE_MAX = 300.0
"Seconds; a Retry-After beyond this pauses for this long, and the next complaint pauses again."


@dataclass(slots=True)
class Allowance:
    """How many requests may be in flight; halves on a complaint, grows by about one per round."""

    jobs: int
    width: float = field(init=False)
    careful: bool = False
    "Whether the server complained before: from then on growth is by one per round."
    paused_until: float = float("-inf")
    _narrowed_at: float = float("-inf")

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise ValueError("jobs must be at least 1")
        self.width = min(START, float(self.jobs))

    @property
    def slots(self) -> int:
        """Requests that may be in flight now, at least one."""
        return max(1, int(self.width))

    def slowed(self, now: float, retry_after: float | None) -> None:
        """The server asked for less; everybody waits until `retry_after` seconds from now."""
        if retry_after is not None and retry_after > 0:
            self.paused_until = max(self.paused_until, now + min(retry_after, PAUSE_MAX))
        if now - self._narrowed_at >= WINDOW:
            self._narrowed_at = now
            self.width = max(1.0, self.width / 2)
        self.careful = True

    def succeeded(self) -> None:
        """A request was answered."""
        self.width = min(float(self.jobs), self.width + (1 / self.width if self.careful else 1.0))

    def pause(self, now: float) -> float:
        """Seconds until the server wants to hear from us again."""
        return max(0.0, self.paused_until - now)


@dataclass(slots=True)
class Metronome:
    """A smooth gate: never two requests closer together than `1 / rate`."""

    rate: float | None
    _next: float = float("-inf")

    def __post_init__(self) -> None:
        if self.rate is not None and not self.rate > 0:
            raise ValueError("rate must be above 0")

    def reserve(self, now: float) -> float:
        """Take the next beat; returns the seconds to wait for it."""
        if self.rate is None:
            return 0.0
        beat = max(now, self._next)
        self._next = beat + 1 / self.rate
        return beat - now


class Pace:
    """Waits for what `Allowance` and `Metronome` decide; one for all requests to one server."""

    def __init__(
        self,
        jobs: int = 16,
        rate: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.allowance = Allowance(jobs)
        self.in_flight = 0
        self._metronome = Metronome(rate)
        self._clock, self._sleep = clock, sleep
        self._changed = asyncio.Condition()
        self._complaints = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one of the slots for the time of one request."""
        await self._enter()
        complaints = self._complaints
        try:
            await self._wait()
            yield
            if complaints == self._complaints:
                self.allowance.succeeded()
        finally:
            self.in_flight -= 1
            await self._tell()

    def slowed(self, retry_after: float | None = None) -> None:
        """Tell that the server asked for less: 429, or 503 with Retry-After."""
        self._complaints += 1
        self.allowance.slowed(self._clock(), retry_after)

    async def _enter(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.in_flight < self.allowance.slots)
            self.in_flight += 1

    async def _wait(self) -> None:
        if beat := self._metronome.reserve(self._clock()):
            await self._sleep(beat)
        while pause := self.allowance.pause(self._clock()):
            await self._sleep(pause)

    async def _tell(self) -> None:
        # shielded: a cancelled holder must still wake the next one
        async def notify() -> None:
            async with self._changed:
                self._changed.notify_all()

        await asyncio.shield(notify())
