"""Workers walk threads, one writer commits pages, and each thread gets one outcome."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice

from exporter.archive import Archive
from exporter.archive.catalog import Known
from exporter.crawl._activity import lifetime
from exporter.crawl._agenda import Agenda
from exporter.crawl._ahead import Ahead
from exporter.crawl._collecting import rarely_collecting
from exporter.crawl._files import Files
from exporter.crawl._gone import Missing, judge, saw
from exporter.crawl._links import Links
from exporter.crawl._options import Options
from exporter.crawl._report import Tally
from exporter.crawl._sources import Door, Doors
from exporter.crawl._stop import Stop
from exporter.crawl._timetable import Timetable
from exporter.crawl._visit import Visit, failed, visit_page
from exporter.crawl._writer import Writer
from exporter.errors import BudgetReached, NotFound, SourceError, SourceGone, ThreadError, UsageError
from exporter.model import Outcome, Page, Registration, ThreadRef, now
from exporter.retention import Policies
from exporter.sources._files import FileDesk

NO_POLICIES = Policies()
"What is known of each source, and nothing that a user knows better."


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who hears of what happens, while it happens."""

    on_page: Callable[[Page], None]
    on_outcome: Callable[[Outcome], None]
    on_link: Callable[[Registration], None]


EACH = 8
"Requests of a small budget for each worker: were all under way when it ends, no visit would come to its end, ever."
WITNESSES = 3
"Threads that are visited although they are not due, where one vanished and nothing else of its source was read."


