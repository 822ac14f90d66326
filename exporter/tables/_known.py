"""What the `threads` table knows already of the threads that something happened to.

The idea: the row of a thread says when it was first seen and how many messages it has, and its file which manifest
that includes; so a thread that only grew is not read again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from exporter.tables._names import Whose, month_of
from exporter.tables._parquet import manifest_of, reading

_COLUMNS = ["source", "endpoint", "thread_id", "messages", "first_seen_at"]


@dataclass(frozen=True, slots=True)
class Old:
    """The row that a thread has."""

    manifest: int
    "What the row's file contains."
    messages: int
    first_seen_at: datetime


class Known:
    """The rows of the touched threads."""

    def __init__(self, files: list[Path], touched: set[str]) -> None:
        self._old: dict[Whose, Old] = {}
        self._where: dict[Whose, set[int]] = defaultdict(set)
        wanted = pa.array(sorted(touched), pa.string())
        for path in files:
            manifest = manifest_of(path)
            for values in _rows(path, wanted):
                whose = (values["source"], values["endpoint"], values["thread_id"])
                self._where[whose].add(month_of(path))
                if whose not in self._old or self._old[whose].manifest < manifest:
                    self._old[whose] = Old(manifest, values["messages"], values["first_seen_at"])

    def old(self, whose: Whose) -> Old | None:
        """Return the newest row of a thread."""
        return self._old.get(whose)

    def months(self, whose: Whose) -> set[int]:
        """Return all months that hold a row of the thread: two, if an earlier try ended while it moved."""
        return self._where.get(whose, set())


def _rows(path: Path, wanted: pa.Array[Any]) -> Iterator[dict[str, Any]]:
    with reading(path), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=_COLUMNS, batch_size=16_384):
            yield from batch.filter(pc.is_in(batch.column("thread_id"), wanted)).to_pylist()
