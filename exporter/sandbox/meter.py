"""How many requests a project may send: buckets that fill by real time, and the 429 when one is empty."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from exporter.sandbox.answers import Answer, error
from exporter.sandbox.state import State


@dataclass(slots=True)
class Bucket:
    """What one project may still send: `burst` at once, `rate` a second."""

    left: float
    at: float


@dataclass(slots=True)
class Meter:
    """The rate limit of every project, by real time."""

    buckets: dict[str, Bucket] = field(default_factory=dict)

    def count(self, state: State, project: str, now: float) -> tuple[Answer | None, dict[str, str]]:
        """Take one request into account: the 429 it gets, if any, and the headers that go with its answer."""
        rate, burst = state.switches.rate, max(1, state.switches.burst)
        if not rate:
            return None, {}
        bucket = self.buckets.setdefault(project, Bucket(burst, now))
        bucket.left = min(burst, bucket.left + (now - bucket.at) * rate)
        bucket.at = now
        allowed = bucket.left >= 1
        bucket.left -= allowed
        wait = 0.0 if allowed else (1 - bucket.left) / rate
        headers = {
            "x-ratelimit-limit-requests": str(burst),
            "x-ratelimit-remaining-requests": str(int(bucket.left)),
            "x-ratelimit-reset-requests": f"{int((burst - bucket.left) / rate * 1000)}ms",
        }
        headers = headers if state.switches.rate_headers else {}
        if allowed:
            return None, headers
        told = state.switches.retry_after or math.ceil(wait)
        wait = state.switches.retry_after or wait
        message = "Rate limit reached for requests. Please slow down and try again."
        answer = error(429, message, kind="rate_limit_error", code="slow_down", retry_after=f"{told:g}")
        return answer, headers | {"retry-after-ms": str(int(wait * 1000) + 1)}
