"""What the tables know already of the threads that something happened to.

The idea: the row of a thread says when it was first seen, how its last visit ended and how many messages it has, and
its file which manifest that includes; so a thread that only grew is not read again.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from exporter.tables._names import Whose, month_of
from exporter.tables._parquet import manifest_of, rows_among

_WHOSE = ["source", "endpoint", "thread_id"]
_KEPT = ["messages", "first_seen_at", "state", "observed_at", "deleted_at", "deleted_reason"]


@dataclass(frozen=True, slots=True)
class Old:
    """The row that a thread has."""

    manifest: int
    "What the row's file contains."
    months: tuple[int, ...]
    "Those that hold a row of the thread: two, if an earlier try ended while it moved."
    messages: int
    first_seen_at: datetime
    state: str | None
    observed_at: datetime
    deleted_at: datetime | None
    deleted_reason: str | None


class Known:
    """The rows of the touched threads."""

    def __init__(
        self, threads: list[Path], gaps: list[Path], touched: set[str], erased: Collection[Whose] = frozenset()
    ) -> None:
        self._old: dict[Whose, Old] = {}
        self._erased = erased
        self._open: set[Whose] = set()
        wanted = sorted(touched)
        for path in threads:
            self._take(path, wanted)
        for path in gaps:
            self._open |= {_whose(gap) for gap in _rows(path, wanted, [*_WHOSE, "closed_at"]) if not gap["closed_at"]}
        self._open -= set(erased)

    def _take(self, path: Path, wanted: list[str]) -> None:
        manifest, months = manifest_of(path), (month_of(path),)
        for values in _rows(path, wanted, [*_WHOSE, *_KEPT]):
            if _whose(values) in self._erased:
                continue
            kept = {name: values[name] for name in _KEPT}
            kept["state"] = kept["state"] and sys.intern(kept["state"])
            found, before = Old(manifest, months, **kept), self._old.get(_whose(values))
            if before is not None:
                newest = found if found.manifest > before.manifest else before
                found = replace(newest, months=before.months + months)
            self._old[_whose(values)] = found

    def old(self, whose: Whose) -> Old | None:
        """Return the newest row of a thread."""
        return self._old.get(whose)

    def lacks(self, whose: Whose) -> bool:
        """Tell whether a gap of the thread is open."""
        return whose in self._open


def _whose(values: dict[str, Any]) -> Whose:
    return sys.intern(values["source"]), sys.intern(values["endpoint"]), values["thread_id"]


def _rows(path: Path, wanted: list[str], columns: list[str]) -> Iterator[dict[str, Any]]:
    return (row for batch in rows_among(path, wanted, columns) for row in batch.to_pylist())
