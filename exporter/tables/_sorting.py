"""Sort any number of rows on disk, and merge sorted streams, in little memory.

The idea: what fits in memory becomes a sorted run on disk; runs are merged block by block, where all rows up to the
earliest end of a block in memory can go out at once. A run knows which of its batches are of which month.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from exporter.files import translated

PACK_BYTES = 1 << 20
"Rows in Python's memory, before they become a batch."
RUN_BYTES = 8 << 20
"Batches in memory, before they are sorted and go to the disk."
BLOCK_BYTES = 512 << 10
"What a merge reads of each run at a time."
BUFFER_BYTES = 1 << 20
"What is gathered before it is written: a block has a hundred pieces, most of them small."
FAN = 16
"Runs that are merged at a time."
LAST = "\U0010ffff" * 2
"Where a null is in the order."


class Sorter:
    """Rows in the order of month and key, on disk: takes any number, and holds few in memory."""

    def __init__(self, schema: pa.Schema, keys: Sequence[str], folder: Path, name: str) -> None:
        self.schema, self._keys, self._folder, self._name = schema, ["_month", *keys], folder, name
        self._made = 0
        self._loose: list[dict[str, Any]] = []
        self._loose_bytes = 0
        self._batches: list[pa.RecordBatch] = []
        self._bytes = 0
        self._runs: list[list[_Run]] = []

    def add(self, values: dict[str, Any], size: int) -> None:
        """Take one row of about `size` bytes."""
        self._loose.append(values)
        self._loose_bytes += size + 500
        if self._loose_bytes > PACK_BYTES:
            self._pack()

    def add_batch(self, rows: pa.RecordBatch) -> None:
        """Take rows that are a batch already."""
        self._batches.append(rows)
        self._bytes += rows.nbytes
        if self._bytes > RUN_BYTES:
            self._spill()

    def finish(self) -> set[int]:
        """Take no more, and return the months."""
        self._pack()
        self._spill()
        while len(runs := [run for level in self._runs for run in level]) > FAN:
            self._runs = [[self._merge(runs[i : i + FAN]) for i in range(0, len(runs), FAN)]]
        return {m for run in runs for m in run.months}

    def has(self, of: int) -> bool:
        """Tell whether there are rows of a month; call it after `finish`."""
        return any(of in run.months for level in self._runs for run in level)

    def sources(self, of: int) -> list[Iterator[pa.RecordBatch]]:
        """Return the sorted streams of one month."""
        return [run.batches(of) for level in self._runs for run in level if of in run.months]

    def merged(self, of: int) -> Iterator[pa.Table]:
        """Return the rows of one month in order."""
        return merged(self.sources(of), self._keys)

    def _pack(self) -> None:
        if self._loose:
            rows = pa.RecordBatch.from_pylist(self._loose, schema=self.schema)
            self._loose, self._loose_bytes = [], 0
            self.add_batch(rows)

    def _spill(self) -> None:
        if not self._batches:
            return
        table = _in_order(pa.Table.from_batches(self._batches), self._keys)
        self._batches, self._bytes = [], 0
        self._put(0, self._write(iter([table])))

    def _put(self, level: int, run: _Run) -> None:
        """Add a run; as many as can be merged at a time become one of the next level."""
        while len(self._runs) <= level:
            self._runs.append([])
        self._runs[level].append(run)
        if len(self._runs[level]) == FAN:
            runs, self._runs[level] = self._runs[level], []
            self._put(level + 1, self._merge(runs))

    def _merge(self, runs: list[_Run]) -> _Run:
        months = sorted({m for run in runs for m in run.months})
        joined = (table for m in months for table in merged([r.batches(m) for r in runs if m in r.months], self._keys))
        made = self._write(joined)
        for run in runs:
            run.path.unlink()
        return made

    def _write(self, tables: Iterator[pa.Table]) -> _Run:
        self._made += 1
        run = _Run(self._folder / f"{self._name}-{self._made}.arrow")
        with (
            translated(run.path),
            pa.OSFile(str(run.path), "wb") as file,
            pa.BufferedOutputStream(file, BUFFER_BYTES) as buffered,
            pa.ipc.new_file(buffered, self.schema) as out,
        ):
            count = itertools.count()
            for table in tables:
                for of, part in _by_month(table):
                    for batch in _blocks(part):
                        out.write_batch(batch)
                        run.months[of].append(next(count))
        return run


@dataclass(slots=True)
class _Run:
    """One sorted file, and which of its batches are of which month."""

    path: Path
    months: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    def batches(self, of: int) -> Iterator[pa.RecordBatch]:
        with pa.OSFile(str(self.path), "rb") as file, pa.ipc.open_file(file) as run:
            for number in self.months[of]:
                yield run.get_batch(number)


def _in_order(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    order = pc.sort_indices(table, sort_keys=[(key, "ascending") for key in keys])
    if pc.all(pc.less(order[:-1], order[1:])).as_py():  # as it came: a long thread, page by page
        return table
    return table.take(order)


def _by_month(table: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """Cut a table that is sorted by month."""
    begin = 0
    counted: Any = pc.value_counts(table["_month"])
    for of, count in sorted((month["values"], month["counts"]) for month in counted.to_pylist()):
        yield of, table.slice(begin, count)
        begin += count


def _blocks(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """Cut a table into batches of bounded size; nothing is moved that lies in blocks of about that size."""
    rows = max(1, table.num_rows * BLOCK_BYTES // max(1, table.nbytes))
    if table.num_rows > table.column(0).num_chunks * rows:
        yield from table.to_batches(max_chunksize=rows)
        return
    for begin in range(0, table.num_rows, rows):
        yield from table.slice(begin, rows).combine_chunks().to_batches()


class _Cursor:
    """Where a merge is in one sorted stream."""

    def __init__(self, source: Iterator[pa.RecordBatch], keys: Sequence[str]) -> None:
        self._source, self._keys = source, keys
        self.alive = True
        self.next()

    def next(self) -> None:
        """Go to the next batch that has rows."""
        batch = next((batch for batch in self._source if batch.num_rows), None)
        self.alive = batch is not None
        if batch is not None:
            self._batch, self._at = batch, 0
            self._columns = [batch.column(key) for key in self._keys]
            self._first, self.last = self._key(0), self._key(batch.num_rows - 1)

    def _key(self, at: int) -> tuple[Any, ...]:
        return tuple(LAST if (value := column[at].as_py()) is None else value for column in self._columns)

    def take(self, limit: tuple[Any, ...]) -> pa.RecordBatch | None:
        """Return the rows of this batch up to the limit."""
        begin, end = self._at, self._batch.num_rows
        if self._first > limit:
            return None
        if self.last > limit:
            end = bisect_right(range(end), limit, lo=begin, key=self._key)
            self._first = self._key(end)
        self._at = end
        part = self._batch.slice(begin, end - begin)
        if end == self._batch.num_rows:
            self.next()
        return part if part.num_rows else None


def merged(sources: Iterable[Iterator[pa.RecordBatch]], keys: Sequence[str]) -> Iterator[pa.Table]:
    """Join sorted streams into one: each time all rows up to the earliest end of a batch in memory."""
    cursors = [cursor for source in sources if (cursor := _Cursor(source, keys)).alive]
    while cursors:
        limit = min(cursor.last for cursor in cursors)
        parts = [part for cursor in cursors if (part := cursor.take(limit)) is not None]
        table = pa.Table.from_batches(parts)
        yield _in_order(table, keys) if len(parts) > 1 else table
        cursors = [cursor for cursor in cursors if cursor.alive]
