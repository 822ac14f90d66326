"""What is worth another attempt, and when, and how long one may take: pure, but for the dice and the clock."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from exporter.sources import Answer

T = TypeVar("T")

RETRIED = frozenset({408, 409, 425, 429})
WAIT_FIRST, WAIT_MAX = 0.5, 30.0
RETRY_AFTER_MAX = 120.0
"Seconds; who asks for more is not waited for: run again later."
SLOWEST = 16 * 1024
"Bytes a second that a long answer must bring, on the whole, to be waited for."


LEFT, MOST, RESET = (f"x-ratelimit-{word}-requests" for word in ("remaining", "limit", "reset"))
"How many requests are left, of how many, and how long until all of them are there again."
LITTLE = 0.1
"From which share on what is left counts."
DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:([\d.]+)s)?(?:([\d.]+)ms)?", re.ASCII)


class Again(Exception):
    """This attempt failed in a way that another may not."""

    def __init__(self, what: str, retry_after: float | None = None, attempt: int = 1) -> None:
        super().__init__(what)
        self.retry_after, self.attempt = retry_after, attempt


class Unusable(Exception):
    """What came, or what was asked for, cannot be taken; no other attempt betters that."""


@dataclass(slots=True)
class Patience:
    """How long one question may take with all its attempts: some seconds, and longer while bytes come."""

    seconds: float
    least: float = 0.0
    "Seconds that one attempt has until its first bytes, however little is left."
    received: int = 0
    _began: float = field(default_factory=time.monotonic)
    _limit: asyncio.Timeout | None = None

    @property
    def over(self) -> bool:
        """Whether to give up; a drip of bytes that never ends comes to this too."""
        return time.monotonic() - self._began > self.seconds + self.received / SLOWEST

    async def bounds(self, attempt: Awaitable[T]) -> T:
        """Return what an attempt brings; `Again`, and no more of it, where nothing of a body comes for so long.

        A server may send what is no body for ever, a byte at a time, so that no wait for the next one is long.
        """
        try:
            async with asyncio.timeout(self._longest) as limit:
                self._limit = limit
                return await attempt
        except TimeoutError:
            if not limit.expired():  # the caller's own
                raise
        raise slow()

    def came(self, size: int) -> None:
        """Hear of bytes of a body: there is time for the next ones, or `Again` where it took too long."""
        self.received += size
        if self.over:
            raise slow()
        now = asyncio.get_running_loop().time()
        if self._limit is not None and (self._limit.when() or now) - now < self._longest / 2:
            self._limit.reschedule(now + self._longest)

    @property
    def _longest(self) -> float:
        return max(self.seconds, self.least)


def slow() -> Again:
    """Return the error of an answer that is not worth to be waited for any longer, nor to be asked for again."""
    return Again("the answer came too slowly", retry_after=float("inf"))


def backoff(error: Exception) -> bool | float:
    """Return how long to wait before the next attempt, False for none: what the server says, else full jitter."""
    if not isinstance(error, Again):
        return False
    if error.retry_after is not None:
        return False if error.retry_after > RETRY_AFTER_MAX else error.retry_after
    return random.uniform(0, min(WAIT_MAX, WAIT_FIRST * 2**error.attempt))  # noqa: S311 - no secret


def retryable(answer: Answer) -> bool:
    """Whether the same request may be answered better soon."""
    said = answer.headers.get("x-should-retry", "").lower()
    if answer.status < 400 or said == "false" or b"insufficient_quota" in answer.body:
        return False
    return said == "true" or answer.status in RETRIED or answer.status >= 500


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the server wants to be left alone; None when it does not say."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / unit
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    until = moment(headers.get("retry-after", ""))
    return None if until is None else max(0.0, until.timestamp() - time.time())


def moment(said: str) -> datetime | None:
    """Return what a date in a header says, UTC where it names no zone; None where it is no date, or beyond all."""
    try:
        found = parsedate_to_datetime(said)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def refill(headers: Mapping[str, str]) -> float | None:
    """Return the requests a second that a server says it has again, where few are left; None when it does not say."""
    if LEFT not in headers:
        return None
    try:
        left, most, reset = float(headers[LEFT]), float(headers[MOST]), _duration(headers[RESET])
    except (KeyError, ValueError):
        return None
    if not (0 < reset < float("inf") and 0 <= left <= LITTLE * most < float("inf")):
        return None
    return (most - left) / reset or None


def _duration(text: str) -> float:
    """Return seconds as a number or as `6m0s`, `1.5s`, `20ms`; `ValueError` where it is neither."""
    found = DURATION.fullmatch(text)
    if found is None or not text:
        return float(text)
    hours, minutes, seconds, thousandths = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds + thousandths / 1000
