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
    "Also the files that messages point to, and their contents."
    max_file_bytes: int = 5 * 2**30
    "Of a larger file, only what the server says of it is kept."
    accept_gone: bool = False
    "Believe it when many threads vanish at once."
