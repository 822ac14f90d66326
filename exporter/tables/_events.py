"""Take the new pages: rows that can be appended go on at once, and what happened to a thread is sorted by thread.

The idea: pages come in the order of time; the threads they belong to are joined in the order of their names, after a
sort on disk. Of a page of objects, what tells each of them apart goes along: where nothing is there twice, nothing has
to be folded.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from exporter.archive import MarkLine, read_records
from exporter.model import ThreadRef
from exporter.rows import LISTED, deleted_kind, microseconds, time_of
from exporter.tables._appending import Appending
from exporter.tables._changes import Changes
from exporter.tables._names import Whose, key, text, whose
from exporter.tables._pages import Page, taken_apart, told
from exporter.tables._reader import New, View
from exporter.tables._repeats import Repeats, keys_of
from exporter.tables._seeking import HELD_ROWS
from exporter.tables._sorting import Sorter
from exporter.text import plain

_WHOSE = ("source", "endpoint", "thread", "exact")
_TOLD = ("order", "kind", "number", "count", "fresh", "again", "at", "body")
_COLUMNS: dict[str, pa.DataType] = {
    **dict.fromkeys(_WHOSE[:3], pa.string()),
    "exact": pa.binary(),
    "order": pa.int64(),
    "kind": pa.string(),
    **dict.fromkeys(("number", "count"), pa.int64()),
    **dict.fromkeys(("fresh", "again"), pa.bool_()),
    "at": pa.int64(),
    "body": pa.binary(),
    "_month": pa.int64(),
}
"`exact` is the thread's exact name where the tables do not have that, else empty."
_BETWEEN = b"\xff"
"In no text."

HELD_BYTES = 1 << 20
HELD_LINE = 300
"What is held of the events before they become a batch, and what each is beside its body."
KEYS_BYTES = 8 << 20
"Keys of a thread's objects that are looked at together; a longer thread is folded if anything can be there twice."
TOUCHED = 50_000
"Threads that are named one by one to who looks for their rows; of more, all rows are looked at."


class Event(msgspec.Struct, frozen=True, gc=False):
    """A page of a thread's objects, or one record of any other kind."""

    kind: str
    number: int
    "Its manifest."
    count: int
    "Records of the page."
    fresh: bool
    "Whether no object of the page can be in an earlier one."
    again: bool
    "Whether one of the page is in the tables already."
    at: int
    "When it was observed, in microseconds since 1970."
    body: bytes | None
    "Of a thread or a visit; of a page of objects, their keys; of a deletion, the kind of what is deleted."

    @property
    def observed_at(self) -> datetime:
        """When it was observed."""
        return time_of(self.at)

    def keys(self) -> array[int]:
        """Return what tells the objects of the page apart."""
        return array("q", self.body or b"")


