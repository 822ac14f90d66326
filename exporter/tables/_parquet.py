"""One Parquet file: how it is written, read in blocks, and proven.

The idea: row groups and blocks are bounded in bytes, so neither a long thread nor long messages need more memory.
"""

from __future__ import annotations

import hashlib
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


def batches(file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """Read a file in blocks of bounded size."""
    about = file.metadata
    size = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    rows = max(1, min(GROUP_ROWS, about.num_rows * READ_BYTES // max(1, size)))
    yield from file.iter_batches(batch_size=rows, use_threads=False)


def rows_among(path: Path, threads: list[str], columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield some columns of the rows of these threads, which are in order; reads only groups that may have them."""
    wanted = pa.array(threads, pa.string())
    with reading(path), pq.ParquetFile(path) as file:
        groups = [group for group in range(file.num_row_groups) if _may_have(file, group, threads)]
        for batch in file.iter_batches(columns=columns, row_groups=groups, batch_size=BATCH_ROWS):
            yield batch.filter(pc.is_in(batch.column("thread_id"), wanted))


def _may_have(file: pq.ParquetFile, group: int, threads: list[str]) -> bool:
    """Tell whether a row group may have a row of any of these threads."""
    place = file.schema_arrow.get_field_index("thread_id")
    said = file.metadata.row_group(group).column(place).statistics
    if said is None or not said.has_min_max:
        return True
    at = bisect_left(threads, str(said.min))
    return at < len(threads) and threads[at] <= str(said.max)


def proven(path: Path, table: str, rows: int) -> str:
    """Read a written file back, with its checksums, and return its hash."""
    with reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        found = sum(batch.num_rows for batch in batches(file))
        if found != rows or file.schema_arrow.remove_metadata() != SCHEMAS[table]:
            raise Damaged(f"{path}: {rows} rows were written and {found} came back; check the disk and run again")
    return sha256(path)


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
