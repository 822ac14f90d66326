"""What lies ahead of the threads, and what became of those that are gone: questions to the catalog, as SQL.

A million threads are counted where they lie; only what is to be named is passed on, one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from exporter.archive._compact import ALWAYS, NEVER, seconds
from exporter.archive._due import stamp
from exporter.archive._schema import threads

LATE = timedelta(hours=30)
"A visit that is late by this was missed by a night, however the nights are jittered."
DAY = timedelta(days=1)

Numbers = sa.Select[int]


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a nightly job can do."""

    rate: float
    "Requests in a second, at most."
    night: float
    "Requests in a night, at most."
    each: float
    "Requests of a visit."
    ahead: int
    "Visits that come before all others."


def count(query: Numbers) -> Numbers:
    """How many a question would name."""
    return sa.select(sa.func.count()).select_from(query.order_by(None).subquery())


def at_risk(now: datetime, before: datetime) -> Numbers:
    """Threads that may lose something before a time and were not visited as they should have been, soonest first.

    A deadline alone is no risk: the visit before it comes in its turn. It is one where that visit is late, was never
    made or fails, and where the deadline comes before another night does.
    """
    missed = sa.or_(
        threads.c.due_at <= stamp(now - LATE), threads.c.failures > 0, threads.c.deadline_at <= stamp(now + DAY)
    )
    near = sa.and_(threads.c.deadline_at.is_not(None), threads.c.deadline_at <= stamp(before))
    return sa.select(threads.c.no).where(near, missed, _THERE).order_by(threads.c.deadline_at)


def too_late(now: datetime, before: datetime, able: Capacity) -> Numbers:
    """Threads with a deadline before a time that a job which takes the nearest first reaches too late."""
    days = _days(threads.c.deadline_at, now)
    rank = sa.func.row_number().over(order_by=(threads.c.deadline_at, threads.c.no))
    near = sa.and_(threads.c.deadline_at.is_not(None), threads.c.deadline_at <= stamp(before), _THERE)
    ranked = sa.select(threads.c.no, days.label("days"), rank.label("rank")).where(near).subquery()
    nights = sa.cast(ranked.c.days, sa.Integer) + 1
    can = sa.func.min(ranked.c.days * 86400 * able.rate, nights * able.night)
    return sa.select(ranked.c.no).where((ranked.c.rank + able.ahead) * able.each > can).order_by(ranked.c.rank)


def nights(now: datetime, count: int) -> sa.Select[Any]:
    """How many visits fall due in each of the next days, from 0; what is due already counts for the first."""
    day = sa.case((threads.c.due_at == ALWAYS, 0), else_=sa.func.max(_day(threads.c.due_at, now), 0)).label("day")
    return sa.select(day, sa.func.count()).where(threads.c.due_at < stamp(now + count * DAY), _THERE).group_by(day)


def deadlines(now: datetime, count: int) -> sa.Select[int, int]:
    """How many deadlines fall into each of the next days, from 0; those that have passed count for the first."""
    day = sa.func.max(_day(threads.c.deadline_at, now), 0).label("day")
    near = sa.and_(threads.c.deadline_at.is_not(None), threads.c.deadline_at < stamp(now + count * DAY))
    return sa.select(day, sa.func.count()).where(near, _THERE).group_by(day)


def failing(least: int) -> Numbers:
    """Threads that failed on so many nights since the last good visit, the worst first."""
    there = sa.and_(threads.c.failures >= least, threads.c.failures > 0, _THERE)
    return sa.select(threads.c.no).where(there).order_by(threads.c.failures.desc(), threads.c.no)


def longest_unvisited() -> Numbers:
    """The thread whose newest visit is the oldest, of those that are visited again and again.

    No index answers that: `max` keeps SQLite from trying one, row by row, which takes ten times as long as the table.
    """
    again = sa.func.max(seconds(threads.c.due_at), 0) < sa.literal(NEVER, threads.c.due_at.type)
    where = sa.and_(threads.c.visited_at.is_not(None), again, _THERE)
    return sa.select(threads.c.no).where(where).order_by(threads.c.visited_at).limit(1)


def lifetimes() -> sa.Select[Any]:
    """Of threads that vanished, by source and endpoint: days from the last activity to the last sight, and to none."""
    active = sa.func.julianday(threads.c.gone_active)
    alive, gone = (sa.func.julianday(column) - active for column in (threads.c.gone_alive, threads.c.gone_at))
    told = sa.and_(threads.c.gone_at.is_not(None), threads.c.gone_active.is_not(None))
    server = (threads.c.source, threads.c.endpoint)
    return sa.select(*server, alive, gone).where(told).order_by(*server)


def _days(time: sa.ColumnElement[str], now: datetime) -> sa.ColumnElement[Any]:
    return (seconds(time) - now.timestamp()) / DAY.total_seconds()


def _day(time: sa.ColumnElement[str], now: datetime) -> sa.ColumnElement[int]:
    return sa.cast(_days(time, now), sa.Integer)


_THERE = threads.c.state != "gone"
