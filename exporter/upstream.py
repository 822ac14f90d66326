"""Delete threads on their servers, after the archive has proved that it holds all of them.

The idea: nothing is deleted that was not just read from its beginning, archived, read back from the disk, and then
asked for once more. Each thread is deleted by one request, and noted as gone by us before the next one is.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from exporter.archive import Archive, hashed
from exporter.archive._lines import stamp
from exporter.archive._proof import Proof, proof
from exporter.archive.catalog import Known, digest
from exporter.crawl import Options, Stop, work_out
from exporter.crawl._agenda import Agenda
from exporter.crawl._ahead import Ahead
from exporter.crawl._crawl import Crawl, Listeners
from exporter.crawl._file_records import lacking
from exporter.crawl._sources import Door, Doors
from exporter.crawl._visit import visit_page
from exporter.errors import (
    ArchiveError,
    BadAnswer,
    BudgetReached,
    Damaged,
    ExporterError,
    NotFound,
    SourceError,
    Temporary,
    ThreadError,
    UsageError,
)
from exporter.model import BY_US, Gap, Outcome, Page, Profile, ThreadRef, now, printable
from exporter.retention import Policies
from exporter.sources import AGAIN, Answer, Deletable, Source, load
from exporter.tables import publish
from exporter.tables._content import signature

TRIES = 2
"Requests to delete one thread, where the first one got no clear answer and the thread is there still."
ANSWER = 2000
"Characters of the server's answer that are kept."

End = Literal["deleted", "gone", "refused"]
Said = tuple[int | None, str]
"The status of an answer, None where none came, and its words."


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of one thread on its server."""

    thread: ThreadRef
    end: End
    "`gone`: the server had it no more already, and nothing was deleted."
    why: str = ""
    "Of one that was refused, in a sentence."
    receipt: Mapping[str, Any] = field(default_factory=dict)
    "Of one that was deleted: what the archive keeps of that."


@dataclass(slots=True)
class Deleted:
    """What came of it all."""

    ended: list[Ended] = field(default_factory=list)
    requests: int = 0
    stopped: ExporterError | None = None
    "Why it ended early."
    closed: list[SourceError] = field(default_factory=list)
    "Why whole sources were not read."
    told: list[str] = field(default_factory=list)
    "What is said of those, and how many threads were left out."
    damaged: bool = False

    def count(self, end: End) -> int:
        """How many threads ended so."""
        return sum(one.end == end for one in self.ended)

    @property
    def exit_code(self) -> int:
        """Damage counts most, then what ended it early, or kept it from all; 3 where a thread was refused."""
        if self.damaged:
            return Damaged.exit_code
        if self.stopped is not None:
            return self.stopped.exit_code
        if self.closed and not self.count("deleted"):
            return self.closed[0].exit_code
        return 3 if self.count("refused") else 0


class Refused(Exception):
    """A thread is not deleted, or nobody knows whether it is; the reason is a sentence."""


def delete_upstream(
    archive: Archive,
    profiles: Mapping[str, Profile],
    threads: Sequence[ThreadRef],
    options: Options,
    *,
    policies: Policies,
    reference: str | None = None,
    without_files: bool = False,
    on_page: Callable[[Page], None] = lambda _: None,
    on_ended: Callable[[Ended], None] = lambda _: None,
    stop: Stop | None = None,
) -> Deleted:
    """Archive all of these threads, then delete those on their servers of which everything is archived.

    The archive is open for writing and keeps everything. `options` have to say `full`. `without_files` also deletes
    threads whose files could not be had. `on_ended` hears of each thread when what became of it is archived. Raises
    `ArchiveError` where the archive cannot be written.
    """
    assert options.full
    done, stop = Deleted(), stop or Stop()
    archive.seal()
    work_out(archive, policies)
    doors = Doors(profiles, options)
    upstream = _Upstream(archive, doors, done, reference, on_ended, without_files=without_files)

    async def run() -> None:
        try:
            await upstream.run(threads, options, policies, on_page, stop)
        finally:
            done.requests = doors.requests
            await doors.aclose()

    try:
        asyncio.run(run())
    finally:
        stop.bind(None)
        archive.seal()
    newest = archive.manifest()
    try:
        publish(archive, int(archive.catalog.fact("published") or 0))
        archive.note_published(newest)
    except ArchiveError as error:  # what was deleted has to be told all the same
        done.stopped = done.stopped or error
    return done


