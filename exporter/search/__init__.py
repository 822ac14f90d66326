"""Full text over an archive, in any language: `Index.open(archive)`, then `search(Query("deploy*"))`.

The index is derived: it lies in `.exporter/search/`, reads what later manifests brought whenever it is opened, and may
be deleted at any time. It holds words and no texts; what is shown is read where it is archived. Read on in `_words`
(what a word is), `_needles` (what people type), `_refresh`, `_store`, `_snippets`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from filelock import FileLock, Timeout

from exporter.archive import Archive, _manifests
from exporter.errors import ArchiveError, Damaged, Locked, UsageError
from exporter.files import FILE_MODE, make_folder, translated
from exporter.model import Registration, ThreadRef, printable
from exporter.rows import row, time_of
from exporter.search._asking import Hit, Query, Results
from exporter.search._compile import compiled
from exporter.search._entry import Entry, key_of
from exporter.search._needles import Needle, needles
from exporter.search._places import pages_at
from exporter.search._refresh import OnProgress, refresh
from exporter.search._snippets import snippet
from exporter.search._store import VERSION, Store, Unusable, discard, engine

PATIENCE = 600.0
"Seconds to wait for another program that makes the index for the first time."
MOST = 10_000
"Hits at a time."
FARTHEST = 1_000_000
"The last hit that can be asked for."

T = TypeVar("T")


class Index:
    """The index of one archive. Make one with `open`; searching from several threads is safe."""

    def __init__(self, archive: Archive, folder: Path) -> None:
        self.archive, self.folder = archive, folder
        self.note: str | None = None
        "Why the index could not be brought up to date, in a sentence for people."
        self._path = folder / "index"
        self._store: Store | None = None
        self._may_write = False

    @classmethod
    def open(
        cls, archive: Archive, *, refresh: bool = True, on_progress: OnProgress | None = None, path: Path | None = None
    ) -> Self:
        """Open the index of an archive, and bring it up to date; takes no lock of the archive.

        Where it cannot be written, what there is is searched, and `note` says why. `path` keeps it in another folder.
        `UsageError` where there is none, and none is to be made.
        """
        if archive.encrypted:
            raise UsageError(
                f"{archive.path}: it is encrypted, and an index would hold its words in clear, so none is made; "
                "`exporter export` and `exporter show` read it, and their output can be searched"
            )
        engine()
        index = cls(archive, path or archive.path / ".exporter" / "search")
        index._may_write = refresh
        index._open()
        if refresh:
            index.refresh(on_progress)
        elif index._store is None:
            raise UsageError(f"{index.folder}: there is no index that fits this archive; search without --no-refresh")
        return index

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        if self._store:
            self._store.close()
            self._store = None

    @property
    def manifest(self) -> int:
        """The newest manifest that it holds."""
        return self._store.about.manifest if self._store else 0

    @property
    def stale(self) -> bool:
        """Whether it lacks what was archived last."""
        return self._store is None or self.manifest != self.archive.manifest()

    # Bringing it up to date

    def refresh(self, on_progress: OnProgress | None = None) -> None:
        """Take in what was archived since; without an index, make one."""
        self.note = None
        if self._store is not None and not self.stale:
            return
        try:
            with self._locked(patient=self._store is None):
                self._open()  # another program may have been faster
                if self.stale:
                    self._bring(on_progress)
        except (ArchiveError, UsageError) as error:
            self._open()
            if self._store is None:
                raise
            self.note = f"the index could not be brought up to date: {error}"

    def _bring(self, on_progress: OnProgress | None) -> None:
        """Take in what is new; what turns out to be unreadable meanwhile is made again."""
        if self._store is not None:
            with suppress(Unusable):
                refresh(self.archive, self._store, self._store.about, on_progress)
                return
        self._make(on_progress)

    def _make(self, on_progress: OnProgress | None, without: Collection[ThreadRef] = ()) -> None:
        """Make it from nothing."""
        self.close()
        try:
            self._store = Store.create(self._path)
            refresh(self.archive, self._store, None, on_progress, without)
        except Unusable as error:
            raise ArchiveError(f"{error}; check the disk, and search again") from error

    def forget(self, threads: Collection[ThreadRef], on_progress: OnProgress | None = None) -> None:
        """Leave nothing of these threads in the files: where it has any, the index is made again without them.

        Erase their records first: what the archive still has comes back when the index is made again some day.
        """
        with self._locked(patient=True):
            self._open()
            if self._store is None:
                discard(self._path)
                return
            if not any(self._store.count(key_of(thread)) for thread in threads):
                with self._store.writing() as writer:
                    writer.collect()
                return
            self._make(on_progress, threads)

    def _open(self) -> None:
        """Open what there is, if it is of this archive as it is now."""
        self.close()
        try:
            store = Store.open(self._path)
        except Unusable:
            return
        about = store.about
        fits = (
            about.version == VERSION and about.archive == self.archive.id and about.manifest <= self.archive.manifest()
        )
        if fits and about.manifest:
            held = _manifests.read(self.archive.storage, about.manifest)
            fits = held is not None and held.file_sha256 == about.sha256
            # what is erased from a segment moves what the index knows of the others in it
            fits = fits and self.archive.erasures(about.manifest, self.archive.manifest()) is None
        if fits:
            self._store = store
        else:
            store.close()

    @contextmanager
    def _locked(self, *, patient: bool) -> Iterator[None]:
        """Be the only one who changes the index."""
        try:
            make_folder(self.folder)
        except ArchiveError as error:
            raise ArchiveError(f"{error}. Or keep the index in another place: --index PATH") from error
        with translated(self.folder):
            lock = FileLock(self.folder / "lock", timeout=PATIENCE if patient else 0, mode=FILE_MODE)
            try:
                lock.acquire()
            except Timeout:
                raise Locked(f"{self.folder}: another program is writing the index; search again later") from None
        try:
            yield
        finally:
            lock.release()

    # Searching

    def search(self, query: Query) -> Results:
        """Find what has all the words; `UsageError` for a query that cannot be understood."""
        wanted = needles(query.text)
        _check(query)
        threads = None if query.thread is None else list(map(key_of, self._threads(query)))
        total, found = self._asked(
            lambda store: store.search(compiled(query, wanted, threads, store), query.limit, query.offset)
        )
        hits = tuple(self._hit(score, entry, wanted) for score, entry in found)
        return Results(total, hits, self.stale)

    def _asked(self, ask: Callable[[Store], T]) -> T:
        """Ask, and once more after making the index again where it turns out that it cannot be read."""
        assert self._store is not None
        try:
            return ask(self._store)
        except Unusable as error:
            if not self._may_write:
                raise ArchiveError(f"{error}; search without --no-refresh to make it again") from error
            with self._locked(patient=True):
                self.close()
                discard(self._path)
            self.refresh()
            return ask(self._store)

    def _threads(self, query: Query) -> list[ThreadRef]:
        assert query.thread is not None
        known = [one.thread for one in self.archive.catalog.named(query.thread)]
        if not known:
            shown = printable(query.thread[:80])
            raise UsageError(f"{shown}: it is not in {self.archive.path}; `exporter threads` lists what is")
        return known

    def _hit(self, score: float, entry: Entry, wanted: tuple[Needle, ...]) -> Hit:
        damage, owned = None, entry.owned
        try:
            line, marks = snippet(self._text(entry), wanted)
        except (Damaged, OSError) as error:
            line, marks, damage = "", (), str(error)
        return Hit(
            thread=entry.thread,
            message_id=entry.message if entry.kind == "file" else entry.id,
            parent=entry.parent,
            seq=entry.seq,
            role=entry.role,
            type=entry.type,
            ts=None if entry.ts is None else time_of(entry.ts),
            score=score,
            snippet=line,
            marks=marks,
            title=owned.title,
            user=owned.user,
            customer=owned.customer,
            deleted=entry.deleted or owned.gone,
            kind=entry.kind,
            damage=damage,
        )

    def _text(self, entry: Entry) -> str:
        """Read the text of what was found where it is archived."""
        if entry.place is None:
            return entry.owned.title or ""
        found = None
        for _, _, records in pages_at(self.archive, entry.place, entry.thread, entry.kind):
            for record in records:
                if record.parent == entry.parent and record.id == entry.id and (record.id or record.seq == entry.seq):
                    found = record
        values = row(found, Registration(entry.thread)) if found else None
        return (values or {}).get("name" if entry.kind == "file" else "text") or ""


def _check(query: Query) -> None:
    if not 0 <= query.limit <= MOST:
        raise UsageError(f"--limit {query.limit}: from 0 to {MOST:,}")
    if query.offset < 0 or query.offset + query.limit > FARTHEST:
        raise UsageError(f"--offset {query.offset}: from 0 to {FARTHEST:,} with --limit")
    for name, time in (("--since", query.since), ("--until", query.until)):
        if time is not None and time.tzinfo is None:
            raise UsageError(f"{name} {time}: it needs a zone")


__all__ = ["Hit", "Index", "Query", "Results"]
