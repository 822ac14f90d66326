"""Where a walk was cut off, the next one begins some objects before: those that the archive holds are no news.

A cursor may mean a second, so until more is known a page names a place before the second that it ends in.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from exporter.archive import Archive
from exporter.archive._lines import read_records
from exporter.crawl._sweep import body_hash
from exporter.errors import Damaged
from exporter.model import Page


class Overlap:
    """What the archive holds of one list from the position on where a visit goes on with it."""

    def __init__(self, archive: Archive, first: Page) -> None:
        self._held: dict[int, bytes] = {}
        for name, offset in reversed(list(archive.catalog.frames_of(first.thread, first.kind))):
            if self._read(archive, first, name, offset):
                break

    def _read(self, archive: Archive, first: Page, name: str, offset: int) -> bool:
        """Remember one frame; whether what stands before it is of no concern."""
        reached, found = False, dict[int, bytes]()
        with suppress(Damaged):  # what it held comes again, and is news
            for mark, lines in archive.lines_at(first.thread, first.kind, name, offset):
                if mark.list == first.list:
                    reached = reached or mark.seq <= first.seq
                    found |= {one.seq: body_hash(one.body) for one in read_records(lines) if one.seq >= first.seq}
        self._held = found | self._held
        return reached

    def news(self, page: Page) -> Page:
        """Return the page without what the archive holds at its beginning, as it is; its position stays."""
        places = range(page.seq, page.seq + len(page.items))
        held = [self._held.get(seq) == body_hash(item.body) for seq, item in zip(places, page.items, strict=True)]
        same = [*held, False].index(False)
        return replace(page, items=page.items[same:], seq=page.seq + same) if same else page