class _Upstream:
    """Some threads on their way out of their servers."""

    def __init__(
        self,
        archive: Archive,
        doors: Doors,
        done: Deleted,
        reference: str | None,
        on_ended: Callable[[Ended], None],
        *,
        without_files: bool,
    ) -> None:
        self._archive, self._doors, self._done = archive, doors, done
        self._reference, self._on_ended, self._without_files = reference, on_ended, without_files
        self._visits: dict[ThreadRef, Outcome] = {}

    async def run(
        self,
        threads: Sequence[ThreadRef],
        options: Options,
        policies: Policies,
        on_page: Callable[[Page], None],
        stop: Stop,
    ) -> None:
        """Visit them all, then delete them one after the other."""
        found = {thread: self._archive.catalog.find(thread) for thread in threads}
        known = [one for one in found.values() if one is not None]
        for thread in (thread for thread, one in found.items() if one is None):
            self._end(
                Ended(thread, "refused", f"{thread}: it was never archived, so it is not deleted; back it up first")
            )
        crawl = await self._visit([one for one in known if one.state != "gone"], options, policies, on_page, stop)
        stop.bind(lambda: None)  # from here on it ends between two threads
        for error, words in zip(crawl.tally.stopped, crawl.tally.told, strict=True):
            if isinstance(error, SourceError):
                self._done.closed.append(error)
                self._done.told.append(words)
            else:
                self._done.stopped = error
        for one in known:
            if stop.exit_code is not None:
                self._done.stopped = stop.error()
            if self._done.stopped is not None:
                return
            try:
                await self._one(one)
            except BudgetReached as error:
                self._done.stopped = error

    async def _visit(
        self,
        known: Sequence[Known],
        options: Options,
        policies: Policies,
        on_page: Callable[[Page], None],
        stop: Stop,
    ) -> Crawl:
        """Walk the threads from their beginning, as a backup does, and seal what came."""

        def note(outcome: Outcome) -> None:
            self._visits[outcome.thread] = outcome

        ahead = Ahead(self._archive.catalog, iter(known))
        listeners = Listeners(on_page, note, lambda _: None)
        agenda = Agenda(iter(ahead), everything=False)
        crawl = Crawl(self._archive, self._doors, options, agenda, listeners, ahead=ahead, policies=policies)
        await crawl.run(stop)
        self._archive.seal()
        crawl.timetable.finish()
        return crawl

    async def _one(self, before: Known) -> None:
        """Delete one thread, if all of it is archived; note what became of it."""
        thread = before.thread
        known = self._archive.catalog.find(thread) or before
        if known.state == "gone":
            self._end(Ended(thread, "gone"))
            return
        try:
            door = self._door(known)
            source = self._source(door, thread)
            if not self._without_files:
                self._with_files(thread)
            kept = self._proved(thread)
            await self._look(known, source, kept)
            status, words = await self._delete(known, source)
        except Refused as error:
            self._end(Ended(thread, "refused", str(error)))
        except SourceError as error:
            door.close(error)
            self._end(Ended(thread, "refused", f"{thread}: not deleted: {error}"))
        except (ThreadError, UsageError) as error:
            self._end(Ended(thread, "refused", f"{error}; nothing was deleted"))
        else:
            self._note(known, door, kept, status, words)

    def _door(self, known: Known) -> Door:
        """Return the door through which it was read; `Refused` where not all of it could be."""
        thread, visit = known.thread, self._visits.get(known.thread)
        if visit is None:
            raise Refused(f"{thread}: it was not read again, so it is not deleted; see why its source stopped")
        if visit.state != "complete":
            raise Refused(f"{thread}: not all of it is archived, so it is not deleted: {visit.error or visit.state}")
        door = self._doors.to(known)[0]
        if door.closed is not None:
            raise Refused(f"{thread}: not deleted: {door.closed}")
        return door

    def _source(self, door: Door, thread: ThreadRef) -> Source:
        """Return the source; `Refused` where it cannot delete."""
        source = self._doors.source(door)
        if not isinstance(source, Deletable):
            raise Refused(f"{thread}: exporter knows of no way to delete threads of {thread.source}")
        return source

    def _with_files(self, thread: ThreadRef) -> None:
        """`Refused` where a file is not had whole that would go with the thread, whatever the reason."""
        lost = lacking(self._archive.records(thread, "file"))
        if not lost:
            return
        ref, why = lost[0]
        others = f" and {len(lost) - 1:,} more" if len(lost) > 1 else ""
        what = f"the content of {ref.type.replace('_', ' ')} {printable(ref.id[:100])}{others}"
        raise Refused(
            f"{thread}: not deleted, as {what} is not archived whole and would be lost with it: {why}. "
            "Run again once its server gives it, or say --without-files to lose it"
        )

    def _proved(self, thread: ThreadRef) -> Proof:
        """Read back what the archive holds; `Refused` where it is damaged."""
        try:
            return proof(self._archive, thread)
        except Damaged as error:
            self._done.damaged = True
            raise Refused(f"{thread}: what is archived of it is damaged, so it is not deleted: {error}") from None

    async def _look(self, known: Known, source: Source, kept: Proof) -> None:
        """Ask for the thread and for the ends of its lists once more; `Refused` where anything is not archived."""
        thread = known.thread
        after = self._archive.catalog.positions(thread) if known.code is None else AGAIN
        lasting: set[bytes] | None = None
        async for body in _bodies(source.pages(thread, after), thread):
            if digest(body) in kept.bodies:
                continue
            lasting = lasting or self._lasting(thread)
            if signature(body) not in lasting:
                raise Refused(f"{thread}: something came after it was read, so it is not deleted; run again")

    def _lasting(self, thread: ThreadRef) -> set[bytes]:
        """Return what is archived without what comes out anew at every request, such as signatures of URLs."""
        kinds = self._archive.catalog.kinds_of(thread)
        return {signature(record.body) for kind in kinds for record in self._archive.records(thread, kind)}

    async def _delete(self, known: Known, source: Source) -> Said:
        """Delete it; after an unclear answer the server is asked whether it is there, before anything is sent again."""
        assert isinstance(source, Deletable)
        thread, last = known.thread, ""
        for _ in range(TRIES):
            try:
                return _said(await source.delete(thread))
            except (NotFound, Temporary, BadAnswer) as error:
                last = str(error)
            if not await _is_there(thread, source):
                return None, f"{last}; asked again, the server names it and has none"
        raise Refused(f"{last}; it is there still")

    def _note(self, known: Known, door: Door, kept: Proof, status: int | None, words: str) -> None:
        """Write down that it is gone, and by whom, before anything else is deleted."""
        thread = known.thread
        receipt = {
            "command": "erase --upstream",
            "asked": f"DELETE {load(thread.source).path}/{thread.id}",
            "profile": door.profile,
            "at": stamp(now()),
            "status": status,
            "answer": words[:ANSWER],
            "reference": self._reference,
            "archive_sha256": kept.sha256,
            "records": kept.records,
            "messages": kept.messages,
            "files": kept.files,
        }
        message = f"{thread}: deleted on its server by `exporter erase --upstream`; the archive keeps it"
        outcome = Outcome(thread, 0, "gone", message, BY_US)
        self._archive.append([visit_page(outcome, {"upstream": receipt})])
        self._end(Ended(thread, "deleted", receipt=receipt))

    def _end(self, ended: Ended) -> None:
        self._done.ended.append(ended)
        self._on_ended(ended)


