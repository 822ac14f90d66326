"""Rows of new pages, many at once: messages as columns, everything else row by row.

The idea: what is the same for all messages of a page is said once per page, and their bodies are taken together.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import chain, repeat

import pyarrow as pa

from exporter.archive import read_records
from exporter.model import Record
from exporter.rows import TABLE_OF, Columns, Entry, microseconds, row, usual
from exporter.tables._changes import Changes
from exporter.tables._columns import column, rows_of, same
from exporter.tables._pages import Page, seen
from exporter.text import plain

_OWNED = ("source", "endpoint", "profile", "thread_id", "user", "customer", "title")


class Appending:
    """Takes the objects of pages; call `flush` when as many are held as may be."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._schema = changes.schema("messages")
        self._pages: list[Page] = []

    def take(self, page: Page) -> None:
        """Take the objects of one page."""
        if page.mark.of == "message":
            self._pages.append(page)
        else:
            self._one_by_one((record, page) for record in page.records)

    def flush(self) -> None:
        """Put in what is held."""
        pages, self._pages = [page for page in self._pages if page.objects], []
        objects = [one for page in pages for one in page.objects]
        found, left = usual(objects)
        if left:
            whose = [(page, at) for page in pages for at in range(len(page.objects))]
            self._one_by_one(
                (read_records(page.lines[at : at + 1])[0], page) for page, at in map(whose.__getitem__, left)
            )
        if found:
            known = _known(objects, pages, self._schema)
        for group in found:
            own = known if len(group.which) == len(objects) else known.take(pa.array(group.which, pa.int64()))
            self._changes.put_batch("messages", rows_of(self._schema, own, group.columns))

    def _one_by_one(self, taken: Iterable[tuple[Record, Page]]) -> None:
        for record, page in taken:
            if (values := row(record, page.owner)) is not None:
                self._changes.put(TABLE_OF[record.kind], values, 2 * len(record.body), page.number)


def _known(objects: Sequence[Record | Entry], pages: Sequence[Page], schema: pa.Schema) -> pa.RecordBatch:
    """Return what is known of objects but for their bodies."""
    out: Columns = {}
    out["seq"] = [one.seq for one in objects]
    out["message_id"] = [one.id if one.id is None or one.id.isascii() else plain(one.id) for one in objects]
    told = [one.observed_at for one in objects]
    times = {time: microseconds(seen(one)) for time, one in dict(zip(told, objects, strict=True)).items()}
    out["observed_at"] = [times[time] for time in told]
    made = {name: column(values, schema.field(name).type) for name, values in out.items()}
    made["first_seen_at"] = made["observed_at"]
    counts = [len(page.objects) for page in pages]
    of = pa.array(array("q", chain.from_iterable(map(repeat, range(len(pages)), counts))))
    for name, values in zip((*_OWNED, "_number"), zip(*map(_whose, pages), strict=True), strict=True):
        kind = schema.field(name).type
        one = values.count(values[0]) == len(values)
        made[name] = same(values[0], len(objects), kind) if one else column(values, kind).take(of)
    return pa.RecordBatch.from_pydict(made)


def _whose(page: Page) -> tuple[str | int | None, ...]:
    """Return whose the rows of a page are, as they have it, and its manifest."""
    owner = page.owner
    source, endpoint, thread = page.whose
    said = [None if text is None else plain(text) for text in (owner.user, owner.customer, owner.title)]
    return source, endpoint, plain(owner.profile), thread, *said, page.number
