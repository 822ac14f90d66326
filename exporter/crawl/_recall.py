"""What a catalog that was made again has to be told: when threads were active, and what is unfinished in them.

Visits without news left no record, so what is recalled is never newer than the truth: deadlines come out sooner, not
later. When they were last walked from their beginnings is not recorded at all: that is spread over the sweep's time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson

from exporter.archive import Archive, MarkLine, read_records
from exporter.archive.catalog import stamp
from exporter.crawl._activity import activity
from exporter.crawl._timetable import Timetable
from exporter.crawl._visit import OURS
from exporter.errors import Temporary
from exporter.model import Item, Page, Record, ThreadRef, now
from exporter.retention import Policies, jitter

BATCH = 5000
"Threads that are noted together."


def work_out(archive: Archive, policies: Policies, on_many: Callable[[int], None] = lambda _: None) -> None:
    """Work out when threads are due, where that was never done, or with other policies; the lock must be held.

    `on_many` hears how many threads there are before all of them are gone through, which may take minutes.
    """
    if archive.catalog.fact("policies") is None:
        recall(archive, policies)
    Timetable(archive.catalog, policies).refresh(on_many)


def recall(archive: Archive, policies: Policies) -> None:
    """Read all that is archived, and note in the catalog what it tells about each thread."""
    if not archive.catalog.holds_pages():
        return
    told = _Told(archive)
    for _, mark, lines in archive.lines():
        told.take(mark, lines)
    told.flush()
    _spread_sweeps(archive, policies)


class _Told:
    """What was read and is not noted yet."""

    def __init__(self, archive: Archive) -> None:
        self._catalog = archive.catalog
        self._said: defaultdict[ThreadRef, dict[str, Any]] = defaultdict(dict)
        self._open: dict[ThreadRef, set[str]] = {}
        "Lists whose newest page holds something unfinished."

    def take(self, mark: MarkLine, lines: list[bytes]) -> None:
        if mark.of == "visit":
            for record in read_records(lines):
                self._visit(record)
        elif mark.of not in OURS and lines:
            self._page(mark, read_records(lines[-1:])[0])
        if len(self._said) >= BATCH:
            self.flush()

    def _page(self, mark: MarkLine, newest: Record) -> None:
        if mark.of in ("thread", "message", "run"):
            self._unfinished(mark, newest)
        item = Item(newest.id, newest.body)
        at = datetime.fromisoformat(mark.fetched_at)
        seen = activity(Page(newest.thread, mark.of, (item,), None, False, at, mark.list))
        said = self._said[newest.thread]
        if seen is not None:
            said["active_at"] = max(stamp(seen), said.get("active_at", ""))

    def _unfinished(self, mark: MarkLine, newest: Record) -> None:
        lists = self._open.setdefault(newest.thread, set())
        if mark.next <= newest.seq:
            lists.add(mark.list)
        else:
            lists.discard(mark.list)
        if not lists:
            del self._open[newest.thread]

    def _visit(self, record: Record) -> None:
        body, said, at = orjson.loads(record.body), self._said[record.thread], stamp(record.observed_at)
        if body["state"] == "failed" or body["code"] == Temporary.code:
            said |= {"failed_at": at, "failures": 1}
        else:
            said |= {"failed_at": None, "failures": 0}
        if body["state"] == "complete":
            said["asked_at"] = None if record.thread in self._open else at

    def flush(self) -> None:
        known = self._catalog.find_all(list(self._said))
        for thread, said in self._said.items():
            if thread in known and "active_at" in said:
                said["active_at"] = max(said["active_at"], known[thread].active_at or "")
        self._catalog.note_hints(self._said)
        self._said.clear()


def _spread_sweeps(archive: Archive, policies: Policies) -> None:
    at, said = now(), dict[ThreadRef, dict[str, Any]]()
    for known in archive.catalog.known():
        if known.visited_at is not None and known.swept_at is None:
            said[known.thread] = {"swept_at": stamp(_once_within(policies, known.thread, at))}
        if len(said) >= BATCH:
            archive.catalog.note_hints(said)
            said.clear()
    archive.catalog.note_hints(said)


def _once_within(policies: Policies, thread: ThreadRef, at: datetime) -> datetime:
    """Return a time such that all threads are swept in the time of one sweep from now on, as many each night."""
    return at - policies.rhythm.sweep * jitter(thread, at)
