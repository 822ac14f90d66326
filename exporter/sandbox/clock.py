"""The sandbox's time, and how long an API remembers."""

from __future__ import annotations

import time
from typing import NamedTuple


class Clock:
    """The sandbox's time: the wall's, or one that stands still; both can be advanced. `began` is its first moment."""

    def __init__(self, start: float | None = None) -> None:
        self._start = start
        self._ahead = 0.0
        self.began = self.now()

    def now(self) -> float:
        """Seconds since the epoch, as the sandbox sees it."""
        return (time.time() if self._start is None else self._start) + self._ahead

    def advance(self, seconds: float) -> float:
        """Let time pass; returns the new time."""
        self._ahead += seconds
        return self.now()


class Retention(NamedTuple):
    """After how many seconds an API forgets, counted from `created` or from the last `activity`."""

    ttl: float
    anchor: str = "activity"
