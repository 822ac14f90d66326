"""How to crawl."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """How to crawl."""

    jobs: int = 16
    "Threads walked at once; requests in flight adapt below it."
    rate: float | None = None
    "Requests per second, at most."
    max_requests: int | None = None
    max_duration: float | None = None
    "Seconds."
    full: bool = False
    "Walk from the beginning: finds edits."
    runs: bool = True
    "Also runs and their steps, where the source has them."
    files: bool = True
    "Also the contents of files that messages point to."
    accept_gone: bool = False
    "Believe it when many threads vanish at once."