class Crawl:
    """One crawl, from its first request to its last page."""

    def __init__(
        self,
        archive: Archive,
        doors: Doors,
        options: Options,
        agenda: Agenda,
        listeners: Listeners,
        *,
        ahead: Ahead,
        named: Collection[ThreadRef] = (),
        policies: Policies = NO_POLICIES,
    ) -> None:
        self._archive = archive
        self._doors = doors
        self._options = options
        self._agenda = agenda
        self._ahead = ahead
        self._named = frozenset(named)
        self._on_outcome = listeners.on_outcome
        self._writer = Writer(archive.append, listeners.on_page)
        self._missing: defaultdict[Door, list[Missing]] = defaultdict(list)
        self._files: dict[str, Files] = {}
        self.links = Links(archive.catalog, agenda, listeners.on_link, archive.erased)
        self.timetable = Timetable(archive.catalog, policies)
        self.tally = Tally()

    async def run(self, stop: Stop) -> None:
        """Visit what is on the agenda; returns when all that was fetched is archived. Raises `ArchiveError` only."""
        writing = asyncio.create_task(self._writer.run())
        workers = [asyncio.create_task(self._work()) for _ in range(_jobs(self._options))]
        try:
            with rarely_collecting():
                await self._wait(workers, stop)
            await self._judge()
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            self._writer.close()
            await writing
            self.timetable.flush()
        self._writer.check()
        for door, error in self._doors.closed():
            self.tally.close(door.name, error, door.left_out, door.profile if self._doors.several else None)

    async def _wait(self, workers: Sequence[asyncio.Task[None]], stop: Stop) -> None:
        loop, everything = asyncio.get_running_loop(), asyncio.gather(*workers)
        stop.bind(lambda: loop.call_soon_threadsafe(everything.cancel))
        try:
            async with asyncio.timeout(self._options.max_duration):
                await everything
        except TimeoutError:
            message = f"--max-duration of {self._options.max_duration:g} s is used up; run again to go on"
            self.tally.stop(BudgetReached(message))
        except asyncio.CancelledError:
            if stop.exit_code is None:
                raise
            self.tally.stop(stop.error())
        except BudgetReached as reached:
            self.tally.stop(reached)
        finally:
            stop.bind(lambda: None)

    async def _work(self) -> None:
        while (known := await self._agenda.take()) is not None:
            try:
                await self._visit(known)
            finally:
                self._agenda.done()

    async def _visit(self, known: Known) -> None:
        """Walk one thread through the first profile that sees it."""
        try:
            doors = self._doors.to(known)
        except ThreadError as error:
            await self._end(known, failed(known.thread, error))
            return
        own, told = doors[0], list[Missing]()
        for door in doors:
            if door.closed is None and await self._through(door, known, told):
                return
            if door.closed and not door.barred:
                break
        if own.closed:
            own.left_out += 1
            await asyncio.sleep(0)  # a signal has to be heard while all threads of a closed door pass by
        else:
            self._missing[own].append(told[0])

    async def _through(self, door: Door, known: Known, told: list[Missing]) -> bool:
        """Walk one thread as one profile sees it; False where another may be asked, as this one has told nothing."""
        door.seen += saw(door.profile, known) and known.state != "gone"
        sweep = self.timetable.sweeps(known, now())
        positions = self._ahead.positions(known.thread)
        options = self._options_for(known)
        visit = Visit(known, door.profile, self._archive, options, self.links, positions=positions, sweep=sweep)
        try:
            async for page in visit.pages(self._doors.source(door), self._files_of(door)):
                await self._writer.put(page)
            outcome = visit.outcome()
        except NotFound as error:
            missing = Missing(known, str(error), door.profile)
            final = visit.wrote or missing.seen
            (self._missing[door] if final else told).append(missing)
            return final
        except SourceError as error:
            door.close(error)
            door.left_out += visit.wrote
            return visit.wrote
        except (ThreadError, UsageError) as error:
            outcome = visit.failed(error)
        await self._end(known, outcome, visit)
        door.fared(outcome, proves=saw(door.profile, known) or known.thread in self._named)
        if outcome.state != "failed":
            self.links.prove(visit.points_to, door.profile)
        return True

    def _options_for(self, known: Known) -> Options:
        """Return how to visit a thread: where some were named, `full` is about those, not about what is due besides."""
        if self._options.full and self._named and known.thread not in self._named and not self._agenda.everything:
            return replace(self._options, full=False)
        return self._options

    def _files_of(self, door: Door) -> Files | None:
        """The files of a door's server, the same for all its sources; None where they are left out."""
        if not self._options.files:
            return None
        if door.profile not in self._files:
            desk = FileDesk(self._doors.transport(door.profile), self._options.max_file_bytes)
            self._files[door.profile] = Files(self._archive, desk, self.tally.kept)
        return self._files[door.profile]

    async def _end(self, known: Known, outcome: Outcome, visit: Visit | None = None) -> None:
        """Write down how a visit ended, if that is news; its pages are archived before anybody hears of it."""
        if outcome.records or outcome.state != known.state or outcome.code != known.code:
            lived = lifetime(self._archive, known) if outcome.state == "gone" else {}
            await self._writer.put(visit_page(outcome, lived))
        self._writer.then(partial(self._ended, known, outcome, visit, now()))

    def _ended(self, known: Known, outcome: Outcome, visit: Visit | None, at: datetime) -> None:
        self.timetable.visited(known, visit, outcome, at)
        self.tally.add(outcome)
        self._on_outcome(outcome)

    async def _judge(self) -> None:
        """Decide about the threads that were not found, now that we know what else could be read."""
        await self._witness()
        for door, missing in self._missing.items():
            told = [self._with_evidence(one, door) for one in missing]
            try:
                for known, outcome in judge(told, door.seen, accept=self._options.accept_gone):
                    await self._end(known, outcome)
            except SourceGone as error:
                self.tally.stop(error)

    async def _witness(self) -> None:
        """Where nothing else of a source was due, visit a few threads more: gone is told apart from a wrong key."""
        for door, missing in list(self._missing.items()):
            vanished = {one.known.thread for one in missing if one.vanished}
            if not vanished:
                continue
            found = self._archive.catalog.liveliest(door.name, door.profile, WITNESSES + len(vanished))
            for known in islice((one for one in found if one.thread not in vanished), WITNESSES):
                if self.tally.stopped or door.closed or door.reads:
                    break
                with suppress(BudgetReached):  # then it stays open until the next run
                    await self._visit(known)

    def _with_evidence(self, missing: Missing, door: Door) -> Missing:
        known = missing.known
        pointed = self.links.pointed(known.thread)
        return replace(
            missing,
            witnessed=door.reads or pointed == door.profile,
            linked=known.via is not None or pointed is not None,
        )


def _jobs(options: Options) -> int:
    """Return how many threads are walked at once."""
    return min(options.jobs, max(1, options.max_requests // EACH)) if options.max_requests else options.jobs
