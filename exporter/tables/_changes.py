"""What goes into the files of the tables, and what goes out of them.

The idea: a row that was appended carries its manifest, so that a file which contains it already, after a crash, does
not get it twice. A row of a folded thread goes in always, and the thread's old rows of that month go out.
Which threads those are, and what else is new in old rows, is sorted on disk as the rows are: there may be any number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from exporter.schemas import SCHEMAS, SORT
from exporter.tables._names import Whose, month
from exporter.tables._parquet import batches
from exporter.tables._seeking import WHOSE, Sought, around
from exporter.tables._sorting import Sorter, merged

PATCHED = ("state", "messages", "observed_at", "deleted_at", "deleted_reason")
"What a visit changes in the row of a thread whose own object is as it was."

Patch = tuple[Any, ...]
"Values of these columns."

Tables = Callable[[], Iterator[pa.Table]]

_HIDDEN: list[pa.Field[Any]] = [pa.field("_month", pa.int64()), pa.field("_number", pa.int64())]
_NAMES: list[pa.Field[Any]] = [pa.field(name, pa.string()) for name in WHOSE]
_LEAVING = pa.schema([*_NAMES, pa.field("kind", pa.string()), pa.field("appended", pa.bool_()), _HIDDEN[0]])
"Threads whose rows go out: those that are in a file, or those that were appended just now."
_PATCHES = pa.schema([*_NAMES, *(SCHEMAS["threads"].field(name) for name in PATCHED), _HIDDEN[0]])
_SMALL = 100
"Bytes that are said of such a thread, about."


class Changes:
    """The new rows of all tables, sorted, and the threads whose old rows they replace."""

    def __init__(self, folder: Path) -> None:
        self._rows, self._leaving = {}, {}
        for table, schema in SCHEMAS.items():
            self._rows[table] = Sorter(pa.schema([*schema, *_HIDDEN]), SORT[table], folder, table)
            self._leaving[table] = Sorter(_LEAVING, (*WHOSE, "kind"), folder, f"{table}-leaving")
        self._patches = Sorter(_PATCHES, WHOSE, folder, "patches")

    def put(self, table: str, values: dict[str, Any], size: int, number: int = 0) -> None:
        """Take a row of manifest `number`; 0 is a row that is put in whatever the file contains."""
        values["_month"], values["_number"] = month(values["ts"]), number
        self._rows[table].add(values, size)

    def put_batch(self, table: str, rows: pa.RecordBatch) -> None:
        """Take rows that have the columns of `schema`."""
        self._rows[table].add_batch(rows)

    def schema(self, table: str) -> pa.Schema:
        """Return the columns of a batch: those of the table, the month of each row's file, and its manifest."""
        return self._rows[table].schema

    def drop(self, table: str, months: Iterable[int], whose: Whose) -> None:
        """Let the rows go that a thread has in files."""
        self._leave(table, months, whose, appended=False)

    def fold(self, table: str, months: Iterable[int], whose: Whose) -> None:
        """Let a thread's appended rows go: they come again, folded."""
        self._leave(table, months, whose, appended=True)

    def _leave(self, table: str, months: Iterable[int], whose: Whose, *, appended: bool) -> None:
        named = dict(zip((*WHOSE, "kind"), whose, strict=False))
        for of in months:
            self._leaving[table].add(named | {"appended": appended, "_month": of}, _SMALL)

    def patch(self, of: int, whose: Whose, values: Patch) -> None:
        """Change the row that a thread has in a month's file of `threads`, and leave the rest of it."""
        named = dict(zip((*WHOSE, *PATCHED), (*whose, *values), strict=True))
        self._patches.add(named | {"_month": of}, _SMALL)

    def months(self, table: str) -> list[int]:
        """Take no more rows of a table, and return the months that change."""
        patched = self._patches.finish() if table == "threads" else set()
        return sorted(self._rows[table].finish() | self._leaving[table].finish() | patched)

    def flow(self, table: str, of: int, contains: int) -> Flow:
        """Return what goes into the file of a month that contains this manifest."""
        leaving, patches = self._leaving[table], self._patches
        return Flow(
            table,
            contains,
            self._rows[table].sources(of),
            leaving=(lambda: leaving.merged(of)) if leaving.has(of) else None,
            patches=(lambda: patches.merged(of)) if table == "threads" and patches.has(of) else None,
        )


