"""When all threads are due, worked out anew: what that needs comes out as numbers, and only what changed goes in.

A million threads pass here, so nothing is made of a row but what the arithmetic takes. Threads that were never visited
all have the times of their server: one statement sets those of each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from exporter.archive._compact import seconds
from exporter.archive._many import Many
from exporter.archive._schema import names_in, threads

BATCH = 20_000
"Threads in one transaction."


class Timed(NamedTuple):
    """What the times of a thread follow from; seconds since 1970, as the catalog has them."""

    source: str
    endpoint: str
    id: str
    "Empty for all threads of this server that were never visited."
    profile: str
    failures: int = 0
    visited_at: int | None = None
    active_at: int | None = None
    failed_at: int | None = None
    asked_at: int | None = None


class Times(NamedTuple):
    """When a thread is to be visited."""

    due_at: int
    "`NEVER_AGAIN` for never."
    deadline_at: int | None
    interval: float


WorkOut = Callable[[Timed], Times]


def work_out_new(db: Connection, work_out: WorkOut) -> None:
    """Set the times of the threads that were never visited and of which nothing else is known."""
    for source, endpoint, profile in db.execute(_SERVERS).all():
        times = work_out(Timed(source, endpoint, "", profile))
        server = {"_source": source, "_endpoint": endpoint, "_profile": profile}
        db.execute(_SET_NEW, times._asdict() | server)


def before_first(db: Connection) -> int | None:
    """Return where `work_out_some` begins, None where there are no others; their times are in no index from now on.

    An index that follows each of a million rows from one place to another takes longer than one that is made anew.
    """
    first = db.execute(sa.select(sa.func.min(threads.c.no)).where(sa.not_(_NEW))).scalar()
    if first is None:
        return None
    there = names_in(db)
    for index in threads.indexes:
        if index.columns.keys()[0] in _SAID and index.name in there:
            index.drop(db)
    return int(first) - 1


def make_indexes(db: Connection) -> None:
    """Make the indexes that are not there: they came later, or their times were being worked out."""
    there = names_in(db)
    for index in sorted(threads.indexes, key=lambda one: str(one.name)):
        if index.name not in there:
            index.create(db)


def work_out_some(db: Connection, work_out: WorkOut, after: int) -> int | None:
    """Set the times of some of the others, behind the one of that number; return the last's, None at the end."""
    rows = db.execute(_TIMED, {"_after": after}).all()
    changed: dict[int, Times] = {}
    for no, due_at, deadline_at, interval, *told in rows:
        times = work_out(Timed(*told))
        if times != (due_at, deadline_at, interval):
            changed[no] = times
    said = zip(*changed.values(), strict=True) if changed else ((), (), ())
    _SET.write(db, {"_no": list(changed), **dict(zip(Times._fields, said, strict=True))})
    return rows[-1].no if len(rows) == BATCH else None


_SERVER = ("source", "endpoint", "profile")
_NEW = sa.and_(threads.c.visited_at.is_(None), threads.c.failed_at.is_(None), threads.c.active_at.is_(None))
_SERVERS = sa.select(*threads.c[_SERVER]).where(_NEW).distinct()
_TIMED = (
    sa.select(
        threads.c.no,
        *(seconds(threads.c[name]) for name in ("due_at", "deadline_at")),
        *threads.c["interval", "source", "endpoint", "id", "profile", "failures"],
        *(seconds(threads.c[name]) for name in ("visited_at", "active_at", "failed_at", "asked_at")),
    )
    .where(threads.c.no > sa.bindparam("_after"), sa.not_(_NEW))
    .order_by(threads.c.no)
    .limit(BATCH)
)
_SAID = {
    "due_at": sa.bindparam("due_at", type_=sa.Integer),
    "deadline_at": sa.bindparam("deadline_at", type_=sa.Integer),
    "interval": sa.bindparam("interval", type_=sa.Float),
}
_OTHER = sa.or_(*(seconds(threads.c[name]).is_distinct_from(said) for name, said in _SAID.items()))
_SET = Many(sa.update(threads).where(threads.c.no == sa.bindparam("_no")).values(_SAID))
_SET_NEW = (
    sa.update(threads)
    .where(_NEW, _OTHER, *(threads.c[name] == sa.bindparam(f"_{name}", type_=threads.c[name].type) for name in _SERVER))
    .values(_SAID)
)
