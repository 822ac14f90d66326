"""Threads of which somebody said that something happened in them: marked beside a running backup, answered by a visit.

A mark is a time, and a visit answers the mark that it found when it began: one that was made anew while the visit
went on has another time, and stays. So no clock decides whether a thread was visited since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection

from exporter.archive._many import plain
from exporter.archive._schema import inbox, threads
from exporter.model import Registration, ThreadRef

BATCH = 500
"Ids per statement."
SAME = ("source", "endpoint", "id")


def known_ids(db: Connection, ids: Sequence[str]) -> set[str]:
    """Return which of these ids a registered thread has, whatever its source and endpoint."""
    found: set[str] = set()
    for begin in range(0, len(ids), BATCH):
        query = sa.select(threads.c.id).where(threads.c.id.in_(ids[begin : begin + BATCH]))
        found.update(str(row[0]) for row in db.execute(query))
    return found


def mark_ids(db: Connection, ids: Sequence[str], at: str) -> None:
    """Mark all threads that have these ids."""
    if ids:
        marking = sa.update(threads).where(threads.c.id == sa.bindparam("_id")).values(touched_at=at)
        db.execute(marking, [{"_id": one} for one in ids])


def mark(db: Connection, marks: Mapping[ThreadRef, str]) -> None:
    """Mark these threads; those that are not registered stay unmarked."""
    if marks:
        marking = sa.update(threads).where(_is_named()).values(touched_at=sa.bindparam("_at"))
        db.execute(marking, [_named(thread) | {"_at": at} for thread, at in marks.items()])


def answer(db: Connection, marks: Mapping[ThreadRef, str]) -> None:
    """Take the marks away that these threads had when their visits began."""
    if marks:
        answered = sa.update(threads).where(_is_named(), threads.c.touched_at == sa.bindparam("_at"))
        rows = [_named(thread) | {"_at": at} for thread, at in marks.items()]
        db.execute(answered.values(touched_at=None), rows)


def wait(db: Connection, entries: Sequence[Registration], at: str) -> None:
    """Keep threads that are not registered until somebody who holds the lock registers them."""
    if entries:
        rows: list[dict[str, Any]] = [
            dict(zip(SAME, _plain(one.thread), strict=True)) | {"profile": plain(one.profile), "touched_at": at}
            for one in entries
        ]
        db.execute(insert(inbox).on_conflict_do_update(index_elements=SAME, set_={"touched_at": at}), rows)


def waiting(db: Connection, limit: int) -> Iterator[tuple[Registration, str]]:
    """Return some of the threads that wait, with their marks."""
    for row in db.execute(sa.select(inbox).limit(limit)):
        yield Registration(ThreadRef(row.source, row.endpoint, row.id), row.profile), row.touched_at


def admit(db: Connection, marks: Mapping[ThreadRef, str]) -> None:
    """Mark threads that waited and are registered now; one that was touched again meanwhile waits on."""
    mark(db, marks)
    if marks:
        same = sa.and_(*(inbox.c[name] == sa.bindparam(f"_{name}") for name in SAME))
        rows = [_named(thread) | {"_at": at} for thread, at in marks.items()]
        db.execute(sa.delete(inbox).where(same, inbox.c.touched_at == sa.bindparam("_at")), rows)


def _plain(thread: ThreadRef) -> tuple[str, str, str]:
    return plain(thread.source), plain(thread.endpoint), plain(thread.id)


def _named(thread: ThreadRef) -> dict[str, str]:
    return {f"_{name}": text for name, text in zip(SAME, _plain(thread), strict=True)}


def _is_named() -> sa.ColumnElement[bool]:
    return sa.and_(*(threads.c[name] == sa.bindparam(f"_{name}") for name in SAME))
