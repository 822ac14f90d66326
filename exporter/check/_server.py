"""Asking the server: a random sample of threads is walked anew, and every object compared with the archive.

The idea: the same walk as a backup's from the beginning, at the same pace, whose pages nobody writes. What the server
has and the archive should have is damage; what came after the last visit is none, nor what was changed or deleted
since, as nobody promised to know of that before the next walk from the beginning.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

import sqlalchemy as sa

from exporter.archive import Archive
from exporter.archive._lines import load
from exporter.archive._schema import threads
from exporter.archive._verify import damage
from exporter.archive.catalog import Known
from exporter.check._losses import forgotten
from exporter.crawl import Options
from exporter.crawl._sources import Door, Doors
from exporter.crawl._sweep import OBJECTS
from exporter.errors import BudgetReached, ExporterError, NotFound, SourceError, ThreadError, UsageError
from exporter.model import Code, Finding, Gap, Item, Kind, Page, Profile, Record, ThreadRef, now, printable
from exporter.sources._split import piece

YOUNG = 300.0
"Seconds by which the server's clock may differ from ours."
NAMED = 3
"Objects that a sentence names."
VISITED = ("complete", "partial")

Key = tuple[str | None, str | int]
"What an object hangs on, and its id, or its position where it has none."


@dataclass(slots=True)
class Asked:
    """What came of asking."""

    seed: int
    "Picks the same threads again, as long as none is registered."
    threads: int = 0
    "Threads that were read to their end."
    unread: int = 0
    "Threads of the sample that were not, or not wholly."
    objects: int = 0
    "Objects that were compared."
    requests: int = 0
    damage: int = 0
    stopped: list[ExporterError] = field(default_factory=list)
    "Why a source, or all of it, ended early."

    @property
    def exit_code(self) -> int:
        """Damage counts most; where nothing could be read, the reason; else what is left to be read."""
        if self.damage:
            return 5
        codes = [error.exit_code for error in self.stopped]
        if codes and (not self.threads or BudgetReached.exit_code in codes):
            return codes[0]
        return 3 if self.unread or codes else 0


def ask_server(
    path: Path,
    profiles: Mapping[str, Profile],
    count: int,
    options: Options,
    *,
    seed: int | None = None,
    on_finding: Callable[[Finding], None] = lambda _: None,
    on_sample: Callable[[Asked, int], None] = lambda *_: None,
) -> Asked:
    """Walk `count` random threads on their servers and compare them with the archive, in which nothing is written.

    `on_sample` hears of the seed and the size of the sample before the first request. Raises `ArchiveError` where
    the archive cannot be read.
    """
    asked = Asked(secrets.randbelow(1_000_000) if seed is None else seed)
    archive = Archive.open(path)
    try:
        chosen = sample(archive, count, asked.seed)
        on_sample(asked, len(chosen))
        asyncio.run(_Asking(archive, Doors(profiles, options), asked, on_finding).all(chosen))
    finally:
        archive.close()
    return asked


def sample(archive: Archive, count: int, seed: int) -> list[Known]:
    """Pick threads that were visited and, as far as we know, are there."""
    query = sa.select(threads.c.no).where(threads.c.state.in_(VISITED)).order_by(threads.c.no)
    numbers = array("q", (row[0] for row in archive.catalog.rows(query)))
    some = random.Random(seed).sample(numbers, min(count, len(numbers)))  # noqa: S311 - no secret
    return list(archive.catalog.numbered(some))


class _Asking:
    """One sample on its way through the servers."""

    def __init__(self, archive: Archive, doors: Doors, asked: Asked, on_finding: Callable[[Finding], None]) -> None:
        self._archive, self._doors, self._asked, self._on_finding = archive, doors, asked, on_finding
        self._absent: defaultdict[Door, list[Known]] = defaultdict(list)
        "Threads that the server says it has not, by who was told so."

    async def all(self, chosen: list[Known]) -> None:
        """Walk them one after the other, which is gentle to the server."""
        try:
            for known in chosen:
                await self._one(known)
        except BudgetReached as error:
            self._asked.stopped.append(error)
        finally:
            self._judge()
            self._asked.unread = len(chosen) - self._asked.threads
            self._asked.stopped += [error for _, error in self._doors.closed()]
            self._asked.requests = self._doors.requests
            await self._doors.aclose()

    async def _one(self, known: Known) -> None:
        told: list[Door] = []
        try:
            for door in self._doors.to(known):
                if door.closed is None and await self._through(door, known, told):
                    return
        except (ThreadError, UsageError) as error:
            self._unread(known.thread, str(error))
            return
        if told:
            self._absent[told[0]].append(known)
        else:
            self._unread(known.thread, "no profile may read it")

    async def _through(self, door: Door, known: Known, told: list[Door]) -> bool:
        """Walk a thread as one profile sees it; False where another may be asked."""
        walked = _Walked(known, now())
        try:
            async for event in self._doors.source(door).pages(known.thread, {}):
                walked.take(event)
        except NotFound:
            told.append(door)
            return False
        except SourceError as error:
            door.close(error)
            return False
        door.reads = True
        for finding in walked.findings(self._archive):
            self._tell(finding)
        self._asked.objects += walked.count
        self._asked.threads += not walked.gaps
        return True

    def _judge(self) -> None:
        """Say of threads that are not there whether that can be believed: by who read another thread of the source."""
        for door, absent in self._absent.items():
            for known in absent:
                thread = known.thread
                if not door.reads:
                    why = (
                        f"the server answers that there is none, and showed profile {printable(door.profile)} no other"
                    )
                    self._unread(thread, why, f"`exporter doctor {thread.id}` tries every profile")
                    continue
                self._asked.threads += 1
                why = "as its source may do by now" if forgotten(known) else "so somebody deleted it"
                what = f"the server has it no more, {why}; the archive keeps it"
                help_ = "nothing to do: the next backup that visits it marks it gone"
                self._tell(Finding("server_gone", str(thread), what, help_, "note"))

    def _unread(self, thread: ThreadRef, why: str, help_: str = "ask again later, or look at the profile") -> None:
        self._tell(Finding("server_unread", str(thread), f"it could not be read: {why}", help_, "note"))

    def _tell(self, finding: Finding) -> None:
        self._asked.damage += finding.severity == "damage"
        self._on_finding(finding)


class _Walked:
    """What the server gave of one thread, against what the archive holds."""

    def __init__(self, known: Known, began: datetime) -> None:
        self._known, self._began = known, began
        self._lists: defaultdict[tuple[Kind, str], dict[Key, Item]] = defaultdict(dict)
        self.gaps: dict[str, str] = {}
        "Lists that could not be walked to a proven end, and why."
        self.count = 0

    def take(self, event: object) -> None:
        """Take what the source yields; links and files are none of our business."""
        if isinstance(event, Page):
            if event.kind in (*OBJECTS, "thread"):
                found = self._lists[event.kind, event.list]
                for seq, item in enumerate(event.items, event.seq):
                    found[event.parent, seq if item.id is None else item.id] = item
        elif isinstance(event, Gap):
            self.gaps[event.list] = event.detail

    def findings(self, archive: Archive) -> Iterator[Finding]:
        """Compare; the archive is read after the server, so that it knows at least as much."""
        thread, held = self._known.thread, _Held(archive, self._known)
        for name, why in sorted(self.gaps.items()):
            what = f"{name} could not be walked to a proven end: {why}"
            yield Finding("server_unread", str(thread), what, "ask again later", "note")
        for (kind, name), found in self._lists.items():
            self.count += len(found)
            if name not in held.lists and (":" in name or kind in ("run", "step")):
                continue  # a new run's, or runs were left out
            missing, differ = self._compared(found, held, kind)
            if missing and name not in held.gaps:
                ask = f"run `exporter backup --full {thread.id}`, and check again; if it is found again, report it"
                yield damage("server_missing", str(thread), _told(name, missing, "are not in the archive"), ask)
            if differ:
                what = _told(name, differ, "are not as they were when they were archived")
                yield _note("server_differs", thread, what, "the next walk from the beginning archives them again")
        for name, gone in held.not_in(self._lists, self.gaps, self._began):
            what = _told(name, gone, "are not on the server any more; the archive keeps them")
            yield _note("server_gone", thread, what, "nothing to do: the next walk from the beginning notes it")

    def _compared(self, found: dict[Key, Item], held: _Held, kind: Kind) -> tuple[list[Key], list[Key]]:
        from exporter.tables._content import signature

        newest = max((place for place, key in enumerate(found) if (kind, key) in held.objects), default=-1)
        missing: list[Key] = []
        differ: list[Key] = []
        for place, (key, item) in enumerate(found.items()):
            was = held.objects.get((kind, key))
            if was is None:
                if not self._is_news(item, last=place > newest):
                    missing.append(key)
            elif (was.body != item.body and signature(was.body) != signature(item.body)) or (kind, key) in held.deleted:
                differ.append(key)
        return missing, differ

    def _is_news(self, item: Item, *, last: bool) -> bool:
        """Tell whether an object came after the last visit: by its time, else by its place at the end."""
        time, visited = piece(item.body).time, self._known.visited_at
        if time is None or visited is None:
            return last
        return time > datetime.fromisoformat(visited).timestamp() - (YOUNG if last else 0)


class _Held:
    """What the archive holds of one thread."""

    def __init__(self, archive: Archive, known: Known) -> None:
        thread = known.thread
        self.lists = set(archive.catalog.positions(thread))
        self.objects: dict[tuple[Kind, Key], Record] = {}
        self.deleted: set[tuple[Kind, Key]] = set()
        self._of: defaultdict[str, list[tuple[Kind, Key]]] = defaultdict(list)
        for kind in (*OBJECTS, "thread"):
            for _, mark, records in archive.thread_pages(thread, kind):
                for record in records:
                    key = (kind, (record.parent, record.seq if record.id is None else record.id))
                    if key not in self.objects:
                        self._of[mark.list].append(key)
                    self.objects[key] = record
        for record in archive.records(thread, "deletion"):
            key = (load(record.body)["kind"], (record.parent, record.id or ""))
            if key in self.objects and record.observed_at >= self.objects[key].observed_at:
                self.deleted.add(key)
        self.gaps = _gaps(archive, thread)

    def not_in(
        self, found: Mapping[tuple[Kind, str], Mapping[Key, Item]], gaps: Mapping[str, str], began: datetime
    ) -> Iterator[tuple[str, list[Key]]]:
        """Yield the objects of lists walked to their end that were archived before and are not there, of each list."""
        for name, keys in self._of.items():
            walked = {(kind, key) for (kind, of), items in found.items() if of == name for key in items}
            if name in gaps or all(of != name for _, of in found):
                continue
            rest = [key for key in keys if key not in walked and key not in self.deleted]
            gone = [key for kind, key in rest if self.objects[kind, key].observed_at < began]
            if gone:
                yield name, gone


def _gaps(archive: Archive, thread: ThreadRef) -> set[str]:
    """Name the lists in which the newest visit left a gap."""
    newest = None
    for newest in archive.records(thread, "visit"):  # noqa: B007 - the last one is wanted
        pass
    return {gap["list"] for gap in load(newest.body)["gaps"]} if newest else set()


def _note(code: Code, thread: ThreadRef, what: str, help_: str) -> Finding:
    return Finding(code, str(thread), what, help_, "note")


def _told(name: str, keys: list[Key], what: str) -> str:
    some = ", ".join(printable(str(place)) for _, place in islice(keys, NAMED))
    more = ", ..." if len(keys) > NAMED else ""
    return f"{len(keys):,} objects of {name} {what}: {some}{more}"
