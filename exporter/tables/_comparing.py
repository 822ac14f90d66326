"""Tell whether two folders of tables hold the same rows.

The idea: rows are compared, never bytes; how a file is cut into groups, and what it says of itself, may differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from exporter.schemas import SCHEMAS
from exporter.tables._parquet import batches


def compare(a: Path, b: Path) -> Iterator[str]:
    """Name the table files that do not hold the same rows, or cannot be read; metadata aside."""
    names = {f"{t}/{p.name}" for t in SCHEMAS for root in (a, b) for p in (root / t).glob("*.parquet")}
    for name in sorted(names):
        one, two = a / name, b / name
        if not (one.exists() and two.exists()) or not _readable(one, two) or not _equal(one, two):
            yield name


def _readable(*paths: Path) -> bool:
    """Tell whether these files say what they hold."""
    try:
        return all(pq.read_metadata(path).num_rows >= 0 for path in paths)
    except (pa.ArrowInvalid, OSError):
        return False


def _equal(one: Path, two: Path) -> bool:
    with pq.ParquetFile(one) as left, pq.ParquetFile(two) as right:
        if left.schema_arrow.remove_metadata() != right.schema_arrow.remove_metadata():
            return False
        if left.metadata.num_rows != right.metadata.num_rows:
            return False
        try:
            return _same(batches(left), batches(right))
        except (pa.ArrowInvalid, OSError):  # a page that is not what it was
            return False


def _same(*sides: Iterator[pa.RecordBatch]) -> bool:
    """Compare two streams of rows that may be cut differently."""
    rest = [next(side, None) for side in sides]
    while rest[0] is not None and rest[1] is not None:
        rows = min(rest[0].num_rows, rest[1].num_rows)
        if not rest[0].slice(0, rows).equals(rest[1].slice(0, rows)):
            return False
        for i, side in enumerate(sides):
            batch = rest[i]
            assert batch is not None
            rest[i] = batch.slice(rows) if batch.num_rows > rows else next(side, None)
    return rest == [None, None]
