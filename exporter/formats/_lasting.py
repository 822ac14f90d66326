"""What the rows of a table say besides the newest content: what an object had when it was first seen, its deletion.

The idea: a list that was walked once, without deletions, needs no look at what came before; any other one is read
once more, and takes about 300 bytes per object.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from exporter.formats._newest import is_straight
from exporter.formats._pages import Reader
from exporter.model import Kind, Record, ThreadRef
from exporter.rows import Deletions, born, identity
from exporter.tables._content import state_of


@dataclass(slots=True)
class _Object:
    first: datetime
    born: datetime | None
    seq: int
    state: bytes
    revision: int = 0
    changed: datetime | None = None


class Lasting:
    """What is known of the objects of one kind in a thread beyond their newest records."""

    def __init__(self, archive: Reader, thread: ThreadRef, kind: Kind) -> None:
        self._archive, self._thread, self._kind = archive, thread, kind
        self._deletions = Deletions(self._history("deletion"), kind)
        self._objects: dict[bytes, _Object] = {}
        again = not is_straight(mark for _, mark, _ in archive.thread_pages(thread, kind))
        if again or self._deletions:
            for number, record in self._history(kind):
                self._see(number, record)

    def __bool__(self) -> bool:
        return bool(self._objects)

    def of(self, record: Record) -> dict[str, Any]:
        """Return the columns that the newest record does not tell; to be asked only where it is true."""
        key = identity(record)
        one = self._objects[key]
        since, reason = self._deletions.of(key) or (None, None)
        return {
            "seq": one.seq,
            "first_seen_at": one.first,
            "ts": one.born or one.first,
            "ts_source": "created_at" if one.born else "first_seen_at",
            "revision": one.revision,
            "observed_at": one.changed or one.first,
            "deleted_at": since,
            "deleted_reason": reason,
        }

    def _history(self, kind: Kind) -> Iterator[tuple[int, Record]]:
        for number, _, records in self._archive.thread_pages(self._thread, kind):
            yield from ((number, record) for record in records)

    def _see(self, number: int, record: Record) -> None:
        key, state = identity(record), state_of(record)
        self._deletions.see(key, number, record)
        one = self._objects.get(key)
        if one is None:
            self._objects[key] = _Object(record.observed_at, born(record), record.seq, state)
        elif one.state != state:
            one.state, one.changed = state, record.observed_at
            one.revision += 1
