"""What tonight and the coming nights will ask for, which threads are at risk, and how long servers really keep them.

Everything is read from the catalog and the reports of the last runs; no server is asked and nothing is written. In a
notebook: `with exporter.Archive.open(path) as archive: learned(archive.catalog)`.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, groupby, islice
from statistics import median
from typing import Any

from exporter.archive import Archive, _ahead
from exporter.archive._ahead import Capacity
from exporter.archive.catalog import Catalog, Known
from exporter.retention import DAY, QUARANTINE, RHYTHM, Policies, Rhythm, night

RUNS = 7
"The last runs that tell what a visit costs."
RATE = 5.0
"Requests per second, before any run was observed."
EACH, FIRST = 1.0, 3.0
"Requests of a visit that finds nothing new, and of a first one: its container, its messages, its runs."
ENOUGH = 20
"A run with fewer requests tells little about the rate."


@dataclass(frozen=True, slots=True)
class Tonight:
    """Whom a run that begins now visits; numbers of the catalog, in this order."""

    touched: array[int]
    "Somebody said that something happened in them."
    urgent: array[int]
    "Their deadline is near, the nearest first."
    new: array[int]
    "Never visited."
    likeliest: array[int]
    "As many of the others as make an even night, those first that are likeliest to have news."
    waiting: int
    "Threads that are due, but can wait for the nights to come."
    usual: float
    "Visits of a usual night."

    @property
    def numbers(self) -> Iterator[int]:
        """All of them, in the order in which they are visited."""
        return chain(self.touched, self.urgent, self.new, self.likeliest)

    @property
    def visits(self) -> int:
        """How many they are."""
        return len(self.touched) + len(self.urgent) + len(self.new) + len(self.likeliest)


def tonight(catalog: Catalog, at: datetime, rhythm: Rhythm = RHYTHM) -> Tonight:
    """Return whom a run that begins at a time visits, if no budget ends it early."""
    due = catalog.due(at, at + DAY + rhythm.margin)
    first = len(due.touched) + len(due.urgent) + len(due.new)
    likeliest = due.others[: max(0, night(due.usual) - first)]
    waiting = len(due.others) - len(likeliest)
    return Tonight(due.touched, due.urgent, due.new, likeliest, waiting, due.usual)


@dataclass(frozen=True, slots=True)
class Speed:
    """What the last runs tell about the next one."""

    each: float = EACH
    "Requests per visit."
    rate: float = RATE
    "Requests per second."
    runs: int = 0
    "How many runs that was learned from; with 0 it is a guess."

    def requests(self, chosen: Tonight, waiting: int = 0) -> int:
        """How many requests these visits take, and the first ones of threads that wait to be registered."""
        new = len(chosen.new) + waiting
        known = chosen.visits - len(chosen.new)
        return math.ceil(known * self.each + new * max(self.each, FIRST))


def observed(archive: Archive) -> Speed:
    """Return what the reports of the last runs tell."""
    runs = list(islice(filter(_told, archive.reports()), RUNS))
    each = [max(EACH, run["requests"] / run["visited"]) for run in runs]
    told = [(run["requests"], _seconds(run)) for run in runs if run["requests"] >= ENOUGH]
    asked, seconds = sum(count for count, _ in told), sum(lasted for _, lasted in told)
    return Speed(median(each) if each else EACH, asked / seconds if seconds > 0 else RATE, len(runs))


def _told(run: dict[str, Any]) -> bool:
    return run.get("command") == "backup" and bool(run.get("visited"))


def _seconds(run: dict[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(run[name]) for name in ("started_at", "finished_at"))
    return max(0.0, (ended - began).total_seconds())


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may use; None: as much as it needs."""

    max_requests: int | None = None
    max_duration: float | None = None
    "Seconds."
    rate: float | None = None
    "Requests per second, at most."

    def capacity(self, speed: Speed, ahead: int = 0) -> Capacity:
        """Return what a night can do within it, where so many visits come before all others."""
        rate = min(speed.rate, self.rate or math.inf)
        seconds = min(self.max_duration or math.inf, DAY.total_seconds())
        return Capacity(rate, min(self.max_requests or math.inf, seconds * rate), speed.each, ahead)