class Flow:
    """What of the old file and of the new rows goes into a file, and how much that was."""

    def __init__(
        self,
        table: str,
        contains: int,
        sources: list[Iterator[pa.RecordBatch]],
        *,
        leaving: Tables | None,
        patches: Tables | None,
    ) -> None:
        self.put = self.dropped = 0
        self._table, self._contains, self._sources = table, contains, sources
        self._leaving, self._patches = leaving, patches
        self._columns = [*WHOSE, "kind"] if table == "revisions" else [*WHOSE]

    def rows(self, old: pq.ParquetFile | None) -> Iterator[pa.Table]:
        """Yield the file's rows in order."""
        new = [self._new(source) for source in self._sources]
        return merged(new if old is None else [*new, self._kept(old)], SORT[self._table])

    def _new(self, source: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the rows that are not in the file yet."""
        folded = self._sought(appended=True)
        for batch in source:
            goes = self._goes(batch, folded)
            shown = batch.drop_columns(["_month", "_number"])
            kept = shown if goes.true_count == len(goes) else shown.filter(goes)
            self.put += kept.num_rows
            yield kept

    def _goes(self, batch: pa.RecordBatch, folded: Sought | None) -> Any:
        """Return which new rows are not in the file yet, and do not come again, folded."""
        number = batch.column("_number")
        again = pc.equal(number, pa.scalar(0))
        late = pc.or_(again, pc.greater(number, pa.scalar(self._contains)))
        if folded is None:
            return late
        return pc.and_not(late, pc.and_not(_among(batch, folded, self._columns), again))

    def _kept(self, file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
        """Yield the old rows that stay."""
        dropped = self._sought(appended=False)
        patches = None if self._patches is None else Sought(self._patches())
        for batch in batches(file):
            stays = batch
            if dropped is not None:
                stays = batch.filter(pc.invert(_among(batch, dropped, self._columns)))
            self.dropped += batch.num_rows - stays.num_rows
            yield stays if patches is None or not stays.num_rows else self._patched(stays, patches)

    def _sought(self, *, appended: bool) -> Sought | None:
        """Return the threads whose rows go out."""
        if self._leaving is None:
            return None
        return Sought(table.filter(pc.equal(table["appended"], pa.scalar(appended))) for table in self._leaving())

    def _patched(self, batch: pa.RecordBatch, patches: Sought) -> pa.RecordBatch:
        """Return the rows with what is new in them."""
        news = {row[: len(WHOSE)]: row[len(WHOSE) :] for row in patches.between(*around(batch))}
        if not news:
            return batch
        names = zip(*(batch.column(name).to_pylist() for name in WHOSE), strict=True)
        found = {at: patch for at, whose in enumerate(names) if (patch := news.get(whose)) is not None}
        self.put += len(found)
        for place, name in enumerate(PATCHED):
            values = batch.column(name).to_pylist()
            for at, patch in found.items():
                values[at] = patch[place]
            column = pa.array(values, batch.schema.field(name).type)
            batch = batch.set_column(batch.schema.get_field_index(name), batch.schema.field(name), column)
        return batch


def _among(batch: pa.RecordBatch, threads: Sought, columns: list[str]) -> Any:
    """Return which rows are of these threads: by id at once, then exactly."""
    whose = {row[: len(columns)] for row in threads.between(*around(batch))} if batch.num_rows else set()
    if not whose:
        return pa.repeat(pa.scalar(False), batch.num_rows)
    ids = pa.array(sorted({row[2] for row in whose}), pa.string())
    mask = pc.is_in(batch.column("thread_id"), ids)
    if not pc.any(mask).as_py():
        return mask
    named = zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
    return pa.array([row in whose for row in named], pa.bool_())
