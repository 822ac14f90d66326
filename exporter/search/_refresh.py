"""Bring an index to what the archive holds: only the pages that later manifests brought are read.

The idea: an object that is new goes in at once. Where that is not certain (a list was walked again, something was
deleted), or where the thread as a whole changed (its owner, its title, it is gone), all that the index has of the
thread goes out, and comes in again from the thread's pages. Both ways give the same, so that any history of refreshing
equals an index that is made from nothing. It goes on in steps, each of which lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from exporter.archive import Archive, Manifest
from exporter.archive.catalog import Known, plain
from exporter.groups import grouped
from exporter.model import Kind, Record, Registration, ThreadRef
from exporter.rows import Deletions, microseconds, row
from exporter.search import _words
from exporter.search._entry import Entry, Owned, key_of
from exporter.search._places import Page, Place, new_pages, thread_pages
from exporter.search._said import SEARCHED, Said, said_by, said_on
from exporter.search._store import VERSION, About, Store, Writer
from exporter.tables._folding import Fold

STEP_BYTES = 128 << 20
"What is committed together, before compression: what happened to its threads is held in memory."
AHEAD_BYTES = 1 << 20
"Pages whose threads are looked up together."

OnProgress = Callable[[int, int], None]
"Is told how many bytes of how many are read."


def refresh(
    archive: Archive,
    store: Store,
    about: About | None,
    on_progress: OnProgress | None = None,
    without: Collection[ThreadRef] = (),
) -> None:
    """Bring an index from what it holds to the newest manifest; threads that are not wanted stay outside."""
    until = archive.manifest()
    later = archive.manifests(about.manifest if about else 0)
    manifests = [replace(one, report=None) for one in later if one.number <= until]
    total = sum(map(_size, manifests))
    done = 0
    with store.writing() as writer:
        if not manifests:  # an archive without a commit
            writer.commit(About(VERSION, archive.id, 0, None))
        for step in grouped(manifests, _size, STEP_BYTES):
            news = _News(archive, store, writer, step[-1].number, without)
            for manifest in step:
                for frames in grouped(new_pages(archive, manifest), _bodies, AHEAD_BYTES):
                    news.take(list(chain.from_iterable(frames)))
                done += _size(manifest)
                if on_progress:
                    on_progress(done, total)
            news.finish()
            last = step[-1]
            writer.commit(About(VERSION, archive.id, last.number, last.file_sha256))
            store.reload()


def _size(manifest: Manifest) -> int:
    return sum(segment.raw_bytes for segment in manifest.segments)


def _bodies(pages: list[Page]) -> int:
    return sum(len(record.body) for _, _, records in pages for record in records)


@dataclass(slots=True)
class _Touched:
    """A thread that something happened to."""

    key: str
    known: Known | None
    old: Entry | None
    "What the index has of it as a whole."
    title: str | None
    "What the server calls it."
    ts: int | None
    "When the server made it."
    alone: bool
    "Whether the index has nothing of it but what it is as a whole: so it is where it was only registered."
    used: Owned | None = None
    "What was said of the thread with its objects that went in."
    again: bool = False
    "Whether all of it has to come in again."

    @property
    def owned(self) -> Owned:
        known = self.known
        if known is None:
            return Owned(self.title, None, None, gone=False)
        title = self.title if known.title is None else known.title
        return Owned(title, known.user, known.customer, gone=known.state == "gone")


class _News:
    """What the pages of some manifests bring."""

    def __init__(
        self, archive: Archive, store: Store, writer: Writer, until: int, without: Collection[ThreadRef]
    ) -> None:
        self._archive, self._store, self._writer, self._until = archive, store, writer, until
        self._without = frozenset(without)
        self._touched: dict[ThreadRef, _Touched] = {}

    def take(self, pages: list[Page]) -> None:
        """Take pages in their order."""
        pages = [page for page in pages if page[1].thread not in self._without]
        self._look_up({mark.thread for _, mark, _ in pages} - self._touched.keys())
        for (place, mark, records), told in zip(pages, said_on(pages), strict=True):
            touched = self._touched[mark.thread]
            if mark.kind == "thread" and records:
                _see(touched, records[-1])
            elif mark.kind == "deletion" or (mark.kind in SEARCHED and not mark.fresh):
                touched.again = True
            elif mark.kind in SEARCHED and not touched.again:
                owned = touched.owned
                touched.again = touched.used not in (None, owned)
                for record, said in zip(records, told, strict=True):
                    self._add(touched, owned, record, place, said)

    def finish(self) -> None:
        """Make what has to be made again, and what is known of the threads as a whole."""
        for thread, touched in self._touched.items():
            owned, old = touched.owned, touched.old
            changed = old is not None and old.owned != owned and not touched.alone
            if touched.again or changed or touched.used not in (None, owned):
                self._writer.forget(touched.key)
                self._fold(thread, touched)
            elif old is not None:
                if (old.owned, old.own_title, old.ts) == (owned, touched.title, touched.ts):
                    continue
                self._writer.forget(touched.key, whole=True)
            entry = Entry(
                "thread",
                thread,
                owned,
                None,
                0,
                None,
                None,
                None,
                None,
                "thread",
                touched.ts,
                owned.gone,
                touched.title,
            )
            self._writer.add(entry, touched.key, _words.words(owned.title or ""))

    def _look_up(self, threads: set[ThreadRef]) -> None:
        """Find out what is known of threads."""
        named = {one: replace(one, endpoint=plain(one.endpoint), id=plain(one.id)) for one in threads}
        known = self._archive.catalog.find_all(list(named.values()))
        for thread, name in named.items():
            key = key_of(thread)
            old = self._store.thread(key)
            told = (old.own_title, old.ts) if old else (None, None)
            self._touched[thread] = _Touched(key, known.get(name), old, *told, alone=self._store.count(key) == 1)

    def _fold(self, thread: ThreadRef, touched: _Touched) -> None:
        """Take in each object of a thread in its newest revision."""
        owned = touched.owned
        deletions = [
            (place.number, record)
            for place, _, records in thread_pages(self._archive, thread, "deletion", self._until)
            for record in records
        ]
        for kind in SEARCHED:
            fold = Fold(0, Deletions(deletions, kind))
            for place, record in self._history(thread, kind):
                fold.see(place.number, record)
            standing: list[tuple[Place, Record]] = []
            records = _noting(self._history(thread, kind), standing)
            for table, values, _ in fold.rows(records, Registration(thread), fold.months):
                if table != "revisions":
                    place, record = standing[-1]
                    self._add(touched, owned, record, place, said_by(kind, values))

    def _history(self, thread: ThreadRef, kind: Kind) -> Iterator[tuple[Place, Record]]:
        for place, _, records in thread_pages(self._archive, thread, kind, self._until):
            yield from ((place, record) for record in records)

    def _add(self, touched: _Touched, owned: Owned, record: Record, place: Place, said: Said) -> None:
        """Take in an object that has words."""
        words = _words.words(said.text or "")
        if not words or words.isspace():
            return
        touched.used = owned
        entry = Entry(
            "file" if record.kind == "file" else "message",
            record.thread,
            owned,
            place,
            said.seq,
            record.id,
            record.parent,
            said.message,
            said.role,
            said.type,
            said.ts,
            said.deleted,
        )
        self._writer.add(entry, touched.key, words)


def _see(touched: _Touched, record: Record) -> None:
    """Take over what the thread's own object says."""
    values = row(record, Registration(record.thread)) or {}
    created = values.get("created_at")
    touched.title, touched.ts = values.get("title"), None if created is None else microseconds(created)


def _noting(history: Iterator[tuple[Place, Record]], standing: list[tuple[Place, Record]]) -> Iterator[Record]:
    """Pass records on, the one that is being looked at noted with its place."""
    for place, record in history:
        standing[:] = [(place, record)]
        yield record
