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
from typing import Any, cast

import pyarrow as pa

from exporter.files import make_folder
from exporter.model import Kind, Mark, Record, ThreadRef
from exporter.rows import LISTED, TABLE_OF, deleted_kind, microseconds, time_of
from exporter.tables._appending import Appending
from exporter.tables._changes import Changes
from exporter.tables._names import key, text, whose
from exporter.tables._pages import Page, taken_apart
from exporter.tables._reader import View
from exporter.tables._repeats import Repeats, keys_of
from exporter.tables._sorting import Sorter
from exporter.text import plain

_THREAD = ("source", "endpoint", "thread")
_TOLD = ("kind", "number", "count", "fresh", "observed_at", "body")
_COLUMNS: dict[str, pa.DataType] = {
    **dict.fromkeys(_THREAD, pa.binary()),
    **dict.fromkeys(("order", "number"), pa.int64()),
    "kind": pa.string(),
    "count": pa.int64(),
    "fresh": pa.bool_(),
    "observed_at": pa.int64(),
    "body": pa.binary(),
    "_month": pa.int64(),
}

HELD_BYTES = 1 << 20
HELD_LINE = 300
"What is held of the events before they become a batch, and what each is beside its body."
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
        self._schema = pa.schema(_COLUMNS)
        self._sorter = Sorter(self._schema, (*_THREAD, "order"), make_folder(folder / "events"))
        self._held: list[tuple[Any, ...]] = []
        self._bytes = self._order = 0

    def collect(self, view: View, changes: Changes, repeats: Repeats, *, remember: bool) -> set[str]:
        """Take the new pages, and return the ids of their threads where somebody has to know."""
        touched, appending = set(), Appending(changes)
        for some in view.together(view.new_pages(), lambda page: page[1].thread, _size):
            for page in taken_apart(some):
                self._order += 1
                mark = page.mark
                if remember:
                    touched.add(plain(mark.thread.id))
                if mark.kind not in LISTED:
                    self._say(page, changes)
                    continue
                keys, table = keys_of(mark, page.objects), TABLE_OF[mark.kind]
                self._add(page, page.observed_at, keys.tobytes())
                if remember and not mark.fresh and not repeats.take(mark, page.objects, keys):
                    changes.fold(table, whose(mark.thread))
                if not changes.folds(table, whose(mark.thread)):
                    appending.take(page)
            appending.flush()
        return touched

    def _say(self, page: Page, changes: Changes) -> None:
        """Take a page of what are no objects of a list."""
        for record in page.records:
            self._add(page, record.observed_at, _said(record))
            _fold_deleted(changes, record)

    def by_thread(self) -> Iterator[tuple[ThreadRef, list[Event]]]:
        """Yield what happened to each thread, in the order of the pages."""
        self._pack()
        self._sorter.finish()
        lines = (line for table in self._sorter.merged(0) for line in _lines(table))
        for exact, group in itertools.groupby(lines, key=lambda line: line[0]):
            yield ThreadRef(*(text(part) for part in exact)), list(_bounded(event for _, event in group))

    def _add(self, page: Page, observed_at: datetime, body: bytes | None) -> None:
        mark, thread = page.mark, page.mark.thread
        exact = (key(thread.source), key(thread.endpoint), key(thread.id))
        at = microseconds(observed_at)
        self._held.append((*exact, self._order, page.number, mark.kind, mark.count, mark.fresh, at, body, 0))
        self._bytes += len(body or b"") + HELD_LINE
        if self._bytes > HELD_BYTES:
            self._pack()

    def _pack(self) -> None:
        """Hand over what is held."""
        if self._held:
            columns = zip(*self._held, strict=True)
            arrays = [pa.array(values, field.type) for values, field in zip(columns, self._schema, strict=True)]
            self._sorter.add_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
            self._held, self._bytes = [], 0


def _lines(table: pa.Table) -> Iterator[tuple[tuple[bytes, ...], Event]]:
    """Yield what happened, each with the exact name of its thread."""
    whose = zip(*(table.column(name).to_pylist() for name in _THREAD), strict=True)
    told = zip(*(table.column(name).to_pylist() for name in _TOLD), strict=True)
    for exact, (kind, number, count, fresh, at, body) in zip(whose, told, strict=True):
        yield exact, Event(kind, number, count, fresh, time_of(at), body)


def _bounded(happened: Iterator[Event]) -> Iterator[Event]:
    """Leave out keys beyond what is looked at together."""
    size = 0
    for event in happened:
        size += len(event.body or b"") if event.kind in LISTED else 0
        yield replace(event, body=None) if size > KEYS_BYTES and event.kind in LISTED else event


def _said(record: Record) -> bytes | None:
    return record.body if record.kind in ("thread", "visit") else None


def _fold_deleted(changes: Changes, record: Record) -> None:
    table = TABLE_OF.get(cast("Kind", deleted_kind(record))) if record.kind == "deletion" else None
    if table is not None:
        changes.fold(table, whose(record.thread))


def size_of(happened: tuple[ThreadRef, list[Event]]) -> int:
    """Return the bytes of what happened to a thread."""
    return sum(len(event.body or b"") for event in happened[1])


def _size(page: tuple[int, Mark, list[bytes]]) -> int:
    return sum(map(len, page[2]))
