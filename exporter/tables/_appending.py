"""Rows of new pages, many at once: messages as columns, everything else row by row.

The idea: what is the same for all messages of a page is said once per page, and their bodies are taken together.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from exporter.model import Record, Registration
from exporter.rows import TABLE_OF, Columns, frame, microseconds, row, usual
from exporter.tables._changes import Changes
from exporter.text import plain

HELD_BYTES = 1 << 20
"Bodies that are taken together."

_OWNED = ("source", "endpoint", "profile", "thread_id", "user", "customer", "title")
_MONTHS = 12


class Appending:
    """Takes the records of pages; call `flush` after the last."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._schema = changes.schema("messages")
        self._records: list[Record] = []
        self._places: list[tuple[int, Registration, int]] = []
        "Of each page: its manifest, its owner, and how many records it has."
        self._bytes = 0

    def take(self, number: int, records: list[Record], owner: Registration) -> None:
        """Take the records of one page of manifest `number`."""
        if not records:
            return
        if records[0].kind != "message":
            self._one_by_one((record, owner, number) for record in records)
            return
        self._records += records
        self._places.append((number, owner, len(records)))
        self._bytes += sum([len(record.body) for record in records])
        if self._bytes > HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Put in what is held."""
        records, places = self._records, self._places
        self._records, self._places, self._bytes = [], [], 0
        if not records:
            return
        found, left = usual(records)
        if left:
            whose = [(owner, number) for number, owner, count in places for _ in range(count)]
            self._one_by_one((records[at], *whose[at]) for at in left)
        if found:
            known = _known(records, places)
        for group in found:
            whole = len(group.which) == len(records)
            own = known if whole else {name: [values[at] for at in group.which] for name, values in known.items()}
            self._changes.put_batch("messages", _batch(self._schema, own | group.columns))

    def _one_by_one(self, taken: Any) -> None:
        for record, owner, number in taken:
            if (values := row(record, owner)) is not None:
                self._changes.put(TABLE_OF[record.kind], values, 2 * len(record.body), number)


def _known(records: Sequence[Record], places: Sequence[tuple[int, Registration, int]]) -> Columns:
    """Return what is known of records but for their bodies."""
    out: Columns = {name: [] for name in (*_OWNED, "_number")}
    begin = 0
    for number, owner, count in places:
        first = frame(records[begin], owner)
        for name in _OWNED:
            out[name] += [first[name]] * count
        out["_number"] += [number] * count
        begin += count
    out["seq"] = [record.seq for record in records]
    out["message_id"] = [record.id and plain(record.id) for record in records]
    times: dict[datetime, int] = {}
    for time in {record.observed_at for record in records}:
        times[time] = microseconds(time)
    out["observed_at"] = out["first_seen_at"] = [times[record.observed_at] for record in records]
    return out


def _batch(schema: pa.Schema, columns: Columns) -> pa.RecordBatch:
    """Make a batch of rows of messages from the columns that are not null throughout."""
    rows = len(columns["seq"])
    arrays: dict[str, Any] = {}
    for field in schema:
        values = columns.get(field.name)
        if values is not None:
            arrays[field.name] = _array(values, field.type)
    created = arrays.get("created_at", pa.nulls(rows, schema.field("ts").type))
    arrays["ts"] = pc.coalesce(created, arrays["observed_at"])
    arrays["ts_source"] = pc.if_else(pc.is_valid(created), "created_at", "first_seen_at")
    arrays["revision"] = pa.array([0], pa.int64()).take(pa.array([0] * rows))
    plain = arrays["ts"].cast(pa.timestamp("us"))
    year, of = pc.year(plain), pc.month(plain)
    arrays["_month"] = pc.add(
        pc.multiply(year, pa.scalar(_MONTHS, pa.int64())), pc.subtract(of, pa.scalar(1, pa.int64()))
    )
    made = [arrays[f.name] if f.name in arrays else pa.nulls(rows, f.type) for f in schema]
    return pa.RecordBatch.from_arrays(made, schema=schema)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array[Any]:
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).cast(kind)
    return pa.array(values, kind)
