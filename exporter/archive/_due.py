"""Which threads are due, in which order: answered by the index, as numbers, so that a million fit into 8 MB."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from exporter.archive._compact import ALWAYS, NEVER
from exporter.archive._schema import threads

LONG, SLACK = timedelta(days=31), timedelta(days=1)
"""A visit that waits for longer than the first, after one that was later than it is now by more than the second, waits
for a time that a wrong clock said: it is due."""


@dataclass(frozen=True, slots=True)
class Due:
    """The threads that are due, by how long they can wait; each holds numbers of the catalog."""

    touched: array[int]
    "Somebody said that something happened in them: whatever their time, also where they rest or were gone."
    urgent: array[int]
    "Their deadline is near, the nearest first."
    new: array[int]
    "Never visited, in the order of registration."
    others: array[int]
    "Those that are likeliest to have news first."
    usual: float
    "Visits of a usual night: of all threads, a day's share of their interval."

    def __len__(self) -> int:
        return len(self.touched) + len(self.urgent) + len(self.new) + len(self.others)


def due(db: Connection, now: datetime, urgent_before: datetime) -> Due:
    """Return what is due at a time; urgent is what has its deadline before `urgent_before`."""
    late, ahead = threads.c.due_at > stamp(now + LONG), threads.c.visited_at > stamp(now + SLACK)
    mistimed = sa.and_(late, threads.c.due_at < NEVER, ahead)
    open_ = (
        sa.or_(threads.c.due_at <= stamp(now), mistimed),
        threads.c.state != "gone",
        threads.c.touched_at.is_(None),
    )
    near = sa.and_(threads.c.deadline_at.is_not(None), threads.c.deadline_at <= stamp(urgent_before))
    new = threads.c.due_at == ALWAYS
    return Due(
        touched=_numbers(db, threads.c.touched_at.is_not(None), order=(threads.c.touched_at.desc(),)),
        urgent=_numbers(db, *open_, near, order=(threads.c.deadline_at,)),
        new=_numbers(db, *open_, sa.not_(near), new, order=(threads.c.no,)),
        others=_numbers(db, *open_, sa.not_(near), sa.not_(new), order=(threads.c.interval, threads.c.due_at)),
        usual=_usual(db),
    )


def stamp(time: datetime) -> str:
    """Return a time as the catalog compares it."""
    return time.isoformat(timespec="microseconds")


def _usual(db: Connection) -> float:
    share = sa.func.sum(1.0 / sa.func.max(threads.c.interval, 0.01))
    return float(db.execute(sa.select(share).where(threads.c.due_at < NEVER, threads.c.state != "gone")).scalar() or 0)


def _numbers(db: Connection, *where: sa.ColumnElement[bool], order: tuple[sa.ColumnElement[object], ...]) -> array[int]:
    rows: Iterator[tuple[int]] = iter(db.execute(sa.select(threads.c.no).where(*where).order_by(*order)))
    return array("q", (row[0] for row in rows))
