"""Rows that are sorted by thread, for who goes through threads or their rows in the same order.

The idea: two sorted streams are walked side by side, so neither is ever in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from exporter.tables._names import Whose

WHOSE = ("source", "endpoint", "thread_id")
"What these rows are sorted by; their first columns."
HELD_ROWS = 4096
"Rows that are Python's at a time."


class Sought:
    """Rows of ever later threads: ask in the order of the threads."""

    def __init__(self, tables: Iterator[pa.Table]) -> None:
        self._rows = _rows(tables)
        self._held: list[tuple[Any, ...]] = []
        self._next = next(self._rows, None)

    def of(self, whose: Whose) -> list[tuple[Any, ...]]:
        """Return the rows of one thread."""
        return self.between(whose, whose)

    def between(self, first: Whose, last: Whose) -> list[tuple[Any, ...]]:
        """Return the rows of two threads and of all between them."""
        if self._held:
            self._held = [row for row in self._held if row[:3] >= first]
        while self._next is not None and self._next[:3] <= last:
            if self._next[:3] >= first:
                self._held.append(self._next)
            self._next = next(self._rows, None)
        return self._held


def around(batch: pa.RecordBatch) -> tuple[Whose, Whose]:
    """Return the first and the last thread of sorted rows."""
    columns = [batch.column(name) for name in WHOSE]
    first, last = (tuple(column[at].as_py() for column in columns) for at in (0, batch.num_rows - 1))
    return first, last


def _rows(tables: Iterator[pa.Table]) -> Iterator[tuple[Any, ...]]:
    for table in tables:
        for batch in table.to_batches(max_chunksize=HELD_ROWS):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
