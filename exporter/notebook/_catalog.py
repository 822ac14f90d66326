"""What the catalog knows, as tables for SQL: read when a question needs it, a batch at a time.

The idea: DuckDB asks an object for a stream of Arrow batches each time that it reads it, so a million threads pass in
flat memory, and nobody who does not ask pays for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from exporter.archive import Archive
from exporter.archive.catalog import ALWAYS, NEVER, Known
from exporter.model import now
from exporter.outlook import at_risk, learned

BATCH = 2_000
DAYS = 7
"At risk is what may lose something within these days, as `exporter status` has it."

_TIME = pa.timestamp("us", "UTC")


@dataclass(frozen=True, slots=True)
class Stream:
    """Rows of an archive's catalog, as they are when they are read."""

    path: Path
    schema: pa.Schema
    rows: Callable[[Archive], Iterator[tuple[Any, ...]]]

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        reader = pa.RecordBatchReader.from_batches(self.schema, self._batches())
        return reader.__arrow_c_stream__(requested_schema)  # type: ignore[no-untyped-call]

    def _batches(self) -> Iterator[pa.RecordBatch]:
        with Archive.open(self.path) as archive:
            rows = self.rows(archive)
            while batch := list(islice(rows, BATCH)):
                columns = zip(zip(*batch, strict=True), self.schema, strict=True)
                yield pa.RecordBatch.from_arrays(
                    [pa.array(values, field.type) for values, field in columns], schema=self.schema
                )


def streams(path: Path) -> dict[str, Stream]:
    """Return what the views read of the catalog, by name."""
    return {
        "catalog_threads": Stream(path, _THREADS, lambda archive: map(_thread, archive.catalog.known())),
        "catalog_at_risk": Stream(path, _RISKS, _risks),
        "catalog_retention": Stream(path, _RETENTION, _retention),
    }


_WHOSE = ("source", "endpoint", "thread_id")
_TIMES = ("registered_at", "seen_at", "visited_at", "due_at", "deadline_at", "active_at", "failed_at", "gone_at")
_WORDS = ("profile", "user", "customer", "title", "via", "state", "code", "error")


def _schema(texts: Sequence[str], **others: pa.DataType) -> pa.Schema:
    return pa.schema({**dict.fromkeys(texts, pa.string()), **others})


_THREADS = _schema((*_WHOSE, *_WORDS), **dict.fromkeys(_TIMES, _TIME), failures=pa.int64())
_RISKS = _schema(_WHOSE, deadline_at=_TIME, days=pa.float64())
_DAYS = dict.fromkeys(("median_days", "p10_days", "p90_days"), pa.float64())
_RETENTION = _schema(_WHOSE[:2], threads=pa.int64(), **_DAYS)


def _thread(known: Known) -> tuple[Any, ...]:
    times = (_time(getattr(known, name)) for name in _TIMES)
    return (*_whose(known), *(getattr(known, name) for name in _WORDS), *times, known.failures)


def _risks(archive: Archive) -> Iterator[tuple[Any, ...]]:
    at = now()
    for known in at_risk(archive.catalog, at, DAYS):
        deadline = _time(known.deadline_at)
        assert deadline is not None
        yield (*_whose(known), deadline, (deadline - at).total_seconds() / 86400)


def _retention(archive: Archive) -> Iterator[tuple[Any, ...]]:
    for one in learned(archive.catalog):
        yield one.source, one.endpoint, one.count, one.gone.median, one.gone.p10, one.gone.p90


def _whose(known: Known) -> tuple[str, str, str]:
    return known.thread.source, known.thread.endpoint, known.thread.id


def _time(text: str | None) -> datetime | None:
    return None if text in (None, ALWAYS, NEVER) else datetime.fromisoformat(str(text))
