"""One visit of one thread: from its cursors to its end.

What a source yields passes through `Visit.pages` and comes out as pages to commit, in the order in which they must
reach the disk: what may be forgotten first is written first, so that no cursor ever passes what was not fetched.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from exporter.archive import Archive
from exporter.archive.catalog import Known, digest, owner_of
from exporter.crawl._activity import activity
from exporter.crawl._files import LIST, Files, VisitFiles
from exporter.crawl._links import Links
from exporter.crawl._options import Options
from exporter.crawl._overlap import Overlap
from exporter.crawl._sweep import OBJECTS, Sweep
from exporter.errors import ExporterError, UsageError
from exporter.model import Gap, Item, Link, Outcome, Page, Position, Positions, Registration, ThreadRef, now, scrubbed
from exporter.owner import following
from exporter.registry import registration_page
from exporter.retention import elapsed
from exporter.sources import AGAIN, Container, Event, Source

OURS = frozenset({"registration", "visit"})
"Kinds of records that no server sent."

SLOWLY = timedelta(days=7)
"""How long, at most, only the messages of a thread that rests are asked for; one that is new makes the thread itself
and its runs asked for at once."""

NOTHING_MORE: Mapping[str, Any] = {}

EMPTIED = "list_emptied"
UNRESUMABLE = frozenset(
    {"cursor_by_second", "cursor_repeated", "cursor_restarted", "descending", "duplicate_ids", EMPTIED, "order_ignored"}
)
"Oddities of a server after which a cursor proves nothing: the next visit walks from the beginning."


class Visit:
    """One crawl of one thread as one profile sees it: its pages, and how it ended."""

    def __init__(
        self,
        known: Known,
        profile: str,
        archive: Archive,
        options: Options,
        links: Links,
        *,
        positions: Positions,
        sweep: bool = False,
    ) -> None:
        self._known = known
        self._profile = profile
        self._archive = archive
        self._links = links
        self._positions = positions
        self._full = options.full or sweep
        self._found = known.state == "new" and set(self._positions) == {"thread"}
        "Whether a list of threads brought its object, and nobody was here before."
        self._after: Mapping[str, Position] = self._positions
        if self._full or known.code in UNRESUMABLE:
            self._after = AGAIN
        self._entry = owner_of(known)
        "What the registry says of it."
        self._gaps: list[Gap] = []
        self._notes: dict[str, None] = {}
        self._files: VisitFiles | None = None
        self._refused_too = options.full
        "Whether to ask again for files that were refused."
        self._sweep: Sweep | None = None
        self._again: set[str] = set()
        "Lists that the archive holds and that are walked from their beginning."
        self._overlaps: dict[str, Overlap] = {}
        "Of each list whose walk was cut off, what the archive holds from there on."
        self._open: dict[str, bool] = {}
        "Of each list that brought something, whether it has to be asked again before what it brought."
        self.active: datetime | None = None
        "The newest activity that it saw."
        self.asked = False
        "Whether it read the thread's own object, or came first after a list of threads was read that held it."
        self.points_to: list[ThreadRef] = []
        "Threads never seen that objects of this one point to."
        self.records = 0
        "Objects of the server that were yielded."
        self.wrote = False
        "Whether anything was yielded: then no other profile may begin again."

    async def pages(self, source: Source, files: Files | None = None) -> AsyncIterator[Page]:
        """The pages that are news, in the order in which they have to reach the disk; with the files they point to."""
        container = self._begin(files)
        async for got in source.pages(self._known.thread, self._after, container=container):
            if isinstance(got, Page) and self._files is not None and self._files.concerns(got):
                async for page in self._files.before(got):
                    yield self._counted(page)
            for page in self._brought(got):
                yield self._counted(page)
        if self._sweep is not None or (self._files is not None and self._files.left):
            async for page in self._late():
                yield self._counted(page)

    def _begin(self, files: Files | None) -> Container | None:
        """Look where to begin; return what reads the thread's own object, where that need not be asked for."""
        container = self._container()
        if files is not None:
            position, unread = self._positions.get(LIST), container if self._found else None
            self._files = VisitFiles(files, self._known.thread, position, unread, full=self._refused_too)
            if self._files.aged():
                self._after, container = AGAIN, None
        self.asked = self._found and container is not None
        return container

    def _brought(self, got: Event) -> Iterator[Page]:
        """What is to be written of what the source brings: whose it is, where it leads, what is news."""
        if isinstance(got, Gap):
            self.gap(got)
            return
        if (entry := self._owned(got)) != self._entry:
            self._entry = entry
            yield registration_page(entry)
        yield from self._follow(got) if isinstance(got, Link) else self._news(got)

    def _owned(self, got: Page | Link) -> Registration:
        """What the registry is to say of the thread: the profile that reads it, and whose its own object says it is."""
        entry = replace(self._entry, profile=self._profile)
        if isinstance(got, Link) or got.kind != "thread" or not got.items:
            return entry
        return following(entry, got.items[0].body, self._archived_object)

    def _counted(self, page: Page) -> Page:
        self.wrote = True
        self.records += len(page.items) if page.kind not in OURS else 0
        return page

    @property
    def open(self) -> bool:
        """Whether something of the thread is unfinished, so that the next visit has to look at everything again."""
        return any(self._open.values()) or bool(self._gaps)

    @property
    def swept(self) -> bool:
        """Whether it walked the thread from its beginning."""
        return self._found or not self._after

    async def _late(self) -> AsyncIterator[Page]:
        """What can be said only when all was seen: files that are to be tried again, objects that are not there."""
        async for late in self._files.after() if self._files is not None else _nothing():
            if isinstance(late, Gap):
                self.gap(late)
            else:
                yield late
        if self._sweep is not None and not self.odd:
            self._doubt(self._sweep)
            for page in self._sweep.deletions({gap.list for gap in self._gaps}):
                yield page

    def _doubt(self, sweep: Sweep) -> None:
        """Believe that all or most of a list was deleted where two walks found that, one after the other."""
        thread = self._known.thread
        for name, missing, count in sweep.emptied() if self._known.code != EMPTIED else ():
            what = f"{missing:,} of the {count:,} archived objects of {name} are not there any more"
            self.gap(Gap(thread, name, None, EMPTIED, f"{thread}: {what}; the next backup looks again"))

    def gap(self, gap: Gap) -> None:
        """Note that something is known to be missing."""
        self._gaps.append(replace(gap, detail=scrubbed(gap.detail)))  # a server may repeat what it was asked with

    def outcome(self) -> Outcome:
        """How the visit ended."""
        thread, notes = self._known.thread, tuple(self._notes)
        if not self._gaps:
            return Outcome(thread, self.records, "complete", code=self.odd, notes=notes)
        first = next((gap for gap in self._gaps if gap.code in UNRESUMABLE), self._gaps[0])
        return Outcome(thread, self.records, "partial", first.detail, first.code, tuple(self._gaps), notes)

    @property
    def odd(self) -> str | None:
        """The oddity of the server after which a cursor proves nothing."""
        return next((note for note in self._notes if note in UNRESUMABLE), None)

    def failed(self, error: ExporterError) -> Outcome:
        """How the visit ended that this error ended."""
        return replace(failed(self._known.thread, error), records=self.records)

    def _follow(self, link: Link) -> Iterator[Page]:
        try:
            yield from self._links.follow(link, self._known, self._profile, self.points_to)
        except UsageError as error:
            detail = f"{link.thread}: it points to a thread of {link.to.source} that cannot be asked for: {error}"
            self.gap(Gap(link.thread, "links", None, "bad_link", detail))

    def _news(self, page: Page) -> Iterator[Page]:
        """What a page of the source brings that the archive lacks."""
        self._notes.update(dict.fromkeys(page.notes))
        if page.kind == "file":
            return
        if page.kind == "thread":
            self.asked = True
            self._open[page.list] = page.position.seq < page.seq + len(page.items)
            if page.items and digest(page.items[0].body) == self._known.body:
                return
        else:
            self._open[page.list] = page.position.seq < page.seq + len(page.items)
        if page.kind in OBJECTS:
            if self._from_the_beginning(page):
                yield from self._changed(page)
                return
            page = self._behind_the_cut(page)
        self._note_activity(page)
        # A list walked before may bring what the archive has, whatever the server says: the tables fold it.
        yield replace(page, fresh=False) if page.fresh and page.list in self._positions else page

    def _from_the_beginning(self, page: Page) -> bool:
        """Whether a list that the archive holds is walked from its beginning: as was wished, or its cursor is stale."""
        position = self._positions.get(page.list)
        if position is not None and (not self._after or page.seq < position.seq):
            self._again.add(page.list)
        return page.list in self._again

    def _behind_the_cut(self, page: Page) -> Page:
        """Return what a page brings beyond what the archive holds, where a walk goes on that was cut off."""
        position = self._positions.get(page.list)
        if position is None or not position.more:
            return page
        if page.list not in self._overlaps:
            self._overlaps[page.list] = Overlap(self._archive, page)
        return self._overlaps[page.list].news(page)

    def _changed(self, page: Page) -> Iterator[Page]:
        if self._sweep is None:
            self._sweep = Sweep(self._archive, self._known.thread, self._positions)
        for part in self._sweep.news(page):
            self._note_activity(part)
            yield part

    def _note_activity(self, page: Page) -> None:
        seen = activity(page)
        if seen is not None and (self.active is None or seen > self.active):
            self.active = seen

    def _container(self) -> Container | None:
        """Read the object of a thread that a list of threads brought, or that was asked for and has rested since."""
        if self._full or self._after is not self._positions or "thread" not in self._positions:
            return None
        return self._archived_object if self._found or self._rested() else None

    def _rested(self) -> bool:
        """Whether all of the thread was had not long ago, and its last visit came to its end."""
        known = self._known
        if known.state != "complete" or known.midway or known.touched_at is not None or known.asked_at is None:
            return False
        asked = datetime.fromisoformat(known.asked_at)
        since = now() - asked
        return timedelta() <= since and not elapsed(known.thread, since, SLOWLY, asked)

    def _archived_object(self) -> bytes:
        newest = b""
        for record in self._archive.records(self._known.thread, "thread"):
            newest = record.body
        return newest


async def _nothing() -> AsyncIterator[Page | Gap]:
    return
    yield


def failed(thread: ThreadRef, error: ExporterError) -> Outcome:
    """How a visit ended that could not begin."""
    return Outcome(thread, 0, "failed", scrubbed(str(error)), getattr(error, "code", "bad_id"))


def visit_page(outcome: Outcome, more: Mapping[str, Any] = NOTHING_MORE) -> Page:
    """Our record of a visit; of the first that found a thread gone, with what is known of its life or of its end."""
    gaps = [{"list": g.list, "after": g.after, "code": g.code, "detail": g.detail} for g in outcome.gaps]
    body = {"state": outcome.state, "code": outcome.code, "error": outcome.error, "records": outcome.records}
    data = orjson.dumps({**body, "gaps": gaps, **more})
    return Page(outcome.thread, "visit", (Item(None, data),), None, False, now(), "visit")
