"""Rows of threads that were erased since the tables were published: they go out of every file that has any.

The idea: what was erased is known by its tombstone only, so the files say which threads they have.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from exporter.archive import Erasures
from exporter.model import ThreadRef
from exporter.schemas import SCHEMAS
from exporter.tables._changes import Changes
from exporter.tables._files import Files
from exporter.tables._names import Whose, month_of
from exporter.tables._parquet import BATCH_ROWS, manifest_of, reading
from exporter.tables._seeking import WHOSE


def drop_erased(files: Files, changes: Changes, erased: Erasures | None) -> None:
    """Let the rows that threads had when they were erased go.

    What a file has of one that it contains the erasure of came later: somebody took the thread back.
    """
    for table in SCHEMAS if erased is not None else ():
        columns = [*WHOSE, "kind"] if table == "revisions" else [*WHOSE]
        for path in files.paths(table):
            contains = manifest_of(path)
            for whose in _threads(path, columns):
                if erased is not None and erased.manifest(ThreadRef(*whose[:3])) > contains:
                    changes.drop(table, [month_of(path)], whose)


def _threads(path: Path, columns: list[str]) -> Iterator[Whose]:
    """Yield the threads of which a file has rows; they are sorted, so that only a neighbour can be one again."""
    last: Whose = ()
    with reading(path), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=columns, batch_size=BATCH_ROWS):
            distinct = pa.Table.from_batches([batch]).select(columns).group_by(columns, use_threads=False).aggregate([])
            for whose in zip(*(distinct.column(name).to_pylist() for name in columns), strict=True):
                if whose != last:
                    yield whose
                last = whose
