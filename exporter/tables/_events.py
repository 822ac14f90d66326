"""Take the new pages: rows that can be appended go on at once, and what happened to a thread is sorted by thread.

The idea: pages come in the order of time; the threads they belong to are joined one by one, after a sort on disk.
Of a page of objects, what tells each of them apart goes along: where nothing is there twice, nothing has to be folded.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import cast

import pyarrow as pa

from exporter.files import make_folder
from exporter.model import Kind, Mark, Record, ThreadRef
from exporter.rows import LISTED, TABLE_OF, deleted_kind
from exporter.tables._appending import Appending
from exporter.tables._changes import Changes
from exporter.tables._names import key, text, whose
from exporter.tables._reader import View
from exporter.tables._repeats import Repeats, keys_of
from exporter.tables._sorting import Sorter
from exporter.text import plain

_COLUMNS: dict[str, pa.DataType] = {
    **dict.fromkeys(("source", "endpoint", "thread", "body"), pa.binary()),
    **dict.fromkeys(("order", "number", "count", "_month"), pa.int64()),
    "kind": pa.string(),
    "fresh": pa.bool_(),
    "observed_at": pa.timestamp("us", "UTC"),
}
_THREAD = ("source", "endpoint", "thread")

KEYS_BYTES = 8 << 20
"Keys of a thread's objects that are looked at together; a longer thread is folded if anything can be there twice."


@dataclass(frozen=True, slots=True)
class Event:
    """A page of a thread's objects, or one record of any other kind."""

    kind: str
    number: int
    "Its manifest."
    count: int
    "Records of the page."
    fresh: bool
    "Whether no object of the page can be in an earlier one."
    observed_at: datetime
    body: bytes | None
    "Of a thread or a visit; of a page of objects, their keys."

    def keys(self) -> array[int]:
        """Return what tells the objects of the page apart."""
        return array("q", self.body or b"")


class Events:
    """What happened to which thread."""

    def __init__(self, folder: Path) -> None:
        self._sorter = Sorter(pa.schema(_COLUMNS), (*_THREAD, "order"), make_folder(folder / "events"))

    def collect(self, view: View, changes: Changes, repeats: Repeats, *, remember: bool) -> set[str]:
        """Take the new pages, and return the ids of their threads where somebody has to know."""
        touched, appending = set(), Appending(changes)
        pages = view.owned(view.new_pages(), lambda page: page[1].thread, _size)
        for order, ((number, mark, records), owner) in enumerate(pages):
            if remember:
                touched.add(plain(mark.thread.id))
            if mark.kind not in LISTED:
                for record in records:
                    self._add(order, number, mark, record.observed_at, _said(record))
                    _fold_deleted(changes, record)
                continue
            keys, table = keys_of(mark, records), TABLE_OF[mark.kind]
            self._add(order, number, mark, records[0].observed_at if records else mark.fetched_at, keys.tobytes())
            if remember and not mark.fresh and not repeats.take(mark, records, keys):
                changes.fold(table, whose(mark.thread))
            if not changes.folds(table, whose(mark.thread)):
                appending.take(number, records, owner)
        appending.flush()
        return touched

    def by_thread(self) -> Iterator[tuple[ThreadRef, list[Event]]]:
        """Yield what happened to each thread, in the order of the pages."""
        self._sorter.finish()
        lines = (line for table in self._sorter.merged(0) for line in table.to_pylist())
        for exact, group in itertools.groupby(lines, key=lambda line: tuple(line[name] for name in _THREAD)):
            happened = (Event(*(line[name] for name in Event.__slots__)) for line in group)
            yield ThreadRef(*(text(part) for part in exact)), list(_bounded(happened))

    def _add(self, order: int, number: int, mark: Mark, observed_at: datetime, body: bytes | None) -> None:
        values = {
            "source": key(mark.thread.source),
            "endpoint": key(mark.thread.endpoint),
            "thread": key(mark.thread.id),
            "order": order,
            "number": number,
            "kind": mark.kind,
            "count": mark.count,
            "fresh": mark.fresh,
            "observed_at": observed_at,
            "body": body,
            "_month": 0,
        }
        self._sorter.add(values, len(body or b""))


def _bounded(happened: Iterator[Event]) -> Iterator[Event]:
    """Leave out keys beyond what is looked at together."""
    size = 0
    for event in happened:
        size += len(event.body or b"") if event.kind in LISTED else 0
        yield replace(event, body=None) if event.kind in LISTED and size > KEYS_BYTES else event


def _said(record: Record) -> bytes | None:
    return record.body if record.kind in ("thread", "visit") else None


def _fold_deleted(changes: Changes, record: Record) -> None:
    table = TABLE_OF.get(cast("Kind", deleted_kind(record))) if record.kind == "deletion" else None
    if table is not None:
        changes.fold(table, whose(record.thread))


def size_of(happened: tuple[ThreadRef, list[Event]]) -> int:
    """Return the bytes of what happened to a thread."""
    return sum(len(event.body or b"") for event in happened[1])


def _size(page: tuple[int, Mark, list[Record]]) -> int:
    return sum(len(record.body) for record in page[2])
