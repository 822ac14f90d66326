"""Many fetchers, one writer: pages wait here, bounded by their bytes, and go to the disk together with one fsync.

Nobody waits for the disk but who fetches faster than it writes: what is to happen once pages are archived is left here
with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from exporter.model import Page

WAITING_BYTES = 24 << 20
"Memory of the pages that wait for the disk, together; beyond it fetchers wait."
PAGE_BYTES, ITEM_BYTES = 1500, 250
"What a page and each of its items take beside their text (measured by the system's account of 18,000 pages)."
LINGER = 0.02
"Seconds in which more may come before what waits is written: an fsync and a thread's turn cost more than a page."


class Writer:
    """Commits pages in the order they were put."""

    def __init__(self, append: Callable[[Sequence[Page]], None], on_page: Callable[[Page], None]) -> None:
        self._append = append
        self._on_page = on_page
        self._waiting: list[Page] = []
        self._then: list[Callable[[], None]] = []
        "What is to be done once what waits is archived."
        self._bytes = 0
        self._writing = False
        self._closing = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._error: Exception | None = None

    async def put(self, page: Page) -> None:
        """Hand a page over; raises what stopped the writing, if something did."""
        self.check()
        while self._bytes >= WAITING_BYTES:
            self._room.clear()
            await self._room.wait()
            self.check()
        self._waiting.append(page)
        self._bytes += _size(page)
        self._news.set()

    def then(self, call: Callable[[], None]) -> None:
        """Have something done once every page put so far is archived: now, if that is so already."""
        self.check()
        if self._waiting or self._then or self._writing:
            self._then.append(call)
            self._news.set()
        else:
            call()

    async def run(self) -> None:
        """Write until closed; the first error ends it and reaches everybody who puts or checks."""
        while self._waiting or self._then or not self._closing:
            await self._news.wait()
            if not self._closing:
                await asyncio.sleep(LINGER)
            self._news.clear()
            try:
                await self._write()
            except Exception as error:  # noqa: BLE001 - it is raised again where pages are put
                self._error = error
                return
            finally:
                self._room.set()

    def close(self) -> None:
        """Let `run` end once everything put is written."""
        self._closing = True
        self._news.set()

    def check(self) -> None:
        """Raise what stopped the writing, if something did."""
        if self._error:
            raise self._error

    async def _write(self) -> None:
        batch, self._waiting = self._waiting, []
        size = self._bytes
        then, self._then = self._then, []
        self._writing = True
        try:
            if batch:
                await asyncio.to_thread(self._append, batch)
        finally:
            self._writing = False
            self._bytes -= size
        for page in batch:
            self._on_page(page)
        for call in then:
            call()


def _size(page: Page) -> int:
    return sum([len(item.body) for item in page.items], PAGE_BYTES + ITEM_BYTES * len(page.items))
