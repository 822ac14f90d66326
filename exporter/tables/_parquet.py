"""One Parquet file: how it is written, read in blocks, and proven.

The idea: row groups and blocks are bounded in bytes, so neither a long thread nor long messages need more memory.
"""

from __future__ import annotations

import hashlib
import io
import os
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from exporter.errors import Damaged
from exporter.schemas import SCHEMAS, VERSIONS

GROUP_BYTES = 8 << 20
"Of a row group: smaller ones cost a third more time to write, larger ones seven times their size in memory."
GROUP_ROWS = 100_000
PAGE_BYTES = 8 << 20
"Of a page, at most: a column of a row group is compressed as a whole, which makes it smaller and cheaper."
READ_BYTES = 512 << 10
"What is read of a file at a time."
BATCH_ROWS = 16_384
"What is read at a time of a few columns."

_PLAIN_COLUMNS = {"message_id", "step_id", "text", "content_json", "details_json", "body_json"}
"Too many different values for a dictionary."


def write(file: Any, table: str, manifest: int, tables: Iterator[pa.Table]) -> int:
    """Write a table's rows, which are in order, as what manifest `manifest` says; return their number."""
    meta = {"exporter.schema": VERSIONS[table], "exporter.manifest": str(manifest)}
    with _writer(file, SCHEMAS[table].with_metadata(meta)) as out:
        return sum(_write_group(out, group) for group in _groups(tables, SCHEMAS[table]))


def batches(file: pq.ParquetFile, groups: list[int] | None = None) -> Iterator[pa.RecordBatch]:
    """Read a file, or some of its row groups, in blocks of bounded size."""
    about = file.metadata
    size = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    rows = max(1, min(GROUP_ROWS, about.num_rows * READ_BYTES // max(1, size)))
    yield from file.iter_batches(batch_size=rows, row_groups=groups, use_threads=False)


def rows_among(path: Path, threads: list[str] | None, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield some columns of the rows of these threads, which are in order; reads only groups that may have them.

    None are all threads.
    """
    wanted = pa.array(threads or [], pa.string())
    with reading(path), pq.ParquetFile(path) as file:
        groups = [g for g in range(file.num_row_groups) if threads is None or _may_have(file, g, threads)]
        for batch in file.iter_batches(columns=columns, row_groups=groups, batch_size=BATCH_ROWS):
            yield batch if threads is None else batch.filter(pc.is_in(batch.column("thread_id"), wanted))


def _may_have(file: pq.ParquetFile, group: int, threads: list[str]) -> bool:
    """Tell whether a row group may have a row of any of these threads."""
    place = file.schema_arrow.get_field_index("thread_id")
    said = file.metadata.row_group(group).column(place).statistics
    if said is None or not said.has_min_max:
        return True
    at = bisect_left(threads, str(said.min))
    return at < len(threads) and threads[at] <= str(said.max)


class Hashed(io.BufferedWriter):
    """A file that remembers the hash of what is written to it, from its beginning to its end."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb"))
        self._digest = hashlib.sha256()

    def write(self, data: Any) -> int:
        """Write some bytes."""
        self._digest.update(data)
        return super().write(data)

    def sha256(self) -> str:
        """Return the hash of what was written."""
        return self._digest.hexdigest()


def proven(path: Path, table: str, rows: int, written: str) -> str:
    """Read a written file back, and return its hash.

    It is what was written, byte for byte, which the hash of what was handed over tells; its footer says the rows that
    were meant; and its first row group is decoded, with its checksums: a writer that makes what no reader takes makes
    it in every group.
    """
    with reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        about = file.metadata
        counted = sum(about.row_group(group).num_rows for group in range(about.num_row_groups))
        if not about.num_rows == counted == rows or file.schema_arrow.remove_metadata() != SCHEMAS[table]:
            raise Damaged(f"{path}: {rows} rows were written and {counted} came back; check the disk and run again")
        if rows and sum(batch.num_rows for batch in batches(file, [0])) != about.row_group(0).num_rows:
            raise Damaged(f"{path}: rows were written that do not come back; check the disk and run again")
        del about
    found = sha256(path)
    if found != written:
        raise Damaged(f"{path}: other bytes came back than were written; check the disk and run again")
    return found


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn a Parquet file that cannot be read into one of our errors."""
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
        raise Damaged(f"{path}: {error}; run `exporter rebuild`") from error


def manifest_of(path: Path) -> int:
    """Return the newest manifest that a file contains."""
    return int(_footer(path).get(b"exporter.manifest", b"0"))


def of_other_version(path: Path, table: str) -> bool:
    """Tell whether a file of this table has the columns of another version; one that cannot be read has none."""
    try:
        said = _footer(path).get(b"exporter.schema", b"").decode("utf-8", "replace")
    except Damaged:
        return False
    return said.startswith(f"{table}/") and said != VERSIONS[table]


def _footer(path: Path) -> dict[bytes, bytes]:
    with reading(path), pq.ParquetFile(path) as file:
        return file.metadata.metadata or {}


def sha256(path: Path) -> str:
    """Return the hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _writer(file: Any, schema: pa.Schema) -> pq.ParquetWriter:
    dictionary = [f.name for f in schema if f.type == pa.string() and f.name not in _PLAIN_COLUMNS]
    return pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        compression_level=3,
        data_page_size=PAGE_BYTES,
        use_dictionary=dictionary,  # type: ignore[arg-type]  # the stubs know only bool
        write_page_checksum=True,
        store_schema=True,
    )


def _groups(tables: Iterator[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Gather tables into row groups of bounded size."""
    held: list[pa.Table] = []
    rows = size = 0
    for table in tables:
        held.append(table.cast(schema) if table.schema != schema else table)
        rows, size = rows + table.num_rows, size + table.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield pa.concat_tables(held)
            held, rows, size = [], 0, 0
    if held:
        yield pa.concat_tables(held)


def _write_group(out: pq.ParquetWriter, group: pa.Table) -> int:
    out.write_table(group, row_group_size=GROUP_ROWS + group.num_rows)
    return group.num_rows
