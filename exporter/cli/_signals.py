"""How Ctrl-C and SIGTERM end a command that fetches."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.crawl import Stop


@contextmanager
def signals(stop: Stop) -> Iterator[None]:
    """Let them end it with everything fetched committed."""

    def handler(number: int, _: FrameType | None) -> None:
        stop.request(128 + number)

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
