"""What the tables know already of the threads that something happened to.

The idea: the row of a thread says when it was first seen, how its last visit ended and how many messages it has, and
its file which manifest that includes; so a thread that only grew is not read again.
The rows of all months are sorted by thread on disk, and read as the threads come: in their order.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from exporter.archive import Erasures
from exporter.model import ThreadRef
from exporter.schemas import SCHEMAS
from exporter.tables._names import Whose, month_of
from exporter.tables._parquet import manifest_of, rows_among
from exporter.tables._seeking import WHOSE, Sought
from exporter.tables._sorting import Sorter

_KEPT = ("messages", "first_seen_at", "state", "observed_at", "deleted_at", "deleted_reason")
_PLACE = (pa.field("manifest", pa.int64()), pa.field("month", pa.int64()), pa.field("_month", pa.int64()))
_THREADS = pa.schema([*(SCHEMAS["threads"].field(name) for name in (*WHOSE, *_KEPT)), *_PLACE])
_GAPS = pa.schema([*(SCHEMAS["gaps"].field(name) for name in (*WHOSE, "closed_at")), *_PLACE])


@dataclass(frozen=True, slots=True)
class Old:
    """The row that a thread has."""

    messages: int
    first_seen_at: datetime
    state: str | None
    observed_at: datetime
    deleted_at: datetime | None
    deleted_reason: str | None
    manifest: int
    "What the row's file contains."
    months: tuple[int, ...]
    "Those that hold a row of the thread: two, if an earlier try ended while it moved."


class Known:
    """The rows of the touched threads: ask for them in the order of their names."""

    def __init__(
        self,
        folder: Path,
        threads: list[Path],
        gaps: list[Path],
        touched: Collection[str] | None = None,
        erased: Erasures | None = None,
    ) -> None:
        self._erased = erased
        wanted = None if touched is None else sorted(touched)
        self._rows = _sorted(_THREADS, threads, wanted, Sorter(_THREADS, WHOSE, folder, "known"))
        self._gaps = _sorted(_GAPS, gaps, wanted, Sorter(_GAPS, WHOSE, folder, "known-gaps"))
        self._last: tuple[Whose, Old | None] = (), None

    def old(self, whose: Whose) -> Old | None:
        """Return the newest row of a thread."""
        if self._last[0] != whose:
            self._last = whose, self._found(whose)
        return self._last[1]

    def _found(self, whose: Whose) -> Old | None:
        rows = self._rows.of(whose)
        if not rows:
            return None
        olds = [Old(*(*row[len(WHOSE) : -2], (row[-2],))) for row in rows if not self._is_erased(whose, row[-3])]
        if len(olds) < 2:  # nearly always
            return olds[0] if olds else None
        newest = max(olds, key=lambda old: old.manifest)
        return replace(newest, months=tuple(month for old in olds for month in old.months))

    def lacks(self, whose: Whose) -> bool:
        """Tell whether a gap of the thread is open."""
        return any(row[len(WHOSE)] is None and not self._is_erased(whose, row[-3]) for row in self._gaps.of(whose))

    def _is_erased(self, whose: Whose, manifest: int) -> bool:
        """Tell whether the thread was erased since the file was written that contains this manifest."""
        return self._erased is not None and self._erased.manifest(ThreadRef(*whose)) > manifest


def _sorted(schema: pa.Schema, paths: list[Path], wanted: list[str] | None, sorter: Sorter) -> Sought:
    """Sort the rows of these files, or those of the wanted threads."""
    for path in paths:
        place = [manifest_of(path), month_of(path), 0]
        for batch in rows_among(path, wanted, [*WHOSE, *schema.names[len(WHOSE) : -len(_PLACE)]]):
            values = [pa.repeat(pa.scalar(value, pa.int64()), batch.num_rows) for value in place]
            named = [batch.column(name) for name in schema.names[: -len(_PLACE)]]
            sorter.add_batch(pa.RecordBatch.from_arrays([*named, *values], schema=schema))
    sorter.finish()
    return Sought(sorter.merged(0))
