"""No object has two rows: the ids of each thread are unique in each table, whatever month a row is in.

The idea: rows are sorted by thread in each file, so the files of a table are read side by side, a thread at a time.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from exporter.archive._verify import damage
from exporter.model import Finding, printable

WHOSE = ("source", "endpoint", "thread_id")
IDENTITY = {
    "messages": ("parent_id", "message_id", "seq"),
    "threads": (),
    "runs": ("parent_id", "run_id", "seq"),
    "files": ("container_id", "file_id", "seq"),
}
"""Of each table, what tells the rows of a thread apart; the position only where there is no id. Steps hang on a run
that their row does not always name."""
BATCH = 16_384
HELP = "run `exporter check --repair`; if it is found again, it is a fault of exporter: please report it"
UNCLEAR = "\ufffd"
"In a name, what a table cannot hold: two names may read the same."

Row = tuple[Any, ...]


def doubled(path: Path) -> Iterator[Finding]:
    """Find the objects that have more than one row; at most one finding for each table and thread."""
    for table, columns in IDENTITY.items():
        files = sorted((path / table).glob("*.parquet"))
        for whose, rows in groupby(heapq.merge(*(_rows(file, columns) for file in files)), itemgetter(0, 1, 2)):
            twice = _twice(rows)
            if twice is not None and UNCLEAR not in "".join(whose):
                where = printable(f"{whose[0]}/{whose[2]}")
                yield damage("rows_doubled", where, f"{table} has more than one row of {printable(twice)}", HELP)


def _rows(file: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield what tells each row apart, as text that sorts; nothing of a file that cannot be read."""
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
            for batch in parquet.iter_batches(columns=[*WHOSE, *columns], batch_size=BATCH):
                names = [batch.column(name).to_pylist() for name in (*WHOSE, *columns)]
                yield from zip(*names[:3], *_places(names[3:], batch.num_rows), strict=True)
    except (pa.ArrowException, OSError, KeyError):  # which is told where its bytes are looked at
        return


def _places(names: list[list[Any]], count: int) -> list[list[str]]:
    if not names:
        return [[""] * count, ["the thread"] * count]
    parents, ids, seqs = names
    return [
        ["" if parent is None else f"in {parent}" for parent in parents],
        [f"position {seq}" if id_ is None else f"id {id_}" for id_, seq in zip(ids, seqs, strict=True)],
    ]


def _twice(rows: Iterator[Row]) -> str | None:
    seen: set[tuple[str, str]] = set()
    for *_, parent, place in rows:
        if (parent, place) in seen and UNCLEAR not in parent + place:
            return f"{place} {parent}".strip()
        seen.add((parent, place))
    return None
