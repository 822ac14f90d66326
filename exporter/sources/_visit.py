"""What every visit begins with: the thread's own object, which proves that it is this thread and that it exists."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.model import Item, Page, Positions, ThreadRef, now
from exporter.sources import NO_HEADERS
from exporter.sources._asking import Desk


async def thread_page(
    desk: Desk, thread: ThreadRef, path: str, after: Positions, headers: Mapping[str, str] = NO_HEADERS
) -> Page:
    """Return the thread's object as the page of its list `thread`."""
    found = await desk.thread(thread, path, headers)
    return Page(
        thread=thread,
        kind="thread",
        items=(Item(found.id, found.body),),
        cursor=None,
        more=False,
        fetched_at=now(),
        list="thread",
        fresh="thread" not in after,
    )
