"""Threads and sources in, archive out: workers walk threads, one writer commits pages, one outcome per thread.

A failed thread never stops the others; a failed source stops itself; a full disk, a budget or Ctrl-C stop the run
with everything fetched so far committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from exporter.archive import Archive
from exporter.archive.catalog import Known
from exporter.crawl._gone import Missing, judge
from exporter.crawl._options import Options
from exporter.crawl._report import Report, Tally
from exporter.crawl._sources import Door, Doors
from exporter.crawl._stop import Stop
from exporter.crawl._visit import Visit, failed, visit_page
from exporter.crawl._writer import Writer
from exporter.errors import (
    BudgetReached,
    Damaged,
    NotFound,
    SourceError,
    Temporary,
    ThreadError,
    UsageError,
)
from exporter.model import Outcome, Page, Profile, ThreadRef, now

HINTS = 1000
"Visits without news that are noted in the catalog together."


def plan(archive: Archive, only: Sequence[ThreadRef] | None = None, *, full: bool = False) -> Iterator[Known]:
    """Name the threads a run would visit, in the order they were registered; those gone only on a full walk."""
    known = archive.catalog.known() if only is None else map(archive.catalog.find, only)
    return (one for one in known if one and (full or one.state != "gone"))


class Crawl:
    """One crawl, from its first request to its last page."""

    def __init__(
        self,
        archive: Archive,
        doors: Doors,
        options: Options,
        on_page: Callable[[Page], None],
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        self._archive = archive
        self._doors = doors
        self._options = options
        self._on_outcome = on_outcome
        self._writer = Writer(archive.append, on_page)
        self._missing: list[Missing] = []
        self._seen = 0
        self._idle: dict[ThreadRef, datetime] = {}
        self.tally = Tally()

    async def run(self, threads: Iterator[Known], stop: Stop) -> None:
        """Visit the threads; returns when all that was fetched is archived. Raises `ArchiveError` only."""
        writing = asyncio.create_task(self._writer.run())
        workers = [asyncio.create_task(self._work(threads)) for _ in range(self._options.jobs)]
        try:
            await self._wait(workers, stop)
            await self._judge()
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            await self._writer.close()
            await writing
            self._note_idle(at_least=1)

    async def _wait(self, workers: Sequence[asyncio.Task[None]], stop: Stop) -> None:
        loop, everything = asyncio.get_running_loop(), asyncio.gather(*workers)
        stop.bind(lambda: loop.call_soon_threadsafe(everything.cancel))
        try:
            async with asyncio.timeout(self._options.max_duration):
                await everything
        except TimeoutError:
            message = f"--max-duration of {self._options.max_duration:g} s is used up; run again to go on"
            self.tally.stopped.append(BudgetReached(message))
        except asyncio.CancelledError:
            if stop.exit_code is None:
                raise
            self.tally.stopped.append(stop.error())
        except BudgetReached as reached:
            self.tally.stopped.append(reached)
        finally:
            stop.bind(lambda: None)

    async def _work(self, threads: Iterator[Known]) -> None:
        for known in threads:
            try:
                door = self._doors.of(known)
            except ThreadError as error:
                await self._end(known, failed(known.thread, error))
                continue
            if door.closed:
                continue
            try:
                await self._visit(known, door)
            except SourceError as error:
                if door.close(error):
                    self.tally.stopped.append(error)

    async def _visit(self, known: Known, door: Door) -> None:
        """Walk one thread; an error of its whole source is raised."""
        self._seen += known.seen_at is not None and known.state != "gone"
        visit = Visit(known, self._options, self._archive)
        try:
            async for page in visit.pages(self._doors.source(door)):
                await self._writer.put(page)
            outcome = visit.outcome()
        except NotFound as error:
            self._missing.append(Missing(known, str(error)))
            return
        except (ThreadError, UsageError) as error:
            outcome = visit.failed(error)
        await self._end(known, outcome)
        door.fared(well=outcome.code != Temporary.code)

    async def _end(self, known: Known, outcome: Outcome) -> None:
        """Write down how a visit ended, if that is news; its pages are archived before anybody hears of it."""
        if outcome.records or outcome.state != known.state or outcome.code != known.code:
            await self._writer.put(visit_page(outcome))
            await self._writer.flush()
        else:
            self._idle[known.thread] = now()
            self._note_idle(at_least=HINTS)
        self.tally.add(outcome)
        self._on_outcome(outcome)

    async def _judge(self) -> None:
        """Decide about the threads that were not found, now that we know what else could be read."""
        missing = [replace(one, witnessed=self._doors.of(one.known).reads) for one in self._missing]
        try:
            for one, outcome in zip(missing, judge(missing, self._seen, accept=self._options.accept_gone), strict=True):
                await self._end(one.known, outcome)
        except SourceError as error:
            self.tally.stopped.append(error)

    def _note_idle(self, at_least: int) -> None:
        if len(self._idle) >= at_least:
            self._archive.catalog.note_visited(self._idle)
            self._idle = {}


def backup(
    archive: Archive,
    profiles: Mapping[str, Profile],
    options: Options,
    *,
    only: Sequence[ThreadRef] | None = None,
    on_page: Callable[[Page], None] = lambda _: None,
    on_outcome: Callable[[Outcome], None] = lambda _: None,
    stop: Stop | None = None,
) -> Report:
    """Visit threads, commit what they hold, publish the tables, verify what was written.

    Visits every registered thread, or `only` these. Returns the run's report, which its manifest holds too.
    Raises `ArchiveError` where the archive cannot be written or a committed file is missing, and `Interrupted` where
    the tables were interrupted; what was archived stays so in each case.
    """
    started_at, stop = now(), stop or Stop()
    doors = Doors(profiles, options)
    crawl = Crawl(archive, doors, options, on_page, on_outcome)

    async def run() -> None:
        try:
            await crawl.run(plan(archive, only, full=options.full), stop)
        finally:
            await doors.aclose()

    asyncio.run(run())
    stop.bind(None)
    report = _report(archive, crawl.tally, started_at, doors.requests)
    archive.seal(report.to_json())
    if stop.exit_code is not None:
        return report
    return replace(report, files=_publish(archive))


def _report(archive: Archive, tally: Tally, started_at: datetime, requests: int) -> Report:
    archive.seal()  # the counts below are the catalog's, which knows what is sealed
    states = archive.catalog.count()
    return Report(
        command="backup",
        run=archive.run,
        started_at=started_at,
        finished_at=now(),
        exit_code=tally.exit_code(),
        registered=sum(states.values()),
        complete=states.get("complete", 0),
        partial=states.get("partial", 0),
        gone=states.get("gone", 0),
        failed=states.get("failed", 0),
        never_visited=states.get("new", 0),
        visited=tally.visited,
        requests=requests,
        records=tally.records,
        errors=tuple(tally.errors),
        stopped=tuple(str(error) for error in tally.stopped),
    )


def _publish(archive: Archive) -> int:
    """Bring the tables up to date; return how many files changed."""
    from exporter.tables import publish

    for name in archive.missing():
        raise Damaged(f"{archive.path / name}: it is missing; this run's pages are archived. See `exporter check`")
    since = int(archive.catalog.fact("published") or 0)
    newest = archive.manifest()
    published = publish(archive, since)
    archive.catalog.note_fact("published", str(newest))
    return published.files


__all__ = ["Crawl", "Options", "Report", "Stop", "backup", "plan"]
