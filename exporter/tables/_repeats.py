"""Find which of the new objects are in the tables already: a list that was walked before may bring what it brought.

The idea: the tables know the ids of all objects, sorted by thread. So the ids of the new pages are looked up there,
whatever the server says of them, and only a thread that has one of them is folded; the others just grow.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from exporter.rows import LISTED, TABLE_OF
from exporter.tables._names import Whose
from exporter.tables._pages import Page
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


def keys_of(page: Page) -> array[int]:
    """Return 64 bits for each object; two that are one have the same, two others hardly ever."""
    thread = hash(page.whose)
    if _COLUMNS[page.mark.of][1] is None or all(one.parent is None for one in page.objects):
        return array("q", [thread ^ _place(one.id, one.seq) for one in page.objects])
    return array("q", [_key(thread, one.parent, one.id, one.seq) for one in page.objects])


class Repeats:
    """The objects of pages that may hold something old."""

    def __init__(self, paths: Callable[[str], list[Path]], found: Callable[[str, Whose], None]) -> None:
        self._paths, self._found = paths, found
        self._names: dict[str, set[str]] = defaultdict(set)
        self._threads: dict[str, set[str]] = defaultdict(set)
        self._keys: dict[str, set[int]] = defaultdict(set)
        self._count = 0

    def take(self, page: Page, keys: array[int]) -> None:
        """Take a page whose objects are to be looked up."""
        if not page.objects:
            return
        kind = page.mark.of
        self._count += len(keys)
        self._threads[kind].add(page.whose[2])
        self._names[kind].update(plain(one.id) for one in page.objects if one.id is not None)
        self._keys[kind].update(keys)
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
                if _key(hash(thread), row[parent] if parent else None, row[name], row["seq"]) in self._keys[kind]:
                    found.add(thread)
        return found


def _key(thread: int, parent: str | None, name: str | None, seq: int) -> int:
    """Return 64 bits of what tells an object apart, as the tables have it."""
    place = _place(name, seq)
    return thread ^ (place if parent is None else hash((plain(parent), place)))


def _place(name: str | None, seq: int) -> int:
    return seq if name is None else hash(name if name.isascii() else plain(name))
