"""The archive: pages in, durably and once; records out, in order.

One commit point: a segment counts when a manifest names it. Opening for writing finishes what a crash interrupted.
Who reads needs no lock; who writes holds it.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from exporter.archive import _about, _manifests, _segments
from exporter.archive._about import encrypt, read_id, refuse_lost, rotate_keys
from exporter.archive._blobs import Blob, Kept, blob_name
from exporter.archive._commits import Commits, frames, index, opened
from exporter.archive._encrypted import on_disk, sealed
from exporter.archive._erasing import Eraser, Found, look
from exporter.archive._hints import beside, hints, note_hints
from exporter.archive._journal import Journal
from exporter.archive._keyfile import is_encrypted, unlock
from exporter.archive._lines import (
    MarkLine,
    dump,
    dump_ascii,
    mark_line_of,
    read_mark,
    read_marks,
    read_records,
    record_line,
)
from exporter.archive._lock import Lock, who_writes
from exporter.archive._manifests import Manifest
from exporter.archive._published import TABLES, settle
from exporter.archive._receipts import Receipts
from exporter.archive._tombstones import NEWEST, Erasures, hashed
from exporter.archive.catalog import Catalog, owner_of, plain
from exporter.errors import ArchiveError, Damaged
from exporter.files import make_folder
from exporter.model import Mark, Page, Record, Registration, ThreadRef, now
from exporter.storage import load as load_storage

SEAL_BYTES = 64 * 1024 * 1024
SEAL_PAGES = 20_000
"A journal of this size, or of so many pages, is sealed while the crawl goes on: indexing holds what its pages say."


@dataclass(frozen=True, slots=True)
class TableFile:
    """What the catalog notes of a table file, so that any changed byte is found."""

    sha256: str
    rows: int
    manifest: int


class Archive:
    """An open archive. Make one with `create`, `open` or `write`."""

    def __init__(self, path: Path, catalog: Catalog, lock: Lock | None = None) -> None:
        self.path = path
        self.catalog = catalog
        self.id = read_id(path)
        self.cipher = unlock(path, self.id)
        "What opens and seals its files; None where they are plain."
        self.storage = sealed(load_storage("local", path), self.cipher)
        catalog.cipher = self.cipher
        self.run = f"{now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        "Names this opening in every line it writes."
        self._lock = lock
        self._journal = Journal(path / "journal", self.id, self.cipher)
        self._commits = Commits(path, self.id, self.run, self.storage, catalog)
        self.receipts = Receipts(path, self.storage)
        self._eraser = Eraser(path, self.id, self.storage, catalog, self._commits)
        self._unfinished = False
        "Whether a commit failed halfway: nothing is written before it is finished as after a crash."

    @classmethod
    def create(cls, path: Path, *, encrypted: bool = False) -> None:
        """Make an empty archive; an existing one stays as it is. `encrypted`: with the key the environment names."""
        _about.create(path, encrypted=encrypted)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open for reading; safe beside a running backup, and in a folder that cannot be written.

        `NoKey` where it is encrypted, and its key is not named by the environment, or is another one.
        """
        unlock(path, read_id(path))
        if not (path / "catalog.sqlite").exists():
            raise Damaged(f"{path / 'catalog.sqlite'}: it is missing; run `exporter rebuild -a {path}`")
        return cls(path, Catalog(path / "catalog.sqlite"))

    @classmethod
    def write(cls, path: Path) -> Self:
        """Open for writing: take the lock, finish what a crash interrupted, bring the catalog up to date."""
        unlock(path, read_id(path))
        lock = Lock(path)
        lock.acquire()
        try:
            archive = cls(path, Catalog(path / "catalog.sqlite", create=True), lock)
        except BaseException:
            lock.release()
            raise
        try:
            shutil.rmtree(path / ".exporter" / "tmp", ignore_errors=True)
            archive._recover()
        except BaseException:
            archive.close()
            raise
        return archive

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of files and lock; what is in the journal stays there, archived."""
        try:
            with suppress(OSError):  # a tail that cannot be cut now is cut on the next opening
                self._journal.close()
            self.catalog.close()
        finally:
            if self._lock:
                self._lock.release()

    # Writing

    def append(self, pages: Iterable[Page]) -> None:
        """Add pages, durably: when this returns, a crash cannot lose them."""
        self._ready()
        self._journal.append(pages, self.run)
        if self._journal.size >= SEAL_BYTES or self._journal.pages >= SEAL_PAGES:
            with suppress(ArchiveError):  # the pages are archived; the next call says what is wrong
                self.seal()

    def blob(self) -> Blob:
        """Take the content of a file, before the record that names it: write, then `keep`, in a `with` block."""
        self._writable()
        return Blob(self.storage)

    def seal(self, report: dict[str, Any] | None = None) -> Manifest | None:
        """Commit the journal as a segment, with the run's report if this ends the run; index it."""
        self._ready()
        journal = self._journal
        if not journal.has_pages and report is None:
            return None
        self._unfinished = True
        journal.close()
        if journal.has_pages:
            self._journal = Journal(self.path / "journal", self.id, self.cipher)
            manifest = self._commits.seal(journal.path, report)
        else:
            manifest = self._commits.commit((), report)
        self._unfinished = False
        return manifest

    def _writable(self) -> None:
        if self._lock is None:
            raise ArchiveError(f"{self.path}: it is open for reading only")

    def _ready(self) -> None:
        self._writable()
        if self._unfinished:
            self._recover()
            self._unfinished = False

    def _recover(self) -> None:
        self._commits.recover()
        self._eraser.recover()
        settle(self)  # before anything else is noted of a file that was replaced just when a process died

    # Erasing

    def held(self, threads: Collection[ThreadRef]) -> Found:
        """Read all segments, and return what there is of these threads; `Damaged` where one cannot be read."""
        return look(self.storage, self.path, threads, self.catalog.find_all)

    def erase(self, threads: Collection[ThreadRef], about: dict[str, Any]) -> Manifest:
        """Take these threads out of everything but the tables, durably; publishing takes their rows out of those.

        `about` says in the manifest and in the receipt how it was asked for. A crash leaves all of it or nothing,
        and the next opening removes what is left.
        """
        self.seal()
        self._unfinished = True
        manifest = self._eraser.erase(threads, about, self.run)
        self._unfinished = False
        return manifest

    def erased(self, threads: Iterable[ThreadRef]) -> set[ThreadRef]:
        """Return those of these threads that were erased once; they may be registered again since."""
        return self.catalog.erased(self.id, threads)

    def erasures(self, since: int, until: int) -> Erasures | None:
        """Return what was erased after one manifest and up to another; None for nothing."""
        if int(self.catalog.fact(NEWEST) or 0) <= since:
            return None
        found = [one for one in _manifests.erasing(self.storage, since) if one.number <= until]
        return Erasures(self.id, {stone: one.number for one in found if one.erased for stone in one.erased.threads})

    def note_published(self, newest: int) -> None:
        """Note that the tables hold all up to a manifest, and with that complete the receipts of what was erased."""
        settle(self)
        before = int(self.catalog.fact("published") or 0)
        if int(self.catalog.fact(NEWEST) or 0) > before:
            for manifest in _manifests.erasing(self.storage, before):
                if manifest.number <= newest:
                    self.receipts.complete(manifest)
        self.catalog.note_fact("published", str(newest))

    # Reading

    @property
    def encrypted(self) -> bool:
        """Whether its files are sealed; then there are no tables and no index of words."""
        return self.cipher is not None

    def place(self, name: str) -> Path:
        """Where the file lies that goes by a name, such as that of a content."""
        return self.path / on_disk(self.storage, name)

    def manifests(self, since: int = 0) -> Iterator[Manifest]:
        """The commits after `since`, in order; `Damaged` at a hole, a changed byte or a broken chain."""
        return _manifests.log(self.storage, since)

    def index_into(self, catalog: Catalog, until: int | None = None) -> None:
        """Take the commits that another catalog lacks over into it, all or those up to manifest `until`."""
        for manifest in self.manifests(catalog.indexed()):
            if until is not None and manifest.number > until:
                return
            index(manifest, catalog, self.storage)

    def manifest(self) -> int:
        """Number of the newest manifest that is indexed."""
        return self.catalog.indexed()

    def reports(self) -> Iterator[dict[str, Any]]:
        """What finished runs reported, the newest first."""
        for number in range(self.manifest(), 0, -1):
            manifest = _manifests.read(self.storage, number)
            if manifest and manifest.report:
                yield manifest.report

    def last_report(self) -> dict[str, Any] | None:
        """What the newest finished run reported."""
        return next(self.reports(), None)

    def pages(self, since: int = 0) -> Iterator[tuple[int, Mark, list[Record]]]:
        """Whole pages of the segments committed after manifest `since`, in order, with their manifest's number."""
        for number, pages in self._frames(since):
            yield from ((number, read_mark(lines[-1]), read_records(lines[:-1])) for lines in pages)

    def lines(self, since: int = 0) -> Iterator[tuple[int, MarkLine, list[bytes]]]:
        """Do what `pages` does for who reads many at once: with what the marks say, and the lines of the records."""
        for number, pages in self._frames(since):
            marks = read_marks([lines[-1] for lines in pages])
            yield from ((number, mark, lines[:-1]) for mark, lines in zip(marks, pages, strict=True))

    def _frames(self, since: int) -> Iterator[tuple[int, tuple[list[bytes], ...]]]:
        """Yield the pages of each frame, with their manifest's number."""
        for manifest in self.manifests(since):
            for segment in manifest.segments:
                for frame in frames(segment.name, self.storage):
                    yield manifest.number, frame.pages

    def thread_pages(
        self, thread: ThreadRef, kind: str, *, what_is_left: bool = False
    ) -> Iterator[tuple[int, Mark, list[Record]]]:
        """All committed pages of one thread and kind, in order, with their manifest's number.

        Raises `Damaged` at a page that cannot be read; with `what_is_left` that one is passed over.
        """
        for name, offset in self.catalog.frames_of(thread, kind):
            number = int(name.rsplit("/", 1)[-1].split("-", 1)[0])
            with suppress(Damaged) if what_is_left else nullcontext():
                for mark, lines in self.lines_at(thread, kind, name, offset):
                    yield number, mark, read_records(lines)

    def lines_at(self, thread: ThreadRef, kind: str, name: str, offset: int) -> Iterator[tuple[Mark, list[bytes]]]:
        """Pages of one thread and kind in one frame that `Catalog.frames_of` names, with the lines of their records."""
        whose = {"kind": "page", "source": thread.source, "endpoint": thread.endpoint, "thread": thread.id}
        # A line is ASCII as a whole where anything in it, such as its cursor, needs escapes.
        starts = tuple(text[:-1] + b"," for text in (dump(whose), dump_ascii(whose)))
        with opened(name, self.storage) as file:
            for lines in _segments.read_at(file, offset, starts, name):
                mark = read_mark(lines[-1])
                if mark.kind == kind:
                    yield mark, lines[:-1]

    def records(self, thread: ThreadRef | None = None, kind: str = "message") -> Iterator[Record]:
        """Records of one thread or of all, in the order they were archived."""
        pages = self.thread_pages(thread, kind) if thread else self.pages()
        for _, mark, records in pages:
            if mark.kind == kind:
                yield from records

    def owner(self, thread: ThreadRef) -> Registration:
        """What is known about a thread's owner; profile `default` for a thread never registered."""
        known = self.catalog.find(thread)
        return owner_of(known) if known else Registration(thread)

    def owners(self, threads: Iterable[ThreadRef]) -> dict[ThreadRef, Registration]:
        """What `owner` says of each of these threads, in a few queries."""
        named = {
            thread: thread
            if thread.id.isascii() and thread.endpoint.isascii()
            else replace(thread, endpoint=plain(thread.endpoint), id=plain(thread.id))
            for thread in threads
        }
        found = self.catalog.owners(list(named.values()))
        return {thread: found.get(name) or Registration(thread) for thread, name in named.items()}

    # What the tables note

    def tmp(self) -> Path:
        """A fresh folder for files on their way."""
        return make_folder(self.storage.tmp() / secrets.token_hex(4))

    def missing(self) -> Iterator[str]:
        """Names of segments and table files that were committed and are not there: a quick look, no hash."""
        for name in (*self.catalog.segment_names(), *self.table_files()):
            if not (self.path / name).exists():
                yield name

    def table_files(self) -> dict[str, TableFile]:
        """What is noted of each table file."""
        return {
            row["name"]: TableFile(row["sha256"], row["rows"], row["manifest"])
            for row in self.catalog.table_rows()
            if row["sha256"]
        }

    def note_table_file(self, name: str, pending: str | None, final: TableFile | None) -> None:
        """Note the hash a file is about to get, then the file it has become."""
        if final is None:
            self.catalog.note_table(name, pending=pending)
        else:
            values = {"sha256": final.sha256, "rows": final.rows, "manifest": final.manifest}
            self.catalog.note_table(name, pending=pending, **values)


__all__ = [
    "TABLES",
    "Archive",
    "Erasures",
    "Found",
    "Kept",
    "Manifest",
    "MarkLine",
    "TableFile",
    "beside",
    "blob_name",
    "encrypt",
    "hashed",
    "hints",
    "is_encrypted",
    "mark_line_of",
    "note_hints",
    "opened",
    "read_id",
    "read_records",
    "record_line",
    "refuse_lost",
    "rotate_keys",
    "who_writes",
]
