"""How fast may we ask: adaptive concurrency, a rate that is given or found, and pauses the server asked for.

`Allowance`, `Tempo` and `Metronome` decide with the time they are given and never wait; `Pace` waits for what they say.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

START = 4.0
"Requests in flight before anything is known of the server; doubles each round until it complains."
WINDOW = 1.0
"Seconds in which several complaints count as one: they answer requests that were under way together."
BELOW, NEAR, STRIDE = 0.985, 0.8, 4
"""How far below a limit we stay; what was let through is believed where it is that near to what was tried; how far a
rate falls at most at once."""
SEARCHED, SEARCH_TIME, TRIED_TIME = 200, 5.0, 60.0
"""Answers until the rate that met a complaint is tried again: so many or in so many seconds as long as the limit is
searched for, so many and in so many seconds once it is known."""
HURRY, FAR = 3e-4, 1.05
"How fast a rate grows with each answer where nothing was refused though it is so many times the limit of before."
SPARE = 1.2
"How many times what passes the rate may be, at most: beyond, it is not the rate that holds requests back."
ENOUGH, SHORTEST, FIRST, SLOWEST = 20, 0.05, 10.0, 0.2
"Answers and seconds from which a rate is reckoned; requests a second where none can be, and at least."
RESPITE = 3
"Requests that are left out after a complaint that names no time, so that the server has something to spare again."
FEW = 4
"Slots for each request in flight, from which on there is room."
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
class Tempo:
    """The rate that a server was found to take: just below the one at which it complained, and slowly up again.

    Its limit lies between what it let through since the complaint before, in that time, whatever burst it allows, and
    the rate at which it complained. The rate goes from the one to the other, so each complaint brings them nearer.
    """

    rate: float | None = None
    "Requests a second; None as long as no limit is known."
    _tried: float = 0.0
    "The rate that met the last complaint."
    _growth: float = 0.0
    "By how much each answer lets the rate grow, as a part of it."
    _sure: bool = False
    "Whether the limit was found."
    _reckoned: bool = False
    "Whether it comes from what was let through, and is not only a guess."
    _searches: int = 0
    "Complaints since the search began, each of which makes it slower and so finer."
    _since: float | None = None
    "When the last complaint came, or when the first request was sent."
    _taken: int = 0
    "Requests that were answered since."
    _passing: float = 0.0
    "Of the last few answers, how many came in a second."
    _at: float = 0.0
    "When the last of them came."

    def sent(self, now: float) -> None:
        """A request goes out."""
        if self._since is None:
            self._since = now

    def answered(self, now: float) -> None:
        """A request was answered; only where the rate is what holds requests back it is tried whether there is more."""
        self._taken += 1
        if self._taken % ENOUGH == 0:
            self._passing, self._at = ENOUGH / max(now - self._at, 1e-6), now
        if self.rate is not None and self.rate < SPARE * self._passing:
            far = self._sure and self.rate > FAR * self._tried
            self.rate *= 1 + (HURRY if far else self._growth)

    def refused(self, now: float, sent: float) -> None:
        """A request that was sent then was refused; what was on its way when another was refused tells nothing new."""
        if self._since is None or (self.rate is not None and sent < self._since):
            return
        found = self._taken / max(now - self._since, SHORTEST)
        few = self._taken < ENOUGH
        if self.rate is None:
            self._search(found + FIRST, 0.0)
        elif few and self._reckoned:
            # perhaps by chance, as the server had nothing to spare: it goes on counting
            self.rate, self._reckoned = max(SLOWEST, BELOW**3 * self.rate), False
            return
        elif few or found < NEAR * self.rate:
            self._search(self.rate, 0.0 if few else found)
        else:
            self._settle(self.rate, found)
        self._since, self._taken, self._at = now, 0, now

    def _search(self, tried: float, found: float) -> None:
        self.rate = max(SLOWEST, found, tried / STRIDE)
        self._tried, self._sure = max(tried, self.rate), False
        answers = min(SEARCHED, max(ENOUGH, SEARCH_TIME * self.rate)) * 2**self._searches
        self._growth = math.log(self._tried / self.rate) / answers
        self._reckoned = found > 0
        self._searches += self._reckoned

    def _settle(self, tried: float, found: float) -> None:
        limit = min(tried, (tried + found) / 2)
        self.rate, self._tried, self._sure = max(SLOWEST, BELOW * limit), limit, True
        self._searches, self._reckoned = 0, True
        self._growth = -math.log(BELOW) / max(SEARCHED, TRIED_TIME * self.rate)

    def told(self, rate: float) -> None:
        """The server says at which rate it takes more, and that little is left."""
        if self.rate is None or rate < self.rate:
            self._settle(max(SLOWEST, rate), rate)


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
        self.tempo = Tempo()
        self.in_flight = 0
        self.complaints = 0
        self.clock = clock
        self._metronome = Metronome(rate)
        self._most = rate
        self._sleep = sleep
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def roomy(self) -> bool:
        """Whether a request that nobody waits for holds none back: most slots are free, and no limit is known."""
        free = self.allowance.slots >= FEW and self.in_flight * FEW <= self.allowance.slots
        return free and not (self.complaints or self._waiting or self._metronome.rate)

    def slot(self) -> Slot:
        """Return one of the slots, to be held for the time of one request."""
        return Slot(self)

    def slowed(self, retry_after: float | None = None, sent: float | None = None) -> None:
        """Tell that the server asked for less: 429, or 503 with Retry-After; a request of then met it."""
        now = self.clock()
        self.complaints += 1
        self.tempo.refused(now, now if sent is None else sent)
        self._set_rate()
        respite = RESPITE / self.tempo.rate if self.tempo.rate is not None else None
        self.allowance.slowed(now, retry_after if retry_after is not None else respite)

    def told(self, rate: float) -> None:
        """Tell that the server says at which rate it takes more, as little is left."""
        self.tempo.told(rate)
        self._set_rate()

    async def enter(self) -> float:
        """Wait for a slot and for our turn; returns the time at which the request is sent."""
        if self.in_flight < self.allowance.slots and not self._waiting:
            self.in_flight += 1
        else:
            await self._queue()
        try:
            await self._wait()
        except BaseException:
            self.leave()
            raise
        now = self.clock()
        self.tempo.sent(now)
        return now

    def leave(self, *, heard: int | None = None) -> None:
        """Give a slot back; `heard` is how many complaints there were when a request began that was answered."""
        if heard is not None:
            self.tempo.answered(self.clock())
            self._set_rate()
            if heard == self.complaints:
                self.allowance.succeeded()
        self.in_flight -= 1
        self._wake()

    async def _queue(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def _wake(self) -> None:
        """Hand free slots over to those who wait, in their order."""
        while self._waiting and self.in_flight < self.allowance.slots:
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)

    async def _wait(self) -> None:
        """Wait for a beat that lies in no pause: whoever met a pause queues for a beat again, so none rush together."""
        while True:
            while pause := self.allowance.pause(self.clock()):
                await self._sleep(pause)
            beat = self._metronome.reserve(self.clock())
            if not beat:
                return
            await self._sleep(beat)
            if not self.allowance.pause(self.clock()):
                return

    def _set_rate(self) -> None:
        found = self.tempo.rate
        if found is not None:
            self._metronome.rate = found if self._most is None else min(found, self._most)


class Slot:
    """The right to have one request in flight."""

    __slots__ = ("_heard", "_pace", "_refused", "_sent")

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._refused = False

    async def __aenter__(self) -> Self:
        self._sent = await self._pace.enter()
        self._heard = self._pace.complaints
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pace.leave(heard=None if kind is not None or self._refused else self._heard)

    def slowed(self, retry_after: float | None) -> None:
        """Tell that the server refused this request because there are too many."""
        self._refused = True
        self._pace.slowed(retry_after, self._sent)
