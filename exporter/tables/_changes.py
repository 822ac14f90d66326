"""What goes into the files of the tables, and what goes out of them.

The idea: a row that was appended carries its manifest, so that a file which contains it already, after a crash, does
not get it twice. A row of a folded thread goes in always, and the thread's old rows of that month go out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from exporter.files import make_folder
from exporter.schemas import SCHEMAS, SORT
from exporter.tables._names import Whose, month
from exporter.tables._parquet import batches
from exporter.tables._sorting import Sorter, merged

PATCHED = ("state", "messages", "observed_at", "deleted_at", "deleted_reason")
"What a visit changes in the row of a thread whose own object is as it was."

Patch = tuple[Any, ...]
"Values of these columns."

_HIDDEN = [pa.field("_month", pa.int64()), pa.field("_number", pa.int64())]


class Changes:
    """The new rows of all tables, sorted, and the threads whose old rows they replace."""

    def __init__(self, folder: Path) -> None:
        self._sorters = {
            table: Sorter(pa.schema([*schema, *_HIDDEN]), SORT[table], make_folder(folder / table))
            for table, schema in SCHEMAS.items()
        }
        self._folded: dict[str, set[Whose]] = defaultdict(set)
        "Threads whose new pages are not to be appended, by table."
        self._drops: dict[tuple[str, int], set[Whose]] = defaultdict(set)
        "Threads whose rows in a file are replaced, by table and month."
        self._patches: dict[int, dict[Whose, Patch]] = defaultdict(dict)
        "What is new in the rows of `threads`, by month."

    def put(self, table: str, values: dict[str, Any], size: int, number: int = 0) -> None:
        """Take a row of manifest `number`; 0 is a row that is put in whatever the file contains."""
        values["_month"], values["_number"] = month(values["ts"]), number
        self._sorters[table].add(values, size)

    def put_batch(self, table: str, rows: pa.RecordBatch) -> None:
        """Take rows that have the columns of `schema`."""
        self._sorters[table].add_batch(rows)

    def schema(self, table: str) -> pa.Schema:
        """Return the columns of a batch: those of the table, the month of each row's file, and its manifest."""
        return self._sorters[table].schema

    def drop(self, table: str, months: Iterable[int], whose: Whose) -> None:
        """Let the old rows of a thread go."""
        for of in months:
            self._drops[table, of].add(whose)

    def patch(self, of: int, whose: Whose, values: Patch) -> None:
        """Change the row that a thread has in a month's file of `threads`, and leave the rest of it."""
        self._patches[of][whose] = values

    def fold(self, table: str, whose: Whose) -> None:
        """Let a thread's appended rows go: they come again, folded."""
        self._folded[table].add(whose)

    def folds(self, table: str, whose: Whose) -> bool:
        """Tell whether a thread is folded."""
        return whose in self._folded[table]

    def months(self, table: str) -> list[int]:
        """Take no more rows of a table, and return the months that change."""
        patched = self._patches.keys() if table == "threads" else set()
        return sorted(self._sorters[table].finish() | {of for name, of in self._drops if name == table} | patched)

    def flow(self, table: str, of: int, contains: int) -> Flow:
        """Return what goes into the file of a month that contains this manifest."""
        drops = self._drops.get((table, of), set())
        patches = self._patches.get(of, {}) if table == "threads" else {}
        sources = self._sorters[table].sources(of)
        return Flow(table, contains, self._folded[table], drops, patches=patches, sources=sources)


class Flow:
    """What of the old file and of the new rows goes into a file, and how much that was."""

    def __init__(
        self,
        table: str,
        contains: int,
        folded: set[Whose],
        drops: set[Whose],
        *,
        patches: dict[Whose, Patch],
        sources: list[Iterator[pa.RecordBatch]],
    ) -> None:
        self.put = self.dropped = 0
        self._table, self._contains, self._folded, self._drops, self._sources = table, contains, folded, drops, sources
        self._patches, self._patched_ids = patches, _ids(patches)
        self._columns = ["source", "endpoint", "thread_id"] + (["kind"] if table == "revisions" else [])
        self._folded_ids, self._drop_ids = _ids(folded), _ids(drops)

    def rows(self, old: pq.ParquetFile | None) -> Iterator[pa.Table]:
        """Yield the file's rows in order."""
        new = [self._new(source) for source in self._sources]
        return merged(new if old is None else [*new, self._kept(old)], SORT[self._table])

    def _new(self, source: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the rows that are not in the file yet."""
        for batch in source:
            goes = self._goes(batch)
            shown = batch.drop_columns(["_month", "_number"])
            kept = shown if goes.true_count == len(goes) else shown.filter(goes)
            self.put += kept.num_rows
            yield kept

    def _goes(self, batch: pa.RecordBatch) -> Any:
        """Return which new rows are not in the file yet, and do not come again, folded."""
        number = batch.column("_number")
        again = pc.equal(number, pa.scalar(0))
        late = pc.or_(again, pc.greater(number, pa.scalar(self._contains)))
        if not self._folded:
            return late
        return pc.and_not(late, pc.and_not(self._among(batch, self._folded_ids, self._folded, 3), again))

    def _kept(self, file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
        """Yield the old rows that stay."""
        for batch in batches(file):
            stays = batch
            if self._drops:
                gone = self._among(batch, self._drop_ids, self._drops, len(self._columns))
                stays = batch.filter(pc.invert(gone))
            self.dropped += batch.num_rows - stays.num_rows
            yield self._patched(stays) if self._patches else stays

    def _patched(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows with what is new in them."""
        if not pc.any(pc.is_in(batch.column("thread_id"), self._patched_ids)).as_py():
            return batch
        names = zip(*(batch.column(name).to_pylist() for name in self._columns), strict=True)
        found = {at: patch for at, whose in enumerate(names) if (patch := self._patches.get(whose)) is not None}
        self.put += len(found)
        for place, name in enumerate(PATCHED):
            values = batch.column(name).to_pylist()
            for at, patch in found.items():
                values[at] = patch[place]
            column = pa.array(values, batch.schema.field(name).type)
            batch = batch.set_column(batch.schema.get_field_index(name), batch.schema.field(name), column)
        return batch

    def _among(self, batch: pa.RecordBatch, ids: pa.Array[Any], whose: set[Whose], width: int) -> pa.Array[Any]:
        """Return which rows are of these threads: by id at once, then exactly."""
        mask = pc.is_in(batch.column("thread_id"), ids)
        if not pc.any(mask).as_py():
            return mask
        columns = [batch.column(name).to_pylist() for name in self._columns[:width]]
        return pa.array([key in whose for key in zip(*columns, strict=True)], pa.bool_())


def _ids(threads: Iterable[Whose]) -> pa.Array[Any]:
    return pa.array(sorted({whose[2] for whose in threads}), pa.string())