class Events:
    """What happened to which thread."""

    def __init__(self, folder: Path) -> None:
        self._schema = pa.schema(_COLUMNS)
        self._sorter = Sorter(self._schema, (*_WHOSE, "order"), folder, "events")
        self._held: list[tuple[Any, ...]] = []
        self._bytes = self._order = 0
        self.touched: set[str] | None = set()
        "The ids of the threads, as the tables have them; None where they are too many, or nobody has to know."

    def collect(self, view: View, changes: Changes, repeats: Repeats, *, remember: bool) -> None:
        """Take the new pages; where nothing is remembered of threads, what their owners say is no event."""
        appending = Appending(changes)
        for some in view.blocks():
            listed: list[tuple[int, New]] = []
            others: list[tuple[int, New]] = []
            for at, page in enumerate(some, self._order):
                kind = page[1].of
                if kind in LISTED:
                    listed.append((at, page))
                elif remember or kind != "registration":
                    others.append((at, page))
            self._order += len(some)
            if remember:
                self._touch(some)
            self._tell(others)
            read = taken_apart([page for _, page in listed], view.owners)
            for (at, _), taken in zip(listed, read, strict=True):
                self._list(at, taken, repeats, remember=remember)
                appending.take(taken)
            appending.flush()

    def _touch(self, pages: list[New]) -> None:
        if self.touched is not None:
            self.touched.update(plain(mark.thread) for _, mark, _ in pages)
            self.touched = self.touched if len(self.touched) <= TOUCHED else None

    def _list(self, order: int, page: Page, repeats: Repeats, *, remember: bool) -> None:
        """Take a page of a list."""
        keys = keys_of(page)
        self._add(page.thread, page.whose, _said(order, page.number, page.mark, page.observed_at), keys.tobytes())
        if remember and not page.mark.fresh:
            repeats.take(page, keys)

    def _tell(self, pages: list[tuple[int, New]]) -> None:
        """Take pages of what are no objects of a list."""
        records = iter(told([line for _, page in pages for line in page[2]]))
        for order, (number, mark, lines) in pages:
            thread = mark.ref
            named = whose(thread)
            for line, (observed_at, body) in zip(lines, records, strict=False):
                said = _said(order, number, mark, datetime.fromisoformat(observed_at))
                self._add(thread, named, said, _body(mark.of, line, body))

    def again(self, kind: str, thread: Whose) -> None:
        """Say that an object of a thread is in the tables already, whatever the exact name of the thread is."""
        self._hold((*thread, b"", -1, kind, 0, 0, False, True, 0, None, 0))

    def by_thread(self) -> Iterator[tuple[ThreadRef, list[Event]]]:
        """Yield what happened to each thread, in the order of their names, and of the pages."""
        self._pack()
        self._sorter.finish()
        last: tuple[Any, ...] = ()
        events: list[Event] = []
        shared: list[Event] = []
        size = 0
        for named, order, event in _lines(self._sorter.merged(0)):
            if named != last:
                if len(events) > len(shared):
                    yield _ref(last), events
                if named[:3] != last[:3]:
                    shared = []
                last, events, size = named, [*shared], 0
            if order < 0:
                shared.append(event)
            elif event.kind in LISTED:
                size += len(event.body or b"")
                if size > KEYS_BYTES:
                    event = msgspec.structs.replace(event, body=None)  # noqa: PLW2901
            events.append(event)
        if len(events) > len(shared):
            yield _ref(last), events

    def _add(self, thread: ThreadRef, named: Whose, said: tuple[Any, ...], body: bytes | None) -> None:
        exact = b"" if named == (thread.source, thread.endpoint, thread.id) else _exact(thread)
        self._hold((*named, exact, *said, body, 0))

    def _hold(self, event: tuple[Any, ...]) -> None:
        self._held.append(event)
        self._bytes += len(event[-2] or b"") + HELD_LINE
        if self._bytes > HELD_BYTES:
            self._pack()

    def _pack(self) -> None:
        """Hand over what is held."""
        if self._held:
            columns = zip(*self._held, strict=True)
            arrays = [pa.array(values, field.type) for values, field in zip(columns, self._schema, strict=True)]
            self._sorter.add_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
            self._held, self._bytes = [], 0


def first_seen(events: list[Event]) -> int:
    """Return when anything of a thread was first observed, but for what its owner says."""
    return next(event.at for event in events if event.kind != "registration" and not event.again)


def size_of(happened: tuple[ThreadRef, list[Event]]) -> int:
    """Return the bytes of what happened to a thread."""
    return sum(len(event.body or b"") for event in happened[1])


def _lines(tables: Iterator[pa.Table]) -> Iterator[tuple[tuple[Any, ...], int, Event]]:
    """Yield what happened, each with the name of its thread and its place in time."""
    for table in tables:
        for batch in table.to_batches(max_chunksize=HELD_ROWS):
            named = zip(*(batch.column(name).to_pylist() for name in _WHOSE), strict=True)
            order, *said = (batch.column(name).to_pylist() for name in _TOLD)
            yield from zip(named, order, map(Event, *said), strict=True)


def _exact(thread: ThreadRef) -> bytes:
    return key(thread.endpoint) + _BETWEEN + key(thread.id)


def _ref(named: tuple[Any, ...]) -> ThreadRef:
    """Return the thread that is sorted under a name."""
    source, endpoint, name, exact = named
    return ThreadRef(source, *map(text, exact.split(_BETWEEN))) if exact else ThreadRef(source, endpoint, name)


def _said(order: int, number: int, mark: MarkLine, observed_at: datetime) -> tuple[Any, ...]:
    """Return what is told of a page but for whose it is, and its body."""
    return order, mark.of, number, mark.count, mark.fresh, False, microseconds(observed_at)


def _body(kind: str, line: bytes, body: bytes) -> bytes | None:
    if kind in ("thread", "visit"):
        return body
    return (deleted_kind(read_records([line])[0]) or "").encode() if kind == "deletion" else None
