"""Take the new pages: rows that can be appended go on at once, and what happened to a thread is sorted by thread.

The idea: pages come in the order of time; the threads they belong to are joined one by one, after a sort on disk.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from exporter.files import make_folder
from exporter.model import Mark, Record, Registration, ThreadRef
from exporter.rows import LISTED, TABLE_OF, row
from exporter.tables._changes import Changes
from exporter.tables._names import key, text, whose
from exporter.tables._reader import View
from exporter.tables._sorting import Sorter
from exporter.text import plain

_COLUMNS: dict[str, pa.DataType] = {
    **dict.fromkeys(("source", "endpoint", "thread", "body"), pa.binary()),
    **dict.fromkeys(("order", "number", "count", "_month"), pa.int64()),
    "kind": pa.string(),
    "observed_at": pa.timestamp("us", "UTC"),
}
_THREAD = ("source", "endpoint", "thread")


@dataclass(frozen=True, slots=True)
class Event:
    """A page of a thread's objects, or one record of any other kind."""

    kind: str
    number: int
    "Its manifest."
    count: int
    "Records of the page."
    observed_at: datetime
    body: bytes | None
    "Of a thread or a visit."


class Events:
    """What happened to which thread."""

    def __init__(self, folder: Path) -> None:
        self._sorter = Sorter(pa.schema(_COLUMNS), (*_THREAD, "order"), make_folder(folder / "events"))

    def collect(self, view: View, changes: Changes, *, remember: bool) -> set[str]:
        """Take the new pages, and return the ids of their threads where somebody has to know."""
        touched = set()
        pages = view.owned(view.new_pages(), lambda page: page[1].thread, _size)
        for order, ((number, mark, records), owner) in enumerate(pages):
            if remember:
                touched.add(plain(mark.thread.id))
            if mark.kind not in LISTED:
                for record in records:
                    self._add(order, number, mark, record)
                continue
            self._add(order, number, mark, records[0] if records else None)
            table = TABLE_OF[mark.kind]
            if not mark.fresh:
                changes.fold(table, whose(mark.thread))
            elif not changes.folds(table, whose(mark.thread)):
                _append(changes, number, records, owner)
        return touched

    def by_thread(self) -> Iterator[tuple[ThreadRef, list[Event]]]:
        """Yield what happened to each thread, in the order of the pages."""
        self._sorter.finish()
        lines = (line for table in self._sorter.merged(0) for line in table.to_pylist())
        for exact, group in itertools.groupby(lines, key=lambda line: tuple(line[name] for name in _THREAD)):
            happened = [Event(*(line[name] for name in Event.__slots__)) for line in group]
            yield ThreadRef(*(text(part) for part in exact)), happened

    def _add(self, order: int, number: int, mark: Mark, record: Record | None) -> None:
        ours = record is not None and mark.kind in ("thread", "visit")
        body = record.body if ours and record is not None else None
        values = {
            "source": key(mark.thread.source),
            "endpoint": key(mark.thread.endpoint),
            "thread": key(mark.thread.id),
            "order": order,
            "number": number,
            "kind": mark.kind,
            "count": mark.count,
            "observed_at": mark.fetched_at if record is None else record.observed_at,
            "body": body,
            "_month": 0,
        }
        self._sorter.add(values, len(body or b""))


def _append(changes: Changes, number: int, records: list[Record], owner: Registration) -> None:
    for record in records:
        if (values := row(record, owner)) is not None:
            changes.put(TABLE_OF[record.kind], values, 2 * len(record.body), number)


def size_of(happened: tuple[ThreadRef, list[Event]]) -> int:
    """Return the bytes of what happened to a thread."""
    return sum(len(event.body or b"") for event in happened[1])


def _size(page: tuple[int, Mark, list[Record]]) -> int:
    return sum(len(record.body) for record in page[2])
