"""No object has two rows: the ids of each thread are unique in each table, whatever month a row is in.

The idea: rows are sorted by thread in each file, so the files of a table are read side by side, a thread at a time.
Of a file that nobody noted, no row is in another file of its table: that is looked at where rows have no ids, too.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator
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


def doubled(path: Path, unnoted: Iterable[str] = ()) -> Iterator[Finding]:
    """Find the objects that have more than one row; at most one finding for each table and thread.

    Also which of the files that are noted nowhere repeat another; at most one finding for each.
    """
    for name in unnoted:
        yield from _repeating(path / name, name)
    for table, columns in IDENTITY.items():
        files = sorted((path / table).glob("*.parquet"))
        for whose, rows in groupby(heapq.merge(*(_rows(file, columns) for file in files)), itemgetter(0, 1, 2)):
            twice = _twice(rows)
            if twice is not None and UNCLEAR not in "".join(whose):
                where = printable(f"{whose[0]}/{whose[2]}")
                yield damage("rows_doubled", where, f"{table} has more than one row of {printable(twice)}", HELP)


def _repeating(file: Path, name: str) -> Iterator[Finding]:
    if name.split("/", 1)[0] in IDENTITY:
        return  # which tells it row by row
    rows = (_whole(one, mine=one == file) for one in sorted(file.parent.glob("*.parquet")))
    for whose, several in groupby(heapq.merge(*rows), itemgetter(0, 1, 2)):
        seen: dict[bool, set[str]] = {True: set(), False: set()}
        for *_, digest, mine in several:
            seen[mine].add(digest)
        if seen[True] & seen[False]:
            what = f"it has rows of {printable(f'{whose[0]}/{whose[2]}')} that another file of its table has, too"
            yield damage("rows_doubled", name, what, HELP)
            return


def _whole(file: Path, *, mine: bool) -> Iterator[Row]:
    """Yield whose each row is, and a hash of all of it; nothing of a file that cannot be read."""
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
            for batch in parquet.iter_batches(batch_size=BATCH):
                for row in batch.to_pylist():
                    whose = (row[name] for name in WHOSE)
                    yield (*whose, hashlib.sha256(repr(row).encode("utf-8", "surrogatepass")).hexdigest(), mine)
    except (pa.ArrowException, OSError, KeyError):  # which is told where its bytes are looked at
        return


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
