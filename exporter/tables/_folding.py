"""Many observations of a thread's objects as one row each: the place of the first, the content of the newest.

The idea: a first walk over all records finds out what each object is in the end, in 200 bytes per object; a second
one makes the rows. So a row never moves to another month, and a thread of any length needs no body in memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from exporter.model import Record, Registration
from exporter.rows import TABLE_OF, Deletions, born, frame, identity, microseconds, row, time_of
from exporter.tables._content import state_of
from exporter.tables._names import month
from exporter.text import clean, plain


class Fold:
    """Many observations of a thread's objects as one row each: the place of the first, the content of the newest.

    Walk all records with `see`, then the same again with `rows`: between the two, an object is about 200 bytes.
    """

    def __init__(self, since: int, deletions: Deletions) -> None:
        self.changed: set[int] = set()
        "Months of the objects that since manifest `since` are new or other than before, are deleted or came back."
        self.months: set[int] = set()
        self.appended: set[int] = set()
        "Months of the rows that its new records are, taken by themselves."
        self._since, self._deletions = since, deletions
        self._seen = 0
        self._number: dict[bytes, int] = {}
        self._state = bytearray()
        # Of each object: when first seen, its time, whether that is the server's, position, revision, newest state.
        self._first, self._time, self._told, self._seq, self._revision, self._newest = (array("q") for _ in range(6))

    def __len__(self) -> int:
        return len(self._seq)

    def see(self, number: int, record: Record) -> None:
        """Take one record of manifest `number` into account."""
        key, state = identity(record), state_of(record)
        at = self._number.setdefault(key, len(self))
        newest = number
        created = born(record) if at == len(self) or number > self._since else None
        if number > self._since:
            self.appended.add(month(created or record.observed_at))
        if at == len(self):
            self._add(record, state, created)
        elif self._state[16 * at : 16 * at + 16] != state:
            self._state[16 * at : 16 * at + 16] = state
            self._revision[at] += 1
            self._newest[at] = self._seen
        else:
            newest = 0
        self._seen += 1
        deleted = self._deletions.see(key, number, record)
        if max(newest, deleted and max(number, deleted)) > self._since:
            self.changed.add(month(time_of(self._time[at])))

    def _add(self, record: Record, state: bytes, created: datetime | None) -> None:
        time = created or record.observed_at
        self._state += state
        self._first.append(microseconds(record.observed_at))
        self._time.append(microseconds(time))
        self._told.append(created is not None)
        self._seq.append(record.seq)
        self._revision.append(0)
        self._newest.append(self._seen)
        self.months.add(month(time))

    def rows(self, records: Iterator[Record], owner: Registration, months: set[int]) -> Iterator[tuple[str, Any, int]]:
        """Yield table, row and size of the objects in these months, and of their states where there are several."""
        states: dict[int, tuple[bytes, int]] = {}
        for count, record in enumerate(records):
            key = identity(record)
            at = self._number[key]
            time = time_of(self._time[at])
            if month(time) not in months:
                continue
            if self._revision[at]:
                known = states.get(at, (b"", -1))
                state = state_of(record)
                if state != known[0]:
                    states[at] = (state, known[1] + 1)
                    yield "revisions", self._revision_row(record, owner, at, known[1] + 1), len(record.body)
            if self._newest[at] == count and (out := row(record, owner)) is not None:
                yield TABLE_OF[record.kind], out | self._lasting(at, key), 2 * len(record.body)

    def _lasting(self, at: int, key: bytes) -> dict[str, Any]:
        """Return what every state of an object has in common."""
        deleted_at, reason = self._deletions.of(key) or (None, None)
        return {
            "deleted_at": deleted_at,
            "deleted_reason": reason and plain(reason),
            "seq": self._seq[at],
            "first_seen_at": time_of(self._first[at]),
            "ts": time_of(self._time[at]),
            "ts_source": "created_at" if self._told[at] else "first_seen_at",
            "revision": self._revision[at],
        }

    def _revision_row(self, record: Record, owner: Registration, at: int, revision: int) -> dict[str, Any]:
        return frame(record, owner) | {
            "kind": record.kind,
            "parent_id": None if record.parent is None else plain(record.parent),
            "object_id": None if record.id is None else plain(record.id),
            "seq": self._seq[at],
            "revision": revision,
            "ts": time_of(self._time[at]),
            "body_json": clean(record.body).decode(),
        }