async def _bodies(events: AsyncIterator[object], thread: ThreadRef) -> AsyncIterator[bytes]:
    """Yield the objects of a walk; `Refused` where it cannot be ended. Files are had before, or told as a gap."""
    async for event in events:
        if isinstance(event, Page):
            for item in event.items if event.kind != "file" else ():
                yield item.body
        elif isinstance(event, Gap):
            raise Refused(f"{thread}: it could not be asked for once more, so it is not deleted: {event.detail}")


async def _is_there(thread: ThreadRef, source: Source) -> bool:
    """Ask whether a thread is there; `Refused` where that cannot be told."""
    try:
        async for _ in source.pages(thread, {}):
            return True
    except NotFound:
        return False
    except (ThreadError, SourceError, BudgetReached) as error:
        raise Refused(
            f"{thread}: whether it was deleted is not known, as the server cannot be asked: {error}. "
            "The next backup, or the same command, finds out"
        ) from None
    return True


def _said(answer: Answer) -> Said:
    return answer.status, answer.body.decode("utf-8", "replace")


def told(archive: Archive, done: Deleted) -> list[dict[str, Any]]:
    """Return what a receipt may say of threads that are erased in the archive too: nothing names them."""
    return [
        {
            "thread": hashed(archive.id, one.thread.source, one.thread.endpoint, one.thread.id),
            "at": one.receipt["at"],
            "status": one.receipt["status"],
            "answer_sha256": hashlib.sha256(one.receipt["answer"].encode()).hexdigest(),
            "archive_sha256": one.receipt["archive_sha256"],
        }
        for one in done.ended
        if one.end == "deleted"
    ]