class TooLate:
    """Threads whose deadline, in the coming days, a job that takes the nearest first cannot keep; the soonest first."""

    def __init__(self, catalog: Catalog, at: datetime, days: float, able: Capacity) -> None:
        self._catalog = catalog
        self._query = _ahead.too_late(at, at + timedelta(days=days), able)

    def count(self) -> int:
        """How many they are."""
        return self._catalog.number(_ahead.count(self._query))

    def __iter__(self) -> Iterator[Known]:
        return _named(self._catalog, self._query)


@dataclass(frozen=True, slots=True)
class Night:
    """A day from now on, and what falls into it."""

    begins: datetime
    due: int
    "Visits that fall due."
    deadlines: int
    "Deadlines that end in it; in the first, those that have passed as well."


def nights(catalog: Catalog, at: datetime, count: int) -> list[Night]:
    """Return the coming days; what falls due because of visits yet to come is not in them."""
    due, ends = (dict(catalog.rows(question(at, count))) for question in (_ahead.nights, _ahead.deadlines))
    return [Night(at + day * DAY, due.get(day, 0), ends.get(day, 0)) for day in range(count)]


def at_risk(catalog: Catalog, at: datetime, days: float) -> Iterator[Known]:
    """Yield threads that may lose something within these days, the soonest first.

    That is: their deadline comes within that time, and the visit before it is late, was never made or fails; or the
    deadline comes within a day.
    """
    return _named(catalog, _ahead.at_risk(at, at + timedelta(days=days)))


def count_at_risk(catalog: Catalog, at: datetime, days: float) -> int:
    """Count the threads that `at_risk` names."""
    return catalog.number(_ahead.count(_ahead.at_risk(at, at + timedelta(days=days))))


def why(known: Known, policies: Policies, at: datetime) -> str:
    """Say why a thread is at risk, in one line."""
    policy = policies.of(known.profile, known.thread.source, known.thread.endpoint)
    passed = known.deadline_at is not None and datetime.fromisoformat(known.deadline_at) <= at
    if known.failures:
        state = f"its visits fail: {known.error or known.code or 'no reason is known'}"
    elif known.visited_at is None:
        state = "it was never visited"
    else:
        state = f"it was last visited on {known.visited_at[:10]}"
    return f"{'what was not fetched may be lost already; ' if passed else ''}{state}; {policy.why}"


def quarantined(catalog: Catalog) -> Iterator[Known]:
    """Yield threads that failed night after night, so that a person has to look; they are tried every 8 days."""
    return _named(catalog, _ahead.failing(QUARANTINE))


def count_quarantined(catalog: Catalog) -> int:
    """Count these."""
    return catalog.number(_ahead.count(_ahead.failing(QUARANTINE)))


def longest_unvisited(catalog: Catalog) -> Known | None:
    """Return the thread whose newest visit is the oldest, of those that are visited again and again."""
    return next(_named(catalog, _ahead.longest_unvisited()), None)


@dataclass(frozen=True, slots=True)
class Spread:
    """Days, of many threads."""

    p10: float
    median: float
    p90: float


@dataclass(frozen=True, slots=True)
class Learned:
    """How long one server kept threads of one source after their last activity, as far as they were found gone."""

    source: str
    endpoint: str
    count: int
    "Threads that were found gone, and whose last activity is known."
    alive: Spread | None
    "Days from the last activity to the last visit that found the thread: so long it was kept at least."
    gone: Spread
    "Days from the last activity to the first visit that did not: so long it was kept at most."


def learned(catalog: Catalog) -> list[Learned]:
    """Return what disappearances tell, for each source and endpoint that had any; deletions by hand are among them."""
    found = []
    for (source, endpoint), rows in groupby(catalog.rows(_ahead.lifetimes()), key=lambda row: (row[0], row[1])):
        alive, gone = array("d"), array("d")
        for _, _, seen, missed in rows:
            gone.append(missed)
            if seen is not None:
                alive.append(max(seen, 0.0))
        found.append(Learned(source, endpoint, len(gone), _spread(alive) if alive else None, _spread(gone)))
    return found


def _spread(days: array[float]) -> Spread:
    ordered = sorted(days)
    last = len(ordered) - 1
    return Spread(*(round(ordered[round(last * share)], 2) for share in (0.1, 0.5, 0.9)))


def _named(catalog: Catalog, query: _ahead.Numbers) -> Iterator[Known]:
    return catalog.numbered(int(row[0]) for row in catalog.rows(query))
