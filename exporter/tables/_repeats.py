"""Find which of the new objects are in the tables already: a list that was walked before may bring what it brought.

The idea: the tables know the ids of all objects, sorted by thread. So the ids of the new pages are looked up there,
whatever the server says of them, and only a thread that has one of them is folded; the others just grow.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from exporter.model import Mark, Record
from exporter.rows import LISTED, TABLE_OF, Entry
from exporter.tables._names import Whose, whose
from exporter.tables._parquet import rows_among
from exporter.text import plain

LIMIT = 100_000
"Objects that are looked up at a time."

_COLUMNS = {
    "message": ("message_id", "parent_id"),
    "run": ("run_id", "parent_id"),
    "step": ("step_id", None),  # the row of a step may have its run from its body, which may change
    "file": ("file_id", "container_id"),
}
"Of each kind, the columns of the id and of what it hangs on."


def keys_of(mark: Mark, objects: Sequence[Record | Entry]) -> array[int]:
    """Return 64 bits for each object; two that are one have the same, two others hardly ever."""
    named, hangs = whose(mark.thread), _COLUMNS[mark.kind][1] is not None
    return array("q", [_key(named, one.parent if hangs else None, one.id, one.seq) for one in objects])


class Repeats:
    """The objects of pages that may hold something old."""

    def __init__(self, paths: Callable[[str], list[Path]], found: Callable[[str, Whose], None]) -> None:
        self._paths, self._found = paths, found
        self._names: dict[str, set[str]] = defaultdict(set)
        self._threads: dict[str, set[str]] = defaultdict(set)
        self._keys: dict[str, set[int]] = defaultdict(set)
        self._count = 0

    def take(self, mark: Mark, records: Sequence[Record | Entry], keys: array[int]) -> None:
        """Take a page whose objects are to be looked up."""
        if not records:
            return
        self._count += len(records)
        self._threads[mark.kind].add(plain(mark.thread.id))
        self._names[mark.kind].update(plain(record.id) for record in records if record.id is not None)
        self._keys[mark.kind].update(keys)
        if self._count > LIMIT:
            self.look()

    def look(self) -> None:
        """Look up what is held, and say of which kind and thread any object is there already."""
        for kind in LISTED:
            for path in self._paths(TABLE_OF[kind]) if self._keys[kind] else ():
                for thread in self._in(path, kind):
                    self._found(kind, thread)
        for held in (self._names, self._threads, self._keys):
            held.clear()
        self._count = 0

    def _in(self, path: Path, kind: str) -> set[Whose]:
        name, parent = _COLUMNS[kind]
        columns = ["source", "endpoint", "thread_id", "seq", name, *([parent] if parent else [])]
        names = pa.array(sorted(self._names[kind]), pa.string())
        found: set[Whose] = set()
        for batch in rows_among(path, sorted(self._threads[kind]), columns):
            ids = batch.column(name)
            for row in batch.filter(pc.or_(pc.is_in(ids, names), pc.is_null(ids))).to_pylist():
                thread = (row["source"], row["endpoint"], row["thread_id"])
                if _key(thread, row[parent] if parent else None, row[name], row["seq"]) in self._keys[kind]:
                    found.add(thread)
        return found


def _key(thread: Whose, parent: str | None, name: str | None, seq: int) -> int:
    """Return 64 bits of what tells an object apart, as the tables have it."""
    place: Any = seq if name is None else name if name.isascii() else plain(name)
    return hash((thread, None if parent is None else plain(parent), place))
