"""Many fetchers, one writer: pages wait here, bounded by their bytes, and go to the disk together with one fsync."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from exporter.model import Page

WAITING_BYTES = 32 * 1024 * 1024
"Pages waiting for the disk, together; beyond it fetchers wait."


class Writer:
    """Commits pages in the order they were put."""

    def __init__(self, append: Callable[[Sequence[Page]], None], on_page: Callable[[Page], None]) -> None:
        self._append = append
        self._on_page = on_page
        self._changed = asyncio.Condition()
        self._waiting: list[Page] = []
        self._bytes = 0
        self._put = 0
        self._done = 0
        self._closing = False
        self._error: Exception | None = None

    async def put(self, page: Page) -> None:
        """Hand a page over; raises what stopped the writing, if something did."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._error or self._bytes < WAITING_BYTES)
            self._raise()
            self._waiting.append(page)
            self._bytes += _size(page)
            self._put += 1
            self._changed.notify_all()

    async def flush(self) -> None:
        """Wait until every page put so far is archived."""
        async with self._changed:
            target = self._put
            await self._changed.wait_for(lambda: self._error or self._done >= target)
            self._raise()

    async def run(self) -> None:
        """Write until closed; the first error ends it and reaches everybody who puts or flushes."""
        while batch := await self._take():
            try:
                await asyncio.to_thread(self._append, batch)
            except Exception as error:  # noqa: BLE001 - it is raised again where pages are put
                self._error = error
            async with self._changed:
                self._done += len(batch)
                self._bytes -= sum(map(_size, batch))
                self._changed.notify_all()
            if self._error:
                return
            for page in batch:
                self._on_page(page)

    async def close(self) -> None:
        """Let `run` end once everything put is written."""
        async with self._changed:
            self._closing = True
            self._changed.notify_all()

    async def _take(self) -> list[Page]:
        async with self._changed:
            await self._changed.wait_for(lambda: self._waiting or self._closing)
            batch, self._waiting = self._waiting, []
            return batch

    def _raise(self) -> None:
        if self._error:
            raise self._error


def _size(page: Page) -> int:
    return sum(len(item.body) for item in page.items) + 256
