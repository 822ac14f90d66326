"""What threads without a title are called in the list: the first words that were said in them.

The idea: words are looked up in the archive, a frame per thread, so a page of the list takes only so long for it; what
is found is remembered, and what was left out keeps its id until the next look.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock

from exporter.archive import Archive
from exporter.archive._lines import read_records
from exporter.archive.catalog import Known
from exporter.errors import ExporterError
from exporter.formats._harmless import line
from exporter.model import Registration, ThreadRef
from exporter.rows import row

SECONDS = 0.15
"What a page of the list takes for it, at most."
REMEMBERED = 20_000
LOOKED = 8
"Messages of a thread that are looked at."
LONGEST = 80


class Previews:
    """First words of threads, as far as they were looked up."""

    def __init__(self) -> None:
        self._known: OrderedDict[ThreadRef, str] = OrderedDict()
        self._lock = Lock()

    def of(self, archive: Archive, threads: Iterable[Known]) -> dict[ThreadRef, str]:
        """Return the first words of those that have no title."""
        found: dict[ThreadRef, str] = {}
        end = time.monotonic() + SECONDS
        for one in threads:
            if one.title:
                continue
            words = self._known.get(one.thread)
            if words is None and time.monotonic() < end:
                words = _first(archive, one.thread)
                self._remember(one.thread, words)
            if words:
                found[one.thread] = words
        return found

    def _remember(self, thread: ThreadRef, words: str) -> None:
        if words:
            with self._lock:
                self._known[thread] = words
                if len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)


def _first(archive: Archive, thread: ThreadRef) -> str:
    """Return what a user said first; empty where nothing of the thread can be read."""
    try:
        for name, offset in archive.catalog.frames_of(thread, "message"):
            for _, lines in archive.lines_at(thread, "message", name, offset):
                told = (row(one, Registration(thread)) or {} for one in read_records(lines[:LOOKED]))
                words = next((str(one["text"]) for one in told if one.get("role") == "user" and one.get("text")), "")
                return line(words[: 4 * LONGEST])[:LONGEST]
    except ExporterError:  # the conversation itself says what is wrong with it
        return ""
    return ""
